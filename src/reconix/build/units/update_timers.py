"""The timers of updates: when a device looks for one, and when it restarts into one.

Looking is the agent's command ``update``; if it fails, because the link is down, that says nothing
about the system's health, so the unit does not fail. What failed its trial is not retried, for a
while or at all (``device/update/retry.py``). With a window, what an update needs was done when it
arrived; it is armed, and any restart tries it. So all that is left is a restart, and only if
something is armed. A program may be in its way (``device/hardware/inhibitors.py``); then the next
look in the window asks again.

Source: systemd.timer(5), systemd.time(7).
Tested by ``tests/unit/build/units/test_update_timers.py``.
"""

from reconix.build.agent.units import AGENT
from reconix.build.templates import fill
from reconix.config.schema.system import Update

_FIRST_LOOK_SECONDS = 300
"""After boot; by then it is known whether what runs is healthy."""
_LOOK_SECONDS = 12 * 3600
"""The agent ends by itself after half of that; should it hang all the same, its lock is freed."""


def make_units(update: Update) -> dict[str, bytes]:
    """The units that the policy of a system needs, by name."""
    units: dict[str, str] = {}
    if update.every is not None and update.receive:
        units["reconix-update.service"] = fill(
            "units/reconix-update.service", agent=AGENT, seconds=str(_LOOK_SECONDS)
        )
        units["reconix-update.timer"] = fill(
            "units/reconix-update.timer",
            first=str(min(update.every, _FIRST_LOOK_SECONDS)),
            every=str(update.every),
            spread=str(update.every // 10),  # a fleet does not ask all at once
        )
    if update.window is not None and update.automatic:
        units["reconix-window.service"] = fill("units/reconix-window.service")
        units["reconix-window.timer"] = fill(
            "units/reconix-window.timer", begin=update.window.partition("-")[0]
        )
    return {name: text.encode() for name, text in units.items()}
