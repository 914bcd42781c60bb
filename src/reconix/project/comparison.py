"""What a change of a project means for each system of a host: options, store paths, files.

Two states of the project are compared option by option. Where it is known without a build, or after
one, the store path of each system is added: the hash of everything that it consists of.

Tested by ``tests/unit/cli/test_diff.py`` and, with real packages, ``tests/compat/test_diff.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.build.host import Workshop
from reconix.build.inspect import evaluate
from reconix.config.compare import Difference, Facts, compare, facts
from reconix.config.load import load_with_places
from reconix.config.rules import kept_files
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project.files import NotLocked, ProjectFiles
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class State:
    """A host at one of the two revisions.

    Attributes:
        files: of the project.
        host: one of the project's.
        facts: by system; what all share is ``""``.
        toplevels: of the systems, as far as they are known.
    """

    files: ProjectFiles
    host: Host
    facts: dict[str, Facts]
    toplevels: Mapping[str, StorePath] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, name: str | None) -> "State":
        """A host of the project in a folder; the only one if no name is given."""
        loaded = load_with_places(folder)
        files = ProjectFiles(folder, loaded.configuration)
        host, lock = files.host(name), files.lock()
        locked = lock.hosts.get(host.name) if lock else None
        return cls(files, host, facts(loaded, locked, host))

    def known_toplevels(self, workshop: Workshop) -> dict[str, StorePath]:
        """The toplevels that are known without a build, if there is a lock."""
        try:
            lock = self.files.numbered_lock(workshop.store, self.host)
        except NotLocked:
            return {}
        return evaluate.known_toplevels(workshop, self.host, lock)

    def build_toplevels(self, workshop: Workshop) -> dict[str, StorePath]:
        """The toplevels; what is missing to know them is built."""
        lock = self.files.numbered_lock(workshop.store, self.host)
        return evaluate.toplevels(workshop, self.host, lock)


@dataclass(frozen=True, slots=True)
class Change:
    """What the change means for one system, or for what all share.

    Attributes:
        name: of the system; empty for what all share.
        is_there: whether it is there before and after.
        differences: of its options, files and packages.
        paths: the toplevels, as far as they are known.
        on_device: the files that differ on the device.
        unseen: what devices do not take from the generation.
    """

    name: str
    is_there: tuple[bool, bool]
    differences: tuple[Difference, ...]
    paths: tuple[StorePath | None, StorePath | None]
    on_device: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """Whether the system is known to be the same to the byte."""
        return self.paths[0] is not None and self.paths[0] == self.paths[1]


def changes(store: ChrootStore | None, old: State, new: State) -> Iterator[Change]:
    """What the change means, what all systems share first; files are compared in the store."""
    for name in sorted({*old.facts, *new.facts}):
        one, other = old.toplevels.get(name), new.toplevels.get(name)
        yield Change(
            name,
            is_there=(name in old.facts, name in new.facts),
            differences=compare(old.facts.get(name, {}), new.facts.get(name, {})),
            paths=(one, other),
            on_device=evaluate.changes(store, one, other)
            if store is not None and one and other
            else (),
            unseen=tuple(_unseen(name, old.host, new.host)),
        )


def _unseen(name: str, old: Host, new: Host) -> Iterator[str]:
    if not name:
        yield from kept_files.unseen_changes_of_machine(old, new)
        return
    before, after = old.systems.get(name), new.systems.get(name)
    if before and after:
        yield from kept_files.unseen_changes(before, after)
