"""Log-in over the network with dropbear, by key only.

The keys of the host are made at its first boot and kept for all systems, so that they stay the same
whichever system runs and whatever is updated.
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.addition import Addition
from reconix.config.options import Option
from reconix.config.schema.system import File, Persist, Services, Unit
from reconix.config.schema.values import AbsolutePath, Port
from reconix.config.services.firewall import Options as Firewall

_KEY_UNIT = "reconix-host-key.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Log-in over the network with dropbear, by key only; who may is said in `users`."""

    enable: Annotated[
        bool,
        Option(
            "Whether to run the ssh server.",
            "true",
            "when people or `reconix deploy` log in over the network",
        ),
    ] = False
    port: Annotated[
        Port,
        Option(
            "Port it listens on.", "2222", "when 22 is taken, or a network lets another one through"
        ),
    ] = 22
    host_keys: Annotated[
        AbsolutePath,
        Option(
            "Folder of the host keys, which are made at the first boot and kept.",
            '"/var/lib/dropbear"',
            "when keys that devices have already lie elsewhere",
        ),
    ] = "/var/lib/dropbear"


def configure(options: Options) -> Addition:
    """A server without passwords, and the key that it needs."""
    if not options.enable:
        return Addition()
    key = f"{options.host_keys}/ed25519"
    settings = f'DROPBEAR_PORT={options.port}\nDROPBEAR_EXTRA_ARGS="-s -r {key}"\n'
    return Addition(
        packages=("dropbear",),
        services=Services(enable=("dropbear.service",)),
        files={
            "default/dropbear": File(text=settings),
        },
        units={_KEY_UNIT: Unit(text=_make_key(options.host_keys, key))},
        ports={str(options.port): "ssh"},
        persist=Persist(shared=(options.host_keys,)),
        others=(Firewall(tcp=(options.port,)),),
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
