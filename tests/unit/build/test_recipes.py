"""Recipes: nothing is made twice, and a cache that lies is not trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.build import recipes
from reconix.build.recipes import Recipe, realise, realise_all
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


class Maker:
    """Makes a file and counts how often."""

    def __init__(self, content: str) -> None:
        self.content, self.calls = content, 0

    def __call__(self, into: Path) -> None:
        self.calls += 1
        into.write_text(self.content)


def recipe(name: str = "thing", *, value: str = "1", code: tuple[Path, ...] = ()) -> Recipe:
    return Recipe("test", name, (("value", value),), code)


def test_the_same_recipe_is_made_once(store: ChrootStore) -> None:
    make = Maker("x")
    assert realise(store, recipe(), make) == realise(store, recipe(), make)
    assert make.calls == 1


def test_another_input_is_another_recipe(store: ChrootStore) -> None:
    assert realise(store, recipe(value="1"), Maker("x")) != realise(
        store, recipe(value="2"), Maker("y")
    )


def test_equal_content_is_one_object_whatever_the_recipe(store: ChrootStore) -> None:
    assert realise(store, recipe(value="1"), Maker("x")) == realise(
        store, recipe(value="2"), Maker("x")
    )


def test_changed_code_makes_it_again(store: ChrootStore, tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("1")
    other.write_text("2")
    make = Maker("x")
    realise(store, recipe(code=(one,)), make)
    realise(store, recipe(code=(other,)), make)
    assert make.calls == 2


def test_an_object_that_is_gone_is_made_again(store: ChrootStore, tmp_path: Path) -> None:
    made = realise(store, recipe(), Maker("x"))
    remembered = next((store.root / "nix/var/reconix/realisations").iterdir())
    with ChrootStore(tmp_path / "other") as other:
        place = other.root / "nix/var/reconix/realisations" / remembered.name
        place.parent.mkdir(parents=True)
        place.write_text(f"{made}\n")
        assert recipes.known(other, recipe()) is None
        make = Maker("x")
        assert realise(other, recipe(), make) == made
        assert make.calls == 1


def test_several_are_made_at_once_and_a_failure_leaves_nothing(store: ChrootStore) -> None:
    def fail(into: Path) -> None:
        into.write_text("half")
        raise OSError("no more")

    good = recipe("good")
    with pytest.raises(OSError, match="no more"):
        realise_all(store, "things", {recipe("bad"): fail})
    found = realise_all(store, "things", {good: Maker("x"), recipe("second"): Maker("y")})
    assert store.path(found[good]).read_text() == "x"
    assert not list((store.root / "nix/var/reconix/work").iterdir())
