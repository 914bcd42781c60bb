"""What people ask about a store: why is this here, and how large is it.

Answers are values; ``cli/store.py`` shows them.

*Size* is a question with several answers, because objects share files. A file counts once, whoever
has it; the bytes of an object are *its own* if no other object has the file, else *shared*. What
would be *freed* is what disappears when the object and everything that needs it are collected.

Tested by ``tests/unit/nix/test_queries.py``.
"""

import itertools
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.nix.chroot import ChrootStore
from reconix.store.links import leaves
from reconix.store.nar import dump
from reconix.store.paths import StorePath
from reconix.store.references import Scanner


class NotNeeded(ReconixError):
    """One object does not need another."""

    exit_code = 25

    def __init__(self, one: StorePath, other: StorePath) -> None:
        super().__init__(f"{one} does not need {other}")


@dataclass(frozen=True, slots=True)
class Step:
    """One object refers to the next, and through these of its files."""

    path: StorePath
    files: tuple[str, ...]  # relative; "." if the object is the file; empty for the last object


@dataclass(frozen=True, slots=True)
class Size:
    """How much disk an object takes, file contents only."""

    path: StorePath
    own_bytes: int
    shared_bytes: int
    freed_bytes: int


def why(store: ChrootStore, one: StorePath, other: StorePath) -> tuple[Step, ...]:
    """The shortest chain by which one object needs another, with the files that hold it.

    Raises:
        NotNeeded: there is no such chain.
        NotValid: one of them is not here.
    """
    store.info(other)
    came_from: dict[StorePath, StorePath] = {}
    waiting = [one]
    for path in waiting:
        for reference in store.info(path).references:
            if reference != one and reference not in came_from:
                came_from[reference] = path
                waiting.append(reference)
    if other != one and other not in came_from:
        raise NotNeeded(one, other)
    chain = [other]
    while chain[-1] != one:
        chain.append(came_from[chain[-1]])
    chain.reverse()
    steps = [
        Step(path, files_that_mention(store, path, following))
        for path, following in itertools.pairwise(chain)
    ]
    return (*steps, Step(other, ()))


def files_that_mention(store: ChrootStore, path: StorePath, wanted: StorePath) -> tuple[str, ...]:
    """The files and links of an object that contain the hash of another, relative and sorted."""
    tree = store.path(path)
    return tuple(
        sorted(str(leaf.relative_to(tree)) for leaf in leaves(tree) if _mentions(leaf, wanted))
    )


def _mentions(leaf: Path, wanted: StorePath) -> bool:
    scanner = Scanner([wanted])
    dump(leaf, scanner.feed)
    return bool(scanner.found())


def sizes(store: ChrootStore, paths: Iterable[StorePath]) -> tuple[Size, ...]:
    """How much disk objects take, the largest first.

    Raises:
        NotValid: one of them is not here.
    """
    chosen = sorted(set(paths))
    for path in chosen:
        store.info(path)
    files = {path: _files(store.path(path)) for path in store.database.valid_paths()}
    owners: dict[int, set[StorePath]] = {}
    for path, found in files.items():
        for inode in found:
            owners.setdefault(inode, set()).add(path)
    graph = _Graph.of(store)
    measured = [_size(path, graph.gone_with(path), files, owners) for path in chosen]
    return tuple(sorted(measured, key=lambda size: (-size.freed_bytes, size.path)))


def _size(
    path: StorePath,
    gone: set[StorePath],
    files: Mapping[StorePath, Mapping[int, int]],
    owners: Mapping[int, set[StorePath]],
) -> Size:
    own = sum(size for inode, size in files[path].items() if owners[inode] == {path})
    lost = {inode: size for one in gone for inode, size in files[one].items()}
    return Size(
        path=path,
        own_bytes=own,
        shared_bytes=sum(files[path].values()) - own,
        freed_bytes=sum(size for inode, size in lost.items() if owners[inode] <= gone),
    )


def _files(tree: Path) -> dict[int, int]:
    """The size of each regular file of an object, by inode."""
    found = {}
    for leaf in leaves(tree):
        status = leaf.lstat()
        if stat.S_ISREG(status.st_mode):
            found[status.st_ino] = status.st_size
    return found


@dataclass(frozen=True, slots=True)
class _Graph:
    """The references of a whole store, read once: each query for one path would take as long."""

    needs: Mapping[StorePath, set[StorePath]]
    needed_by: Mapping[StorePath, set[StorePath]]

    @classmethod
    def of(cls, store: ChrootStore) -> "_Graph":
        needs: dict[StorePath, set[StorePath]] = defaultdict(set)
        needed_by: dict[StorePath, set[StorePath]] = defaultdict(set)
        for one, other in store.database.references():
            needs[one].add(other)
            needed_by[other].add(one)
        return cls(needs, needed_by)

    def gone_with(self, path: StorePath) -> set[StorePath]:
        """An object, what needs it, and what only they need."""
        gone = _reached([path], self.needed_by)
        needed = _reached(gone, self.needs) - gone
        going = gone | needed
        kept = [one for one in needed if not self.needed_by[one] <= going]
        return gone | (needed - _reached(kept, self.needs))


def _reached(
    begin: Iterable[StorePath], ways: Mapping[StorePath, set[StorePath]]
) -> set[StorePath]:
    """What is reachable from these, themselves included."""
    found = set(begin)
    waiting = list(found)
    while waiting:
        fresh = ways[waiting.pop()] - found
        found |= fresh
        waiting.extend(fresh)
    return found
