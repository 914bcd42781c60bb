"""Log-in over the network with dropbear or OpenSSH, by key only.

The keys of the host are made at its first boot and kept for all systems, so that they stay the same
whichever system runs and whatever is updated. Those of OpenSSH are made wherever its package is
(``build/on_device/secrets.py``), so there is nothing to say about them here.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from reconix.config.modules.fragment import Fragment, OptionError
from reconix.config.options import Option
from reconix.config.schema.health import Health, UnitCheck
from reconix.config.schema.system import File, Persist, Services, Unit
from reconix.config.schema.values import AbsolutePath, Port
from reconix.config.services.firewall import Options as Firewall

_KEY_UNIT = "reconix-host-key.service"
_HOST_KEYS = "/var/lib/dropbear"


class Server(Enum):
    """Programs that one can log in to."""

    DROPBEAR = "dropbear"
    OPENSSH = "openssh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Log-in over the network with dropbear or OpenSSH, by key only; `users` says who may."""

    enable: Annotated[
        bool,
        Option(
            "Whether to run the ssh server.",
            "true",
            "when people or `reconix deploy` log in over the network",
        ),
    ] = False
    server: Annotated[
        Server,
        Option(
            "Server program: the small `dropbear`, or `openssh`.",
            '"openssh"',
            "when sftp, certificates or settings of OpenSSH are needed",
        ),
    ] = Server.DROPBEAR
    port: Annotated[
        Port,
        Option(
            "Port it listens on.", "2222", "when 22 is taken, or a network lets another one through"
        ),
    ] = 22
    host_keys: Annotated[
        AbsolutePath,
        Option(
            "Folder of dropbear's host key, which is made at the first boot and kept; those of "
            "OpenSSH need no folder to be named.",
            '"/var/lib/dropbear"',
            "when devices already have keys elsewhere",
        ),
    ] = _HOST_KEYS


def configure(options: Options) -> Fragment:
    """A server without passwords, and the key that it needs."""
    if not options.enable:
        return Fragment()
    return _dropbear(options) if options.server is Server.DROPBEAR else _openssh(options)


def _dropbear(options: Options) -> Fragment:
    key = f"{options.host_keys}/ed25519"
    settings = f'DROPBEAR_PORT={options.port}\nDROPBEAR_EXTRA_ARGS="-s -r {key}"\n'
    return Fragment(
        packages=("dropbear",),
        services=Services(enable=("dropbear.service",)),
        files={
            "default/dropbear": File(text=settings),
        },
        units={_KEY_UNIT: Unit(text=_make_key(options.host_keys, key))},
        ports={str(options.port): "ssh"},
        persist=Persist(shared=(options.host_keys,)),
        set_modules=(Firewall(tcp=(options.port,)),),
    )


def _openssh(options: Options) -> Fragment:
    if options.host_keys != _HOST_KEYS:
        fact = "is the folder of dropbear's host key, but the server is openssh"
        raise OptionError("host_keys", fact, "remove it: the keys of OpenSSH persist without it")
    settings = (
        f"Port {options.port}\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
    )
    return Fragment(
        packages=("openssh-server",),
        services=Services(enable=("ssh.service",)),
        files={"ssh/sshd_config.d/20-reconix.conf": File(text=settings)},
        ports={str(options.port): "ssh"},
        health=Health(checks=(UnitCheck(unit="ssh.service"),)),
        set_modules=(Firewall(tcp=(options.port,)),),
    )


def _make_key(folder: str, key: str) -> str:
    """A unit of its own: where the key is there, as nearly always, no program is started."""
    make = f"dropbearkey -t ed25519 -f {key}.new && rm -f {key}.new.pub && sync"
    make = f"rm -f {key}.new {key}.new.pub; {make} && mv {key}.new {key} && sync"
    return (
        "[Unit]\n"
        "Description=Make the host key of this device\n"
        f"ConditionFileNotEmpty=!{key}\n"
        "Before=dropbear.service\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart=/bin/mkdir -p {folder}\n"
        f"ExecStart=/bin/sh -c '{make}'\n\n"
        "[Install]\n"
        "WantedBy=dropbear.service\n"
    )
