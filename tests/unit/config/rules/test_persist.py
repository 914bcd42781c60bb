"""What systems keep: each for itself, or all the same."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load_with_places


@pytest.mark.parametrize("path", ["/var/lib/a", "/var/lib/a/b", "/var/lib"])
def test_what_one_system_shares_no_other_keeps_for_itself(tmp_path: Path, path: str) -> None:
    shared = '[persist]\nshared = ["/var/lib/a"]\n'
    write(tmp_path, one=shared, two=f'[persist]\npaths = ["{path}"]\n')
    (problem,) = mistakes(tmp_path)
    assert problem.fact == f"two persists {path} for itself, but one shares /var/lib/a with all"
    assert (problem.place.file.name, problem.place.line) == ("two.toml", 2)


def test_what_systems_share_does_not_lie_within_each_other(tmp_path: Path) -> None:
    outer, inner = '[persist]\nshared = ["/var/lib/a"]\n', '[persist]\nshared = ["/var/lib/a/b"]\n'
    write(tmp_path, one=outer, two=inner, three=outer)
    first, second = mistakes(tmp_path)
    assert first.fact == "two shares /var/lib/a/b, which is inside /var/lib/a, shared by one"
    assert (first.place.file.name, first.place.line) == ("two.toml", 2)
    assert "three" in second.fact


def test_two_systems_that_keep_the_same_path_are_asked_whether_they_mean_it(
    tmp_path: Path,
) -> None:
    own = '[persist]\npaths = ["/var/lib/a"]\n'
    write(tmp_path, one=own, two=own)
    (note,) = load_with_places(tmp_path).warnings
    assert note.fact == "/var/lib/a is also persisted by one, and each has its own copy"
    assert note.place.file.name == "two.toml"


def test_what_the_machine_or_a_module_says_once_is_meant(tmp_path: Path) -> None:
    machine = '[persist]\npaths = ["/var/lib/a"]\n'
    broker = "mosquitto.enable = true\n"
    write(tmp_path, machine, one=broker, two=broker)
    assert not load_with_places(tmp_path).warnings
