"""What minifying has taken, how much of it by which rule, and what it has left of each package.

Roots before and after are compared as they lie in the build store: equal files are one file there,
so contents are told by inode, and each is counted once. A content went if no minimal root has it;
the reason is that of its first path. What only a minimal root has, such as a list that was packed,
was made for it. So *before* without what was taken, and with what was made, is *after*.

Tested by ``tests/unit/composition/test_minify_sizes.py``.
"""

import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.build.minify import minified
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import Reasons, read_reasons
from reconix.build.root import losses, metadata
from reconix.build.software.owners import LISTS, Owners
from reconix.composition.parts import walk
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.nix.chroot import ChrootStore
from reconix.project.workplace import NotBuilt
from reconix.store.generation import Generation
from reconix.store.paths import StorePath

STAYS = ""
"""In place of a rule."""
_NOBODY = "(made when packages were installed)"
_BESIDE = (losses.FILE, metadata.FILE, LISTS)
"""In the folder of a root, and on no device."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One content of a full root.

    Attributes:
        size_bytes: of it.
        package: that brought it.
        rule: which took it, or why it went without one; ``STAYS`` if it did not.
    """

    size_bytes: int
    package: str
    rule: str


@dataclass(frozen=True, slots=True)
class PackageSize:
    """What a package has before and after."""

    name: str
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True, slots=True)
class RuleSize:
    """What a rule has taken: in how many different files."""

    name: str
    files: int
    size_bytes: int


@dataclass(slots=True)
class Removal:
    """What is to be told about the minified roots of a generation."""

    pieces: list[Piece] = field(default_factory=list)
    made_bytes: int = 0
    made_files: int = 0

    @classmethod
    def of(cls, store: ChrootStore, roots: Iterable[StorePath]) -> "Removal":
        """Compare.

        Args:
            store: has them, and what they were made from.
            roots: minimal ones.

        Raises:
            NotBuilt: what one was made from was collected.
        """
        listed = sorted(set(roots))
        after: dict[int, int] = {}
        for each in listed:
            after |= _sizes(store.path(each))
        found: dict[int, Piece] = {}
        for each in listed:
            found |= _pieces(store, _origin(store, each), after, found)
        made = [size for inode, size in after.items() if inode not in found]
        return cls(list(found.values()), sum(made), len(made))

    @property
    def before_bytes(self) -> int:
        """All contents of the full roots."""
        return sum(each.size_bytes for each in self.pieces)

    @property
    def after_bytes(self) -> int:
        """All contents of the minimal roots."""
        return sum(each.size_bytes for each in self._left) + self.made_bytes

    @property
    def before_files(self) -> int:
        """How many different files the full roots have."""
        return len(self.pieces)

    @property
    def after_files(self) -> int:
        """How many different files the minimal roots have."""
        return len(self._left) + self.made_files

    @property
    def _left(self) -> list[Piece]:
        return [each for each in self.pieces if each.rule == STAYS]

    def rules(self) -> list[RuleSize]:
        """What each rule has taken, the most first."""
        sizes: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for each in self.pieces:
            if each.rule != STAYS:
                sizes[each.rule] += each.size_bytes
                files[each.rule] += 1
        found = (RuleSize(name, files[name], size) for name, size in sizes.items())
        return sorted(found, key=lambda rule: (-rule.size_bytes, rule.name))

    def by_rule(self) -> dict[str, Counter[str]]:
        """How many bytes each rule took of each package, sorted by rule; ``STAYS`` took none."""
        found: dict[str, Counter[str]] = {}
        for each in self.pieces:
            found.setdefault(each.rule, Counter())[each.package] += each.size_bytes
        return {rule: found[rule] for rule in sorted(found)}

    def packages(self) -> list[PackageSize]:
        """What each package has before and after; first what it loses most of."""
        before: Counter[str] = Counter()
        after: Counter[str] = Counter()
        for each in self.pieces:
            before[each.package] += each.size_bytes
            after[each.package] += each.size_bytes if each.rule == STAYS else 0
        found = (PackageSize(name, size, after[name]) for name, size in before.items())
        return sorted(found, key=lambda one: (one.after_bytes - one.before_bytes, one.name))


def minimal_roots(store: ChrootStore, generation: Generation, system: str) -> dict[str, StorePath]:
    """The minimal roots of a generation, by system.

    Args:
        store: has it.
        generation: that is asked about.
        system: of it; nothing if all are meant.

    Raises:
        UsageError: it is not minified, or none of them is.
    """
    asked = [generation.system(system)] if system else generation.systems
    parts = {each.name: ToplevelParts.read(store, each.toplevel) for each in asked}
    if system and parts[system] is None:
        raise UsageError(
            f"{generation.host}:{system} is built by Nix, which minify leaves alone",
            hint="make it smaller in its own configuration",
        )
    found = {name: each.root for name, each in parts.items() if each and is_minimal(each.root)}
    if not found:
        name = f"{generation.host}:{system}" if system else f"no system of {generation.host}"
        raise UsageError(
            f"{name} is {'not ' if system else ''}minified",
            hint="write `minify.enable = true`, and build it",
        )
    return found


def is_minimal(root: StorePath) -> bool:
    """Whether a root is what minify left of another one."""
    return root.name == minified.NAME


def _origin(store: ChrootStore, minimal: StorePath) -> Origin:
    found = Origin.of(store, minimal)
    if found is None:
        raise NotBuilt(
            f"what {minimal} was made from is not in the build store any more",
            hint="build it again: reconix build",
        )
    return found


def _pieces(
    store: ChrootStore, origin: Origin, staying: Container[int], known: Container[int]
) -> dict[int, Piece]:
    """The contents of a full root that are not known yet."""
    root = store.path(origin.root)
    owners, why = Owners.read(root), read_reasons(store.path(origin.reasons))
    found: dict[int, Piece] = {}
    for path, status in sorted(_files(root)):
        if status.st_ino not in known and status.st_ino not in found:
            rule = STAYS if status.st_ino in staying else rule_of(why, path)
            found[status.st_ino] = Piece(status.st_size, _package(owners, path), rule)
    return found


def rule_of(why: Reasons, path: str) -> str:
    """The name of the rule that took a path, or why it went without one."""
    because = why.goes.get(path)
    if because is None:
        return "there in another form"
    return because.by or because.how.partition(" by /")[0]


def _package(owners: Owners, path: str) -> str:
    return next(iter(owners.of(path).packages), _NOBODY)


def _sizes(root: Path) -> dict[int, int]:
    return {status.st_ino: status.st_size for _, status in _files(root)}


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    return ((path, each) for path, each in walk(root) if path.partition("/")[0] not in _BESIDE)
