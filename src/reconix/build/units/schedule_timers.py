"""A schedule as systemd needs it: timers that wake the agent.

The timers say only *when to look*: at each change of the calendar, a minute after a start, after
the clock was set or its zone changed, and when the time to confirm is over. What should run then is
worked out by the agent from ``schedule.json``. So a timer that is late, early or missed does no
harm: whenever it looks, the answer is the one for that moment. For the same reason the timers are
not ``Persistent``: what was missed while the device was off is seen a minute after its start.

Source: systemd.timer(5), systemd.time(7).
Tested by ``tests/compat/test_schedule.py`` with systemd-analyze.
"""

from reconix.build.agent.units import AGENT
from reconix.build.templates import fill
from reconix.config.schema.machine import Schedule
from reconix.config.schema.values import DAYS, Hours


def units(schedule: Schedule) -> dict[str, str]:
    """The units that wake the agent, by name; none without a schedule."""
    if not schedule.is_set:
        return {}
    lines = [f"OnCalendar={each}\n" for hours in schedule.hours for each in calendar(hours)]
    if schedule.confirm_within is not None:
        lines.append(f"OnActiveSec={schedule.confirm_within + 1}\n")
    return {
        "reconix-schedule.service": fill("units/reconix-schedule.service", agent=AGENT),
        "reconix-schedule.timer": fill(
            "units/reconix-schedule.timer", changes="".join(dict.fromkeys(lines))
        ),
    }


def calendar(hours: Hours) -> tuple[str, str]:
    """When the hours begin and when they end, as systemd writes it."""
    end_days = hours.days
    if hours.end_minute < hours.begin_minute:
        end_days = tuple(sorted((day + 1) % len(DAYS) for day in hours.days))
    return (_point(hours.days, hours.begin_minute), _point(end_days, hours.end_minute))


def _point(days: tuple[int, ...], minute: int) -> str:
    names = ",".join(DAYS[day] for day in days) + " " if len(days) < len(DAYS) else ""
    return f"{names}*-*-* {minute // 60:02}:{minute % 60:02}:00"
