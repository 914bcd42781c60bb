"""What minify newly takes of a system, or puts back, between two builds of it.

Compared are the reasons of both: a path that stayed and goes now, and one that went and stays now.
What only one of the full roots has is a matter of its packages, not of minify. A system that is
minified for the first time loses by rules as well.

Tested by ``tests/unit/composition/test_minify_changes.py``.
"""

import enum
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import Reasons, read_reasons
from reconix.composition.minify_sizes import is_minimal, rule_of
from reconix.composition.parts import walk
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath


class Step(enum.Enum):
    """What became of some paths."""

    TAKEN = "taken"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Moved:
    """Paths of a system that a rule newly takes, or no longer.

    Attributes:
        step: which of the two.
        rule: its name, or why they went without one.
        paths: files and links, sorted.
        size_bytes: of them, each different file once.
    """

    step: Step
    rule: str
    paths: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Root:
    """A root as it was, with what went of it."""

    place: Path
    paths: Collection[str]
    """All files and links of the full root."""
    reasons: Reasons

    @classmethod
    def of(cls, store: ChrootStore, toplevel: StorePath) -> "_Root | None":
        """That of a system; nothing if it is none of Debian, or what it came from was collected."""
        parts = ToplevelParts.read(store, toplevel)
        if parts is None:
            return None
        if not is_minimal(parts.root):
            place = store.path(parts.root)
            return cls(place, {path for path, _ in walk(place)}, Reasons({}, {}))
        origin = Origin.of(store, parts.root)
        if origin is None:
            return None
        reasons = read_reasons(store.path(origin.reasons))
        return cls(store.path(origin.root), reasons.stays.keys() | reasons.goes.keys(), reasons)

    def gone(self, other: "_Root") -> Iterator[str]:
        """The paths that went here and stayed there."""
        return (
            path
            for path in sorted(self.reasons.goes)
            if path in other.paths and path not in other.reasons.goes
        )


def moved(store: ChrootStore, old: StorePath, new: StorePath) -> list[Moved]:
    """What minify newly takes and puts back, by rule, the most first.

    Nothing is told where one is not of Debian, or what it was made from was collected.

    Args:
        store: has both.
        old: the toplevel before.
        new: the toplevel after.
    """
    before, after = _Root.of(store, old), _Root.of(store, new)
    if before is None or after is None:
        return []
    taken = _groups(Step.TAKEN, after, after.gone(before))
    back = _groups(Step.BACK, before, before.gone(after))
    return sorted((*taken, *back), key=lambda one: (one.step.name, -one.size_bytes, one.rule))


def _groups(step: Step, root: _Root, paths: Iterator[str]) -> Iterator[Moved]:
    found: dict[str, list[str]] = {}
    for path in paths:
        if not _is_folder(root.place / path):
            found.setdefault(rule_of(root.reasons, path), []).append(path)
    for rule, listed in found.items():
        yield Moved(step, rule, tuple(listed), _size_bytes(root.place, listed))


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


def _size_bytes(place: Path, paths: list[str]) -> int:
    said = [status for path in paths if stat.S_ISREG((status := (place / path).lstat()).st_mode)]
    return sum({each.st_ino: each.st_size for each in said}.values())
