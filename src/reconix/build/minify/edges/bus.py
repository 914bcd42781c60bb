"""What a service of the message bus reaches: the program, and the unit, that is started for it.

Whoever calls a name on the bus that nobody has makes the bus start its service: by ``systemd`` if
the file names a unit, else by a helper. The services of systemd itself set up a machine by hand,
for tools that somebody types; those tools lead to them, and the files do not.

Source: D-Bus Specification, *Message Bus Starting Services (Activation)*.
Tested by ``tests/unit/build/minify/edges/test_bus.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.unit_text import assignments
from reconix.build.minify.edges.units import UnitEdges
from reconix.build.minify.graph import Edge

_SERVICE = re.compile(
    r"usr/share/dbus-1/(?P<bus>system-services|services)/(?P<name>[^/]+)\.service"
)
_OF_SYSTEMD = re.compile(r"org\.freedesktop\.[a-z]+1")


@dataclass(frozen=True, slots=True)
class BusEdges:
    """Finds what services of the bus reach among the files of a device."""

    units: UnitEdges

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that is about a service."""
        service = _SERVICE.fullmatch(path)
        if service is None or _OF_SYSTEMD.fullmatch(service["name"]):
            return
        manager = "system" if service["bus"] == "system-services" else "user"
        for key, value in assignments([content.decode(errors="replace")], "D-BUS Service"):
            if key == "Exec":
                yield from self.units.command(value, key)
            elif key == "SystemdService":
                yield from self.units.unit(value, manager, f"starts {value} when called")
