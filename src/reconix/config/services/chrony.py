"""The clock set by chrony: for devices whose clock must be good, or that give time to others.

Source: chrony.conf(5).
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment, OptionError
from reconix.config.options import Form, Option
from reconix.config.schema.system import File, Persist, Services
from reconix.config.services.firewall import Options as Firewall

Server = Annotated[
    str, Form("a host name or an address of a time server", r"[A-Za-z0-9.:-]{1,253}")
]
Subnet = Annotated[str, Form("a network such as 192.0.2.0/24", r"[0-9a-fA-F:.]+(/\d{1,3})?")]
_DATA = "/var/lib/chrony"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The clock set by chrony: for devices whose clock must be good, or that give time to others.

    Use this or `time.ntp`, not both.
    """

    enable: Annotated[
        bool,
        Option(
            "Whether to run chrony.",
            "true",
            "when time must be accurate to milliseconds, or the device serves it to others",
        ),
    ] = False
    servers: Annotated[
        tuple[Server, ...],
        Option(
            "Time servers.",
            '["192.0.2.1", "192.0.2.2"]',
            "to name the servers; there are none by default",
        ),
    ] = ()
    allow: Annotated[
        tuple[Subnet, ...],
        Option(
            "Networks that may ask this device.",
            '["192.0.2.0/24"]',
            "when machines behind the device take their time from it",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """The service, with the drift of the clock kept over reboots."""
    if not options.enable:
        return Fragment()
    if not options.servers:
        raise OptionError("enable", "there are no time servers", "set chrony.servers")
    lines = [
        *(f"server {server} iburst" for server in options.servers),
        *(f"allow {network}" for network in options.allow),
        f"driftfile {_DATA}/chrony.drift",
        # A device without a battery begins in 1970, so the first steps may be large.
        "makestep 1 3",
        "rtcsync",
    ]
    return Fragment(
        packages=("chrony",),
        services=Services(enable=("chrony.service",)),
        files={
            "chrony/chrony.conf": File(text="".join(f"{line}\n" for line in lines)),
            "tmpfiles.d/reconix-chrony.conf": File(text=f"d {_DATA} 0750 _chrony _chrony\n"),
        },
        persist=Persist(paths=(_DATA,)),
        set_modules=(Firewall(udp=(123,)),) if options.allow else (),
    )
