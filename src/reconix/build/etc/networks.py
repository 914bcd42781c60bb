"""The settings of systemd-networkd: how each interface gets its address, and which are created.

A network of the configuration is a ``.network`` file. A VLAN or a bridge is a ``.netdev`` file as
well, which makes the interface, and a line in the file of each network that it stands on. Files are
numbered, because networkd takes the first that fits an interface.

NetworkManager, where a system has it, is told to leave these interfaces alone: it would give each
an address of its own, beside that of networkd.

Source: systemd.network(5), systemd.netdev(5); NetworkManager.conf(5), *Device List Format*.
Tested by ``tests/unit/build/etc/test_networks.py``.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.config.schema.system import Network
from reconix.store.tree import File

_MANAGER = "usr/sbin/NetworkManager"
_UNMANAGED = "NetworkManager/conf.d/00-reconix.conf"


def make_networks(networks: Mapping[str, Network]) -> dict[str, bytes]:
    """The files below ``/etc/systemd/network``, by name."""
    made: dict[str, bytes] = {}
    for number, (name, network) in enumerate(sorted(networks.items()), start=10):
        stem = f"{number:02}-{name.replace('*', 'x')}"
        made[f"{stem}.network"] = _network(name, network, networks)
        if network.is_virtual:
            made[f"{stem}.netdev"] = _device(name, network)
    return made


def unmanaged(networks: Mapping[str, Network], root: Path) -> dict[str, File]:
    """What keeps NetworkManager from these networks, by path below ``/etc``.

    Args:
        networks: of the configuration.
        root: the Debian root.
    """
    if not networks or not (root / _MANAGER).exists():
        return {}
    names = [network.match or name for name, network in sorted(networks.items())]
    devices = ";".join(f"interface-name:{name}" for name in names)
    return {_UNMANAGED: File(f"[keyfile]\nunmanaged-devices={devices}\n".encode())}


def _network(name: str, network: Network, all_networks: Mapping[str, Network]) -> bytes:
    lines = ["[Match]", f"Name={network.match or name}", "", "[Network]"]
    lines += [f"DHCP={'yes' if network.dhcp else 'no'}"]
    lines += [f"Address={address}" for address in network.address]
    lines += [f"Gateway={network.gateway}"] if network.gateway else []
    lines += [f"DNS={server}" for server in network.dns]
    for other, above in sorted(all_networks.items()):
        lines += [f"VLAN={other}"] if above.on == name else []
        lines += [f"Bridge={other}"] if name in above.bridge else []
    return _joined(lines)


def _device(name: str, network: Network) -> bytes:
    kind = "bridge" if network.bridge else "vlan"
    lines = ["[NetDev]", f"Name={name}", f"Kind={kind}"]
    return _joined(lines if network.bridge else [*lines, "", "[VLAN]", f"Id={network.vlan}"])


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
