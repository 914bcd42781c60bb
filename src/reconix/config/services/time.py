"""The clock: its zone, and whether the network sets it.

Source: timesyncd.conf(5), localtime(5).
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Form, Option
from reconix.config.schema.system import File, Services

Zone = Annotated[
    str, Form("a time zone such as Europe/Berlin", r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
]
Server = Annotated[
    str, Form("a host name or an address of a time server", r"[A-Za-z0-9.:-]{1,253}")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The clock: its zone, and whether the network sets it."""

    zone: Annotated[
        Zone | None,
        Option(
            "Time zone; by default, UTC.",
            '"Europe/Berlin"',
            "when people read the times, or timers follow the local day",
        ),
    ] = None
    ntp: Annotated[
        bool,
        Option(
            "Whether systemd-timesyncd sets the clock from the network.",
            "true",
            "when accuracy to a fraction of a second is enough",
        ),
    ] = False
    servers: Annotated[
        tuple[Server, ...],
        Option(
            "Time servers; by default, those from DHCP.",
            '["192.0.2.1"]',
            "when the network does not name time servers",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """The link that says the zone, and the service that sets the clock."""
    packages = (
        *(("tzdata",) if options.zone else ()),
        *(("systemd-timesyncd",) if options.ntp else ()),
    )
    files = {}
    if options.zone:
        files["localtime"] = File(link=f"/usr/share/zoneinfo/{options.zone}")
        files["timezone"] = File(text=f"{options.zone}\n")
    if options.ntp:
        # Debian's own servers are used only if they are named.
        text = f"[Time]\nNTP={' '.join(options.servers)}\nFallbackNTP=\n"
        files["systemd/timesyncd.conf.d/reconix.conf"] = File(text=text)
    enable = ("systemd-timesyncd.service",) if options.ntp else ()
    return Fragment(packages=packages, files=files, services=Services(enable=enable))
