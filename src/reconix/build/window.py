"""The timer that restarts a device into an update when its window begins.

What an update needs was done when it arrived; it is armed, and any restart tries it. So all that is
left is a restart, and only if something is armed.

Source: systemd.timer(5), systemd.time(7).
Proven by ``tests/unit/build/test_window.py``.
"""

_STATE = "/run/reconix/system/reconix/state.json"
_NAME = "reconix-window"
_SERVICE = f"""\
[Unit]
Description=Restart into the update that is armed

[Service]
Type=oneshot
ExecCondition=/bin/grep -qsE "phase.: .armed" {_STATE}
ExecStart=/bin/systemctl reboot
"""
_TIMER = """\
[Unit]
Description=When the device may restart into an update

[Timer]
OnCalendar=*-*-* {begin}:00
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def make_units(window: str | None) -> dict[str, bytes]:
    """The units, by name; none without a window."""
    if window is None:
        return {}
    timer = _TIMER.format(begin=window.partition("-")[0])
    return {f"{_NAME}.service": _SERVICE.encode(), f"{_NAME}.timer": timer.encode()}
