"""How names are resolved: the content of ``/etc/resolv.conf``.

Programs ask the C library, and that asks the servers in this file. Name servers that the
configuration gives are written there. Those that DHCP tells are known only when the device runs,
and systemd-networkd hands them to systemd-resolved and to nobody else: so a system whose network
is told of them has that package (``config/load.py``), and the file leads to it.

Source: resolv.conf(5); systemd-resolved.service(8), */etc/resolv.conf*.
Tested by ``tests/unit/build/etc/test_resolv_conf.py`` and ``tests/vm/test_services.py``.
"""

from pathlib import Path

from reconix.config.schema.system import RESOLVER, System
from reconix.store.tree import File, Symlink

_FILE = "resolv.conf"
_PROGRAM = "usr/lib/systemd/systemd-resolved"
_STUB = Symlink("../run/systemd/resolve/stub-resolv.conf")
_SETTINGS = File(b"[Resolve]\nFallbackDNS=\nLLMNR=no\nMulticastDNS=no\n")
"""No name server is asked, and no query answered, unless the configuration says so."""


def files(system: System, root: Path) -> dict[str, File | Symlink]:
    """What is needed to find names, by path below ``/etc``.

    Args:
        system: machine and system file, merged.
        root: the Debian root.
    """
    off = {*system.services.disable, *system.services.mask}
    if (root / _PROGRAM).exists() and f"{RESOLVER}.service" not in off:
        return {_FILE: _STUB, "systemd/resolved.conf.d/reconix.conf": _SETTINGS}
    networks = (network for network in system.network.values() if network.names)
    servers = dict.fromkeys(server for network in networks for server in network.dns)
    lines = "".join(f"nameserver {server}\n" for server in servers)
    return {_FILE: File(lines.encode())} if servers else {}
