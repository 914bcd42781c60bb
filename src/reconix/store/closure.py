"""Closures: what a store object refers to, object by object, as the build store has registered it.

A closure is closed: whatever an object refers to is in it; and everything in it is reached from its
root. So nobody who holds one needs to ask further.

What a device installs is told by a manifest (``manifest.py``).

Tested by ``tests/unit/store/test_closure.py``.
"""

from collections.abc import Mapping

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.store.paths import StorePath

_VERSION = 1


class BadClosure(ReconixError):
    """What is registered about objects contradicts itself."""

    exit_code = 23

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="build the generation again")


@dataclass(frozen=True, slots=True, order=True)
class StoreObject:
    """What is registered about one store object."""

    path: StorePath
    nar: Digest
    nar_size_bytes: int
    references: tuple[StorePath, ...] = ()  # sorted; may contain the path itself

    def __post_init__(self) -> None:
        if not 0 <= self.nar_size_bytes < 1 << 63:
            raise BadClosure(f"{self.path}: {self.nar_size_bytes} bytes is no size")
        if list(self.references) != sorted(set(self.references)):
            raise BadClosure(f"{self.path}: its references are not sorted, or one stands twice")


@dataclass(frozen=True, slots=True)
class Closure:
    """A closure: one root and everything that it needs; valid by construction."""

    root: StorePath
    objects: tuple[StoreObject, ...]  # sorted by path

    def __post_init__(self) -> None:
        paths = [item.path for item in self.objects]
        if paths != sorted(set(paths)):
            raise BadClosure(f"{self.root}: its objects are not sorted, or one stands twice")
        by_path = {item.path: item for item in self.objects}
        reached = _reach(self.root, by_path)
        for path in paths:
            if path not in reached:
                raise BadClosure(f"{self.root}: nothing refers to {path}")

    def paths(self) -> frozenset[StorePath]:
        """The names of all objects."""
        return frozenset(item.path for item in self.objects)

    def get(self, path: StorePath) -> StoreObject | None:
        """The object of that name, if it belongs to the closure."""
        for item in self.objects:
            if item.path == path:
                return item
        return None

    @property
    def nar_size_bytes(self) -> int:
        """The size of all objects as archives."""
        return sum(item.nar_size_bytes for item in self.objects)


def _reach(root: StorePath, by_path: Mapping[StorePath, StoreObject]) -> set[StorePath]:
    reached: set[StorePath] = set()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        if path not in by_path:
            raise BadClosure(f"{root}: {path} is needed and not listed")
        reached.add(path)
        waiting.extend(by_path[path].references)
    return reached


def print_closure(closure: Closure) -> bytes:
    """Spell a closure; equal closures have equal bytes. A lock has the digest of these."""
    return print_json(
        {
            "version": _VERSION,
            "root": str(closure.root),
            "objects": [
                {
                    "path": str(item.path),
                    "nar_sha256": item.nar.hex(),
                    "nar_size_bytes": item.nar_size_bytes,
                    "references": [str(path) for path in item.references],
                }
                for item in closure.objects
            ],
        }
    )
