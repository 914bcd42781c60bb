"""What systemd makes of the timers of a schedule, and of all units of the agent."""

from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run, succeeds
from reconix.build.agent.settings import schedule_of
from reconix.build.agent.units import AGENT
from reconix.build.units import machine_units, schedule_timers
from reconix.config.schema.machine import Machine, Schedule
from reconix.config.schema.values import Hours
from reconix.device.settings.schedule import parse_schedule, print_schedule

HOURS = (
    "mqtt 06:00-22:00",
    "web Mon..Fri 22:00-06:00",
    "web Sat 22:30-23:00",
    "mqtt Sun 00:00-05:00",
)
PLAN = Schedule(hours=tuple(map(Hours.parse, HOURS)), otherwise="web", confirm_within=1800)
MONDAY = "2026-01-05 00:00:00 UTC"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize("hours", HOURS)
def test_the_calendar_of_systemd_and_ours_have_the_same_changes(hours: str, need: Need) -> None:
    """For a week from a Monday: systemd elapses where the agent's hours begin and end."""
    need("systemd-analyze")
    week = 7 * 24 * 60
    parsed = Hours.parse(hours)
    ours = {edge % week for span in parsed.spans() for edge in span}
    theirs = {
        m for point in schedule_timers.calendar(parsed) for m in elapses(point, len(parsed.days))
    }
    assert theirs == ours


def elapses(point: str, times: int) -> list[int]:
    """When it elapses first, in minutes of a week."""
    words = (f"--base-time={MONDAY}", f"--iterations={times}", point)
    said = run("systemd-analyze", "calendar", *words, environment={"TZ": "UTC"}).decode()
    found = [
        line.split(": ", 1)[1] for line in said.splitlines() if "elapse:" in line or "Iter" in line
    ]
    return [_minute(line) for line in found]


def _minute(line: str) -> int:
    """From ``Mon 2026-01-05 06:00:00 UTC``; the base time is a Monday."""
    day, _, clock, *_ = line.split()
    hours, minutes, _ = clock.split(":")
    names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    return names.index(day) * 1440 + int(hours) * 60 + int(minutes)


def test_systemd_accepts_all_units_of_the_agent(tmp_path: Path, need: Need) -> None:
    need("systemd-analyze")
    units = machine_units.units(Machine(schedule=PLAN))
    for name, text in units.items():
        # The programs of the device are not here; their places are checked where it boots.
        (tmp_path / name).write_text(text.replace(AGENT, "/bin/true"))
    words = [tmp_path / name for name in units]
    said = run("systemd-analyze", "verify", "--man=no", "--generators=no", *words)
    assert said == b""


def test_a_unit_with_a_mistake_is_not_accepted(tmp_path: Path, need: Need) -> None:
    need("systemd-analyze")
    (tmp_path / "x.timer").write_text("[Timer]\nOnCalendar=Mo *-*-* 25:00\n")
    assert not _accepted(tmp_path / "x.timer")


def _accepted(unit: Path) -> bool:
    return succeeds("systemd-analyze", "verify", "--man=no", "--generators=no", unit)


def test_the_agent_reads_what_the_build_writes() -> None:
    written = print_schedule(schedule_of(PLAN, "default"))
    read = parse_schedule(written, source="schedule.json")
    assert (read.otherwise, read.default, read.confirm_within_seconds) == ("web", "default", 1800)
    assert read.wanted(6 * 60) == "mqtt"
    assert read.wanted(6 * 60 - 1) == "web"


def test_without_a_schedule_there_is_no_timer() -> None:
    assert schedule_timers.units(Schedule()) == {}
