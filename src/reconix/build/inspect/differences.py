"""How two objects differ, down to the file, with the way there.

Both are followed together, from the toplevels through the links that lead into other objects:

    etc → nginx/nginx.conf differs
    root → usr/bin/curl is new
    etc → mosquitto/passwd has another owner, mode, time or attribute

The last one is what their sidecars say (``store/sidecar.py``) of what both have.

Tested by ``tests/unit/build/inspect/test_differences.py``.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import STORE_DIR, StorePath
from reconix.store.sidecar import MAX_SIDECAR_BYTES, SUFFIX, Entries, parse_sidecar

MAX_TOLD = 10
_BLOCK = 1 << 20


def first_differences(store: ChrootStore, old: StorePath, new: StorePath) -> tuple[str, ...]:
    """The first differences of two objects; the last line says if there are more."""
    lines = tuple(itertools.islice(differences(store, old, new), MAX_TOLD + 1))
    return lines if len(lines) <= MAX_TOLD else (*lines[:MAX_TOLD], "and more")


def differences(store: ChrootStore, old: StorePath, new: StorePath) -> Iterator[str]:
    """How two objects differ, and the objects that they link to: a line for each file."""
    yield from _differences(store, store.path(old), store.path(new), "")


def _differences(store: ChrootStore, old: Path, new: Path, way: str) -> Iterator[str]:
    names = {path.name for folder in (old, new) for path in folder.iterdir()}
    for name in sorted(names):
        one, other, place = old / name, new / name, f"{way}{name}"
        if not one.is_symlink() and not one.exists():
            yield f"{place} is new"
        elif not other.is_symlink() and not other.exists():
            yield f"{place} is gone"
        elif one.is_symlink() and other.is_symlink():
            yield from _linked(store, str(one.readlink()), str(other.readlink()), place)
        elif one.is_symlink() or other.is_symlink() or one.is_dir() != other.is_dir():
            yield f"{place} is of another kind"
        elif one.is_dir():
            yield from _differences(store, one, other, f"{place}/")
        elif not _same(one, other):
            yield f"{place} differs"


def _linked(store: ChrootStore, old: str, new: str, place: str) -> Iterator[str]:
    if old == new:
        return
    one, other = _inside(store, old), _inside(store, new)
    if one is not None and other is not None and one.is_dir() and other.is_dir():
        yield from _differences(store, one, other, f"{place} → ")
    elif one is not None and other is not None and old.endswith(SUFFIX) and new.endswith(SUFFIX):
        yield from _described(one, other, place.rpartition("/")[2])
    else:
        yield f"{place} leads to {new} instead of {old}"


def _described(old: Path, new: Path, what: str) -> Iterator[str]:
    """What two sidecars do not say alike."""
    said = dict(_entries(old))
    for path, metadata in _entries(new):
        if said.get(path, metadata) != metadata:
            shown = path.decode(errors="replace")
            yield f"{what} → {shown} has another owner, mode, time or attribute"


def _entries(sidecar: Path) -> Entries:
    content = read_bounded(sidecar, MAX_SIDECAR_BYTES)
    return parse_sidecar(content, source=str(sidecar)).entries


def _inside(store: ChrootStore, target: str) -> Path | None:
    """Where the target of a link is on this machine, if it is in the store."""
    basename, _, rest = target.removeprefix(f"{STORE_DIR}/").partition("/")
    if not target.startswith(f"{STORE_DIR}/"):
        return None
    return store.path(StorePath.parse(f"{STORE_DIR}/{basename}")) / rest


def _same(one: Path, other: Path) -> bool:
    """Whether two files are equal; equal ones are usually one, because a store links them."""
    first, second = one.stat(), other.stat()
    if first.st_ino == second.st_ino and first.st_dev == second.st_dev:
        return True
    if (first.st_size, first.st_mode) != (second.st_size, second.st_mode):
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(_BLOCK):
            if block != right.read(_BLOCK):
                return False
    return True
