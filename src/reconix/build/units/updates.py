"""The timers of updates: when a device looks for one, and when it restarts into one.

Looking is the agent's command ``update``; whether it fails, because the link is down, is no matter
of the system's health, so the unit does not fail. What was not kept is left alone, for a while or
for good (``device/update/retry.py``). With a window, what an update needs was done when it arrived;
it is armed, and any restart tries it. So all that is left is a restart, and only if something is
armed. A program may be in its way (``device/hardware/inhibitors.py``); then the next look in the
window asks again.

Source: systemd.timer(5), systemd.time(7).
Tested by ``tests/unit/build/units/test_updates.py``.
"""

from reconix.build.agent.zipapp import AGENT
from reconix.config.schema.system import Update

_STATE = "/run/reconix/system/reconix/state.json"
_FIRST_LOOK_SECONDS = 300
"""After boot; by then it is known whether what runs is healthy."""
_LOOK_SECONDS = 12 * 3600
"""The agent ends by itself after half of that; should it hang all the same, its lock is freed."""
_LOOK = f"""\
[Unit]
Description=Look for an update

[Service]
Type=oneshot
TimeoutStartSec={_LOOK_SECONDS}
ExecStart=-{AGENT} update --unattended
"""
_LOOKS = """\
[Unit]
Description=How often the device looks for an update

[Timer]
OnBootSec={first}
OnUnitInactiveSec={every}
RandomizedDelaySec={spread}

[Install]
WantedBy=timers.target
"""
_RESTART = f"""\
[Unit]
Description=Restart into the update that is armed

[Service]
Type=oneshot
ExecCondition=/bin/grep -qsE "^  .phase.: .armed" {_STATE}
ExecStart=-/bin/systemctl reboot
"""
_WINDOW = """\
[Unit]
Description=When the device may restart into an update

[Timer]
OnCalendar=*-*-* {begin}:00
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def make_units(update: Update) -> dict[str, bytes]:
    """The units that the policy of a system needs, by name."""
    units: dict[str, str] = {}
    if update.every is not None and update.receive:
        units["reconix-update.service"] = _LOOK
        units["reconix-update.timer"] = _LOOKS.format(
            first=min(update.every, _FIRST_LOOK_SECONDS),
            every=update.every,
            spread=update.every // 10,  # a fleet does not ask all at once
        )
    if update.window is not None and update.automatic:
        units["reconix-window.service"] = _RESTART
        units["reconix-window.timer"] = _WINDOW.format(begin=update.window.partition("-")[0])
    return {name: text.encode() for name, text in units.items()}
