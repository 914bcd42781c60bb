"""A schedule says which system runs when, and contradicts itself nowhere."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem
from reconix.config.rules.schedule import overlap
from reconix.config.schema.values import Hours

MINUTES = st.integers(0, 24 * 60 - 1)
HOURS = st.builds(
    Hours,
    st.sampled_from(["mqtt", "web"]),
    MINUTES,
    MINUTES,
    st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
).filter(lambda hours: hours.begin_minute != hours.end_minute)


def project(folder: Path, schedule: str) -> Path:
    systems = folder / "hosts/gw/systems"
    systems.mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/gw/machine.toml").write_text(
        f'kernel.package = "linux-image-cloud-amd64"\n[schedule]\n{schedule}\n'
    )
    for name in ("default", "mqtt", "web"):
        (systems / f"{name}.toml").write_text("")
    path = "/nix/store/7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d-nixos-system-gw"
    (systems / "nixos.toml").write_text(f'nix = "{path}"\n')
    return folder


def mistakes(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(BadConfiguration) as failure:
        load(folder)
    return failure.value.problems


def test_hours_other_times_and_a_time_to_confirm(tmp_path: Path) -> None:
    text = 'hours = ["mqtt 06:00-22:00"]\notherwise = "web"\nconfirm_within = "30min"'
    schedule = load(project(tmp_path, text)).hosts["gw"].machine.schedule
    assert schedule.hours == (Hours("mqtt", 360, 1320),)
    assert (schedule.otherwise, schedule.confirm_within) == ("web", 1800)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('hours = ["radio 06:00-22:00"]', "unknown system 'radio'"),
        ('otherwise = "radio"', "unknown system 'radio'"),
        ('otherwise = "nixos"', "nixos is built by Nix and cannot follow a schedule"),
        (
            'hours = ["mqtt 06:00-22:00", "web 21:00-23:00"]',
            "mqtt 06:00-22:00 and web 21:00-23:00 overlap",
        ),
        (
            'hours = ["mqtt Sun 22:00-06:00", "web Mon 05:00-07:00"]',
            "mqtt Sun 22:00-06:00 and web Mon 05:00-07:00 overlap",
        ),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused(
    tmp_path: Path, text: str, fact: str
) -> None:
    (problem,) = mistakes(project(tmp_path, text))
    assert problem.fact == fact
    assert (problem.place.file.name, problem.place.line) == ("machine.toml", 3)


@pytest.mark.parametrize(
    "text", ["mqtt 6:00-7:00", "mqtt 06:00-24:00", "mqtt Mo 06:00-07:00", "mqtt 06:00-06:00"]
)
def test_hours_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (problem,) = mistakes(project(tmp_path, f'hours = ["{text}"]'))
    assert "mqtt 06:00-22:00" in f"{problem.fact} {problem.hint}"


@given(HOURS)
def test_hours_read_back_as_they_were_printed(hours: Hours) -> None:
    assert Hours.parse(str(hours)) == hours


@given(HOURS, HOURS)
def test_hours_overlap_if_they_share_a_minute(one: Hours, other: Hours) -> None:
    week = 7 * 24 * 60
    shared = [
        {minute % week for begin, end in hours.spans() for minute in range(begin, end)}
        for hours in (one, other)
    ]
    assert overlap(one, other) == bool(shared[0] & shared[1])


def test_days_may_be_a_range_over_the_end_of_the_week() -> None:
    assert Hours.parse("mqtt Sat..Mon,Wed 06:00-07:00").days == (0, 2, 5, 6)
