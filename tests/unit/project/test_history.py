"""What became of a host from one generation to the next."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.made_generations import generation, toplevel

from reconix.build.measured import Measured
from reconix.build.pins import Pins
from reconix.nix.chroot import ChrootStore
from reconix.project.history import history


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "s") as store:
        yield store


@pytest.fixture
def pins(store: ChrootStore) -> Pins:
    """Four generations; the last one is the first one again."""
    found = Pins(store.root, "test", "gw")
    for page in ("1", "22", "333", "1"):
        found.add(generation(store, toplevel(store, page)))
    return found


def test_the_newest_are_explained(store: ChrootStore, pins: Pins) -> None:
    told = list(history(store, pins, explained=2))
    assert [each.pin.number for each in told] == [1, 2, 3, 4]
    assert [each.before for each in told] == [None, None, 2, 3]
    assert told[3].changed is not None and told[3].changed.touched == ("web",)


def test_the_first_one_has_nothing_before_it(store: ChrootStore, pins: Pins) -> None:
    assert [each.before for each in history(store, pins, explained=9)] == [None, 1, 2, 3]


def test_a_size_is_told_if_it_was_measured_and_is_never_measured_for_this(
    store: ChrootStore, pins: Pins
) -> None:
    size = Measured(store).generation(pins.find("2").path).size.total_bytes
    assert [each.size_bytes for each in history(store, pins, explained=0)] == [
        None,
        size,
        None,
        None,
    ]


def test_the_time_is_that_of_the_build(store: ChrootStore, pins: Pins) -> None:
    link = store.root / "nix/var/nix/gcroots/reconix/test/gw/3"
    times = {each.pin.number: each.built_at for each in history(store, pins, explained=0)}
    assert times[3] == link.lstat().st_mtime


def test_without_generations_there_is_no_history(store: ChrootStore) -> None:
    assert list(history(store, Pins(store.root, "test", "other"), explained=9)) == []
