"""Pins: built generations have numbers and stay."""

from pathlib import Path

import pytest

from reconix.base.errors import UsageError
from reconix.build.pins import Pin, Pins, every_host
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
    assert pins.find(str(TWO)).number == 2
    assert pins.find("latest").path == TWO


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
