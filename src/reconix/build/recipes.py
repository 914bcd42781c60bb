"""What was made from what: the cache that lets an unchanged build end at once.

An object's path says what is in it, not how it came about. To know the path without making the object
again, a *realisation* is written down: a recipe - the kind of object, everything that goes into it,
and the code that makes it - leads to the path that came out. Content addressing keeps this honest:
losing the cache costs time, never correctness.

    <store root>/nix/var/reconix/realisations/<SHA-256 of the recipe>   one line: the store path

Proven by ``tests/unit/build/test_recipes.py``.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.files import read_bounded, remove_tree, write_durably
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
    inputs: Mapping[str, str]
    code: tuple[Path, ...]
    """The source files that decide what comes out."""

    def digest(self) -> Digest:
        """What tells this recipe from any other."""
        code = [_source_digest(path) for path in self.code]
        return Digest.of(
            print_json(
                {"kind": self.kind, "name": self.name, "inputs": dict(self.inputs), "code": code}
            )
        )


@cache
def _source_digest(path: Path) -> str:
    return Digest.of_file(path).hex()


def sources(*modules: ModuleType) -> tuple[Path, ...]:
    """The files of some modules."""
    return tuple(Path(module.__file__) for module in modules if module.__file__)


def known(store: ChrootStore, recipe: Recipe) -> StorePath | None:
    """What the recipe gave before, if that is still in the store."""
    entry = store.root / _FOLDER / recipe.digest().hex()
    if not entry.is_file():
        return None
    path = StorePath.parse(read_bounded(entry, _MAX_BYTES).decode().strip())
    return path if store.is_valid(path) else None


def realise(
    store: ChrootStore,
    recipe: Recipe,
    make: Callable[[Path], object],
    candidates: Iterable[StorePath] = (),
) -> StorePath:
    """Give the object of a recipe; make it if need be.

    Args:
        store: where it goes, and where ``known`` looks.
        recipe: how it comes about.
        make: writes it under the path that it is given, which does not exist yet.
        candidates: what it may refer to.
    """
    found = known(store, recipe)
    if found is not None:
        return found
    work = Path(tempfile.mkdtemp(prefix=f"build-{recipe.kind}-", dir=_work_folder(store)))
    try:
        make(work / recipe.name)
        path = store.add(work / recipe.name, recipe.name, candidates, move=True)
    finally:
        remove_tree(work)
    folder = store.root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / recipe.digest().hex(), f"{path}\n".encode())
    return path


def _work_folder(store: ChrootStore) -> Path:
    """Beside the store, so that a finished tree is moved and not copied."""
    folder = store.root / "nix/var/reconix/work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget_work(store: ChrootStore) -> None:
    """Remove what interrupted builds left behind."""
    shutil.rmtree(_work_folder(store), ignore_errors=True)
