"""Show what a change means for each system, and which systems it leaves unchanged.

    reconix diff                       the last commit against the files as they are now
    reconix diff v1.2                  a revision of git against the files as they are now
    reconix diff v1.2..v1.3 gateway    two revisions, one host

Options, the content of files that they name, and locked packages are compared, after imports,
modules and merging. Files that git does not know, such as keys, are taken as they are now.

A system is unchanged if its store path is: that is the hash of everything it consists of, so the
same path means the same bytes. The path is shown where it is known without unpacking packages,
because both states were built before or share what takes long. With --build, what is missing is
built, and nothing else. Where both paths are known, the files that differ on the device are listed,
each with the path that leads to it. What devices do not take from the generation is listed as well:
files in a folder that persists, sizes of the disk, what an image has of one device.

Exit status: 0 success, 2 a mistake in one of the configurations, or no such host or revision;
with --build also those of `reconix build`.
"""

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.text import one_line
from reconix.build.inspect import evaluate
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.config.compare import Difference, Facts, compare, facts
from reconix.config.load import load_with_places
from reconix.config.rules import kept_files
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project.files import NotLocked, ProjectFiles
from reconix.project.revisions import at_revision
from reconix.store.paths import StorePath

_WIDTH = 60


@dataclass(frozen=True, slots=True)
class _State:
    """A host at one of the two revisions."""

    files: ProjectFiles
    host: Host
    facts: dict[str, Facts]
    """By system; what all share is ``""``."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What the change means for one system, or for what all share."""

    name: str
    is_there: tuple[bool, bool]
    """Whether it is there before and after."""
    differences: tuple[Difference, ...]
    paths: tuple[StorePath | None, StorePath | None] = (None, None)
    """The toplevels, as far as they are known."""
    on_device: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """What devices do not take from the generation."""

    @property
    def is_identical(self) -> bool:
        return self.paths[0] is not None and self.paths[0] == self.paths[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "revisions", metavar="REV[..REV]", nargs="?", default="HEAD", help="(default: HEAD)"
    )
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "--build", action="store_true", help="build what is missing to know the store paths"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare."""
    folder = places.project(arguments)
    before, _, after = arguments.revisions.partition("..")
    with (
        at_revision(folder, before or "HEAD") as old_folder,
        at_revision(folder, after) as new_folder,
    ):
        old, new = _state(old_folder, arguments.host), _state(new_folder, arguments.host)
        changes = list(_changes(arguments, old, new))
    text = "\n".join(one_line(line) for change in changes for line in _lines(change))
    answer(arguments, text=text, document={each.name: _document(each) for each in changes})
    return 0


def _changes(arguments: argparse.Namespace, old: _State, new: _State) -> Iterator[_Change]:
    """What the change means, what all systems share first."""
    root = places.store(arguments)
    if not arguments.build and not root.is_dir():
        yield from (_change(name, old, new) for name in sorted({*old.facts, *new.facts}))
        return
    with ChrootStore(root) as store:
        before, after = (_toplevels(arguments, store, state) for state in (old, new))
        for name in sorted({*old.facts, *new.facts}):
            paths = (before.get(name), after.get(name))
            one, other = paths
            on_device = evaluate.changes(store, one, other) if one and other else ()
            yield _change(name, old, new, paths, on_device)


def _change(
    name: str,
    old: _State,
    new: _State,
    paths: tuple[StorePath | None, StorePath | None] = (None, None),
    on_device: tuple[str, ...] = (),
) -> _Change:
    differences = compare(old.facts.get(name, {}), new.facts.get(name, {}))
    is_there = (name in old.facts, name in new.facts)
    before, after = old.host.systems.get(name), new.host.systems.get(name)
    unseen = tuple(kept_files.unseen_changes(before, after)) if before and after else ()
    if not name:
        unseen = tuple(kept_files.unseen_changes_of_machine(old.host, new.host))
    return _Change(name, is_there, differences, paths, on_device, unseen)


def _toplevels(
    arguments: argparse.Namespace, store: ChrootStore, state: _State
) -> dict[str, StorePath]:
    """The toplevels of a state; without --build only those that are known, if there is a lock."""
    workshop = state.files.workshop(store, places.downloads())
    if arguments.build:
        return evaluate.toplevels(
            workshop, state.host, state.files.numbered_lock(store, state.host)
        )
    try:
        lock = state.files.numbered_lock(store, state.host)
    except NotLocked:
        return {}
    return evaluate.known_toplevels(workshop, state.host, lock)


def _state(folder: Path, name: str | None) -> _State:
    loaded = load_with_places(folder)
    files = ProjectFiles(folder, loaded.configuration)
    host, lock = files.host(name), files.lock()
    return _State(files, host, facts(loaded, lock.hosts.get(host.name) if lock else None, host))


def _lines(change: _Change) -> Iterator[str]:
    title = change.name or "machine"
    if not all(change.is_there):
        yield f"{title}: {'new' if change.is_there[1] else 'gone'}"
        return
    yield f"{title}:{_verdict(change)}"
    yield from (f"  {_line(each)}" for each in change.differences)
    yield from (f"  on the device: {line}" for line in change.on_device)
    yield from (f"  {line}" for line in change.unseen)


def _verdict(change: _Change) -> str:
    if change.is_identical:
        return f" the same bytes, {change.paths[0]}"
    if change.differences or change.on_device:
        return ""
    return " unchanged" if not change.name else " unchanged (no store path known: --build)"


def _line(each: Difference) -> str:
    if each.old is None:
        return f"+ {each.key} = {_shortened(each.new)}"
    if each.new is None:
        return f"- {each.key} = {_shortened(each.old)}"
    return f"{each.key} = {_shortened(each.old)} → {_shortened(each.new)}"


def _shortened(value: str | None) -> str:
    return textwrap.shorten(value or "", _WIDTH, placeholder=" …")


def _document(change: _Change) -> JsonInput:
    old, new = change.paths
    return {
        "identical": change.is_identical,
        "old": str(old) if old else None,
        "new": str(new) if new else None,
        "differences": [
            {"key": each.key, "old": each.old, "new": each.new} for each in change.differences
        ],
        "on_device": [*change.on_device],
        "unseen": [*change.unseen],
    }
