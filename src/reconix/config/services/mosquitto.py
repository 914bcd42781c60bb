"""A message broker: MQTT with mosquitto.

What the broker keeps for its clients survives a reboot. Trees in the store have no owner, so its
folder gets one at boot. The folders that Debian's unit makes with four programs before each start
are made there as well, by a program that runs anyway.
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.schema.health import Health, TcpCheck, UnitCheck
from reconix.config.schema.system import File, Persist, Services
from reconix.config.schema.values import Port
from reconix.config.services.firewall import Options as Firewall

_UNIT = "mosquitto.service"
_DATA = "/var/lib/mosquitto"
_FOLDERS = {_DATA: "0700", "/var/log/mosquitto": "0740", "/run/mosquitto": "0740"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A message broker: MQTT with mosquitto."""

    enable: Annotated[
        bool,
        Option("Whether to run the broker.", "true", "when programs or devices exchange messages"),
    ] = False
    port: Annotated[
        Port,
        Option(
            "Port it listens on.", "8883", "when clients expect another one, such as 8883 with TLS"
        ),
    ] = 1883
    anonymous: Annotated[
        bool,
        Option(
            "Whether clients may connect without credentials.",
            "true",
            "when the network itself is trusted",
        ),
    ] = False
    settings: Annotated[
        tuple[str, ...],
        Option(
            "Further lines of the broker's configuration.",
            '["max_connections 100"]',
            "for what has no option: password files, bridges, limits",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """The broker, its folder, and the checks that it works."""
    if not options.enable:
        return Fragment()
    lines = [
        f"listener {options.port}",
        f"allow_anonymous {'true' if options.anonymous else 'false'}",
        *options.settings,
    ]
    folders = [f"d {path} {mode} mosquitto mosquitto\n" for path, mode in _FOLDERS.items()]
    return Fragment(
        packages=("mosquitto",),
        services=Services(enable=(_UNIT,)),
        files={
            "mosquitto/conf.d/reconix.conf": File(text="".join(f"{line}\n" for line in lines)),
            "tmpfiles.d/reconix-mosquitto.conf": File(text="".join(folders)),
            f"systemd/system/{_UNIT}.d/reconix.conf": File(text="[Service]\nExecStartPre=\n"),
        },
        ports={str(options.port): "mosquitto"},
        persist=Persist(paths=(_DATA,)),
        health=Health(checks=(UnitCheck(unit=_UNIT), TcpCheck(tcp=options.port))),
        set_modules=(Firewall(tcp=(options.port,)),),
    )
