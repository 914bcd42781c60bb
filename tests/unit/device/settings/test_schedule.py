"""Which system is wanted when."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.placed import with_files

from reconix.base.documents import BadDocument
from reconix.device.settings.schedule import (
    NAME,
    Change,
    Hours,
    Schedule,
    minute_of_week,
    parse_schedule,
    print_schedule,
    read_schedule,
)

DAY = 24 * 60
DAILY = Schedule(
    tuple(Hours("mqtt", day * DAY + 360, day * DAY + 1320) for day in range(7)),
    "web",
    "default",
    None,
)
MONDAY = 1767571200  # 2026-01-05 00:00 UTC
NAMES = st.sampled_from(["default", "web", "mqtt"])
SCHEDULES = st.builds(
    Schedule,
    hours=st.lists(st.builds(Hours, NAMES, st.integers(0, 10079), st.integers(1, 20160))).map(
        tuple
    ),
    otherwise=NAMES,
    default=NAMES,
    confirm_within_seconds=st.none() | st.integers(1, 1 << 20),
)


@given(SCHEDULES)
def test_what_is_printed_is_parsed_again(schedule: Schedule) -> None:
    assert parse_schedule(print_schedule(schedule), source="schedule.json") == schedule


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_week_begins_on_monday() -> None:
    assert minute_of_week(MONDAY) == 0
    assert minute_of_week(MONDAY - 60) == 7 * DAY - 1


@pytest.mark.parametrize(
    ("clock", "system"), [(359, "web"), (360, "mqtt"), (1319, "mqtt"), (1320, "web")]
)
def test_hours_have_their_first_minute_and_not_their_last(clock: int, system: str) -> None:
    assert {DAILY.wanted(day * DAY + clock) for day in range(7)} == {system}


def test_hours_may_go_over_the_end_of_the_week() -> None:
    night = Schedule((Hours("mqtt", 6 * DAY + 1320, 7 * DAY + 360),), "default", "default", None)
    assert [night.wanted(minute) for minute in (0, 359, 360, 7 * DAY - 1)] == [
        "mqtt",
        "mqtt",
        "default",
        "mqtt",
    ]


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (MONDAY + 1, Change(MONDAY + 6 * 3600, "mqtt")),
        (MONDAY + 6 * 3600, Change(MONDAY + 22 * 3600, "web")),
        (MONDAY + 23 * 3600, Change(MONDAY + 30 * 3600, "mqtt")),
    ],
)
def test_the_next_change(now: int, change: Change) -> None:
    assert DAILY.next_change(now) == change


def test_hours_that_touch_are_no_change() -> None:
    always = Schedule((Hours("mqtt", 0, 99), Hours("mqtt", 99, 7 * DAY)), "web", "default", None)
    assert always.next_change(MONDAY) is None


@pytest.mark.usefixtures("utc", "zone")
def test_hours_follow_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 2026-03-29, a Sunday, 02:00 becomes 03:00 in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    saturday = int(time.mktime((2026, 3, 28, 23, 0, 0, 0, 0, -1)))
    change = DAILY.next_change(saturday)
    assert change is not None
    assert time.localtime(change.at)[3:5] == (6, 0)
    assert change.at - saturday == 6 * 3600  # not seven


def test_a_schedule_of_another_version_is_refused() -> None:
    with pytest.raises(BadDocument):
        parse_schedule(b'{"version": 2}', source="schedule.json")


def test_a_system_has_a_schedule_or_none(tmp_path: Path) -> None:
    assert read_schedule(*with_files(tmp_path / "none", {})) is None
    found = with_files(tmp_path / "one", {NAME: print_schedule(DAILY)})
    assert read_schedule(*found) == DAILY
    registry, toplevel = with_files(tmp_path / "bad", {NAME: b"{}"})
    with pytest.raises(BadDocument, match=f"{toplevel}/{NAME}"):
        read_schedule(registry, toplevel)
