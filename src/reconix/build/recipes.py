"""What was made from what: the cache that lets an unchanged build end at once.

An object's path says what is in it, not how it came about. To know the path without making the
object again, a *realisation* is written down: a recipe - the kind of object, everything that goes
into it, and the code that makes it - leads to the path that came out. Content addressing keeps this
honest: losing the cache costs time, never correctness.

    <store root>/nix/var/reconix/realisations/<SHA-256 of the recipe>   one line: the store path

Tested by ``tests/unit/build/test_recipes.py``.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.files import read_bounded, remove_tree, sync_folder, write_durably
from reconix.build.imports import reached
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_FOLDER = Path("nix/var/reconix/realisations")
_MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one object comes about; equal recipes give equal objects."""

    kind: str
    name: str
    """The name of the object in the store."""
    inputs: tuple[tuple[str, str], ...]
    code: tuple[Path, ...]
    """The source files that decide what comes out: never a list by hand, see ``sources``."""

    def digest(self) -> Digest:
        """What tells this recipe from any other."""
        code = [_source_digest(path) for path in self.code]
        return Digest.of(
            print_json(
                {
                    "kind": self.kind,
                    "name": self.name,
                    "inputs": [list(pair) for pair in self.inputs],
                    "code": code,
                }
            )
        )


@cache
def _source_digest(path: Path) -> str:
    return Digest.of_file(path).hex()


def sources(*modules: ModuleType) -> tuple[Path, ...]:
    """The files of some modules, and of all of ours that these import."""
    return _sources(tuple(module.__name__ for module in modules))


@cache
def _sources(names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(reached(names).values())


def known(store: ChrootStore, recipe: Recipe) -> StorePath | None:
    """What the recipe gave before, if that is still in the store."""
    entry = store.root / _FOLDER / recipe.digest().hex()
    if not entry.is_file():
        return None
    path = StorePath.parse(read_bounded(entry, _MAX_BYTES).decode().strip())
    return path if store.is_valid(path) else None


Make = Callable[[Path], object]
"""Writes an object under the path that it is given, which does not exist yet."""


def realise(
    store: ChrootStore, recipe: Recipe, make: Make, candidates: Iterable[StorePath] = ()
) -> StorePath:
    """Give the object of a recipe; make it if need be.

    Args:
        store: where it goes, and where ``known`` looks.
        recipe: how it comes about.
        make: makes it.
        candidates: what it may refer to.
    """
    found = known(store, recipe)
    if found is not None:
        return found
    with _work_folder(store) as work:
        make(work / recipe.name)
        return _add(store, recipe, work / recipe.name, candidates)


def realise_all(
    store: ChrootStore, what: str, recipes: Mapping[Recipe, Make]
) -> dict[Recipe, StorePath]:
    """Give the objects of several recipes that refer to nothing, making several at once.

    Args:
        store: where they go.
        what: what is made, for the progress.
        recipes: how each comes about, and what makes it.
    """
    missing = {r: make for r, make in recipes.items() if known(store, r) is None}
    if missing:
        with (
            progress.stage(what, total=len(missing)) as stage,
            _work_folder(store) as work,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            places = {
                recipe: work / str(number) / recipe.name for number, recipe in enumerate(missing)
            }
            for place in places.values():
                place.parent.mkdir()
            made = {pool.submit(make, places[recipe]): recipe for recipe, make in missing.items()}
            for done in as_completed(made):
                done.result()
                _add(store, made[done], places[made[done]], ())
                stage.advance(1)
    return {recipe: _surely(known(store, recipe)) for recipe in recipes}


def _surely(path: StorePath | None) -> StorePath:
    assert path is not None, "an object was collected while it was made"
    return path


def _add(
    store: ChrootStore, recipe: Recipe, place: Path, candidates: Iterable[StorePath]
) -> StorePath:
    path = store.add(place, recipe.name, candidates, move=True)
    remember(store, recipe, path)
    return path


def remember(store: ChrootStore, recipe: Recipe, path: StorePath) -> None:
    """Write down what a recipe gave."""
    folder = store.root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / recipe.digest().hex(), f"{path}\n".encode())


def forget(store: ChrootStore, name: str) -> None:
    """Forget whatever gave an object of this name; the objects stay."""
    folder = store.root / _FOLDER
    entries = list(folder.iterdir()) if folder.is_dir() else []
    for entry in entries:
        if read_bounded(entry, _MAX_BYTES).rstrip().endswith(f"-{name}".encode()):
            entry.unlink()
    if entries:
        sync_folder(folder)


@contextmanager
def _work_folder(store: ChrootStore) -> Iterator[Path]:
    """A folder beside the store, so that a finished tree is moved and not copied."""
    works = store.root / "nix/var/reconix/work"
    works.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=works))
    try:
        yield folder
    finally:
        remove_tree(folder)
