"""When a device restarts into an update by itself: at once, in its window, or never.

A machine that works by day must not restart by day. So a system may name a *window*; what arrives
outside it is installed and armed, and a timer of the system (``build/units/update_timers.py``)
restarts when the window begins. Or automatic restart is off; then somebody restarts it.

The clock is that of the device, in its own time zone. A device whose clock is wrong has its window
at the wrong time; nothing else depends on it. A restart for another reason begins the trial as
well.

Tested by ``tests/unit/device/update/test_window.py``.
"""

import re
from time import struct_time

from reconix.base.documents import BadDocument
from reconix.base.records import dataclass
from reconix.device.device import Device
from reconix.device.settings.policy import read_policy
from reconix.device.state.running import UnknownBoot, read_running

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """A part of each day, in minutes since midnight; one that ends before it begins is a night."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Read ``22:30-04:00``.

        Raises:
            BadDocument: it is something else.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadDocument(f"{text!r} is not a window", hint="for example 02:00-04:00")
        hours, minutes, end_hours, end_minutes = map(int, found.groups())
        return cls(60 * hours + minutes, 60 * end_hours + end_minutes)

    def holds(self, now: struct_time) -> bool:
        """Whether a time of day is inside."""
        minute = 60 * now.tm_hour + now.tm_min
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def waits(device: Device, now: struct_time) -> str:
    """Why the device does not restart into an update now; nothing if it does."""
    try:
        booted = read_running(device.paths.booted)
    except UnknownBoot:
        return ""  # nothing says so
    policy = read_policy(device.registry, booted.toplevel)
    if not policy.automatic:
        return "automatic restart is off (update.automatic = false): systemctl reboot"
    if policy.window and not Window.parse(policy.window).holds(now):
        return f"the restart waits for its window, {policy.window}"
    return ""
