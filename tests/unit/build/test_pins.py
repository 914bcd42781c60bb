"""Pins: built generations have numbers and stay."""

from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.build.pins import Pin, Pins, every_host, is_generation
from reconix.store.paths import StorePath

ONE = StorePath("0" * 32, "generation-gateway")
TWO = StorePath("1" * 32, "generation-gateway")


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path, "project", "gateway")


def test_generations_are_numbered_in_the_order_of_building(pins: Pins) -> None:
    assert [pins.add(ONE).number, pins.add(TWO).number, pins.add(ONE).number] == [1, 2, 3]


def test_building_the_same_again_gives_the_same_number(pins: Pins) -> None:
    assert pins.add(ONE) == pins.add(ONE) == Pin(1, ONE)


def test_a_generation_is_found_by_number_path_and_as_the_latest(pins: Pins) -> None:
    pins.add(ONE)
    pins.add(TWO)
    assert pins.find("1").path == ONE
    assert pins.find(str(TWO)).number == pins.find(TWO.basename).number == 2
    assert pins.find("latest").path == TWO


def test_a_generation_is_found_by_how_far_it_is_before_the_latest(pins: Pins) -> None:
    for path in (ONE, TWO, ONE, TWO):
        pins.add(path)
    pins.drop(keep=3)
    assert [pins.find(word).number for word in ("-1", "-2", "-0")] == [3, 2, 4]
    with pytest.raises(UsageError, match="no generation '-3'; there are: 2, 3, 4"):
        pins.find("-3")


def test_a_generation_is_found_by_what_a_device_runs(pins: Pins) -> None:
    asked: list[str] = []

    def on_device(to: str) -> StorePath:
        asked.append(to)
        return ONE

    pins.add(ONE)
    pins.add(TWO)
    assert pins.find("device", on_device) == Pin(1, ONE)
    assert pins.find("device:root@192.0.2.1", on_device) == Pin(1, ONE)
    assert pins.find("latest", on_device) == Pin(2, TWO)
    assert asked == ["", "root@192.0.2.1"], "only if the word says so"
    with pytest.raises(UsageError, match="no generation 'device'"):
        pins.find("device")


def test_what_a_device_runs_may_be_unknown_here(pins: Pins) -> None:
    pins.add(ONE)
    with pytest.raises(UsageError, match="no generation of gateway that is kept here"):
        pins.find("device", lambda _: TWO)


def test_before_the_first_build_the_next_step_is_told(pins: Pins) -> None:
    with pytest.raises(UsageError, match="no generation of gateway is built yet") as caught:
        pins.find("latest")
    assert "reconix build gateway" in caught.value.hint


@pytest.mark.parametrize("word", ["3", "0", "-1", "latest", "device", "device:a@b", str(ONE)])
def test_what_names_a_generation_is_seen(word: str) -> None:
    assert is_generation(word) and is_generation(ONE.basename)


@pytest.mark.parametrize("word", ["", "HEAD", "v1.2", "1..2", "-", "--1", "latests", "1234567890"])
def test_what_names_something_else_is_seen(word: str) -> None:
    assert not is_generation(word)


def test_an_unknown_generation_is_an_error_that_lists_the_known(pins: Pins) -> None:
    pins.add(ONE)
    with pytest.raises(UsageError, match="there are: 1"):
        pins.find("7")


def test_pins_are_roots_of_nix(pins: Pins, tmp_path: Path) -> None:
    pins.add(ONE)
    link = tmp_path / "nix/var/nix/gcroots/reconix/project/gateway/1"
    assert str(link.readlink()) == str(ONE)


def test_all_but_the_newest_can_be_dropped_and_numbers_go_on(pins: Pins) -> None:
    for path in (ONE, TWO, ONE):
        pins.add(path)
    assert pins.drop(keep=2) == [Pin(1, ONE)]
    assert pins.all() == [Pin(2, TWO), Pin(3, ONE)]
    assert pins.drop(keep=2) == []
    assert pins.add(TWO).number == 4


def test_one_generation_always_stays(pins: Pins) -> None:
    pins.add(ONE)
    with pytest.raises(UsageError, match="at least one"):
        pins.drop(keep=0)
    assert pins.all() == [Pin(1, ONE)]


def test_all_hosts_of_all_projects_are_known(pins: Pins, tmp_path: Path) -> None:
    pins.add(ONE)
    Pins(tmp_path, "another", "sensor").add(TWO)
    assert {name: found.all()[0].path for name, found in every_host(tmp_path).items()} == {
        "another/sensor": TWO,
        "project/gateway": ONE,
    }
