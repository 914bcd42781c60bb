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
from dataclasses import replace

from reconix.base.documents import JsonInput
from reconix.base.text import one_line
from reconix.cli import needs, places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.config.compare import Difference
from reconix.nix.chroot import ChrootStore
from reconix.project.comparison import Change, State, changes
from reconix.project.revisions import at_revision

_WIDTH = 60


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
    needs.expect(*needs.NEEDED_BY["diff"])
    folder = places.project(arguments)
    before, _, after = arguments.revisions.partition("..")
    with at_revision(folder, before or "HEAD") as was, at_revision(folder, after) as now:
        old, new = State.read(was, arguments.host), State.read(now, arguments.host)
        found = _compare(arguments, old, new)
    text = "\n".join(one_line(line) for change in found for line in _lines(change))
    answer(arguments, text=text, document={each.name: _document(each) for each in found})
    return 0


def _compare(arguments: argparse.Namespace, old: State, new: State) -> list[Change]:
    root = places.store(arguments)
    if not arguments.build and not root.is_dir():
        return list(changes(None, old, new))
    with ChrootStore(root) as store:
        before, after = (_with_toplevels(arguments, store, state) for state in (old, new))
        return list(changes(store, before, after))


def _with_toplevels(arguments: argparse.Namespace, store: ChrootStore, state: State) -> State:
    workshop = state.files.workshop(store, places.downloads())
    known = state.build_toplevels if arguments.build else state.known_toplevels
    return replace(state, toplevels=known(workshop))


def _lines(change: Change) -> Iterator[str]:
    title = change.name or "machine"
    if not all(change.is_there):
        yield f"{title}: {'new' if change.is_there[1] else 'gone'}"
        return
    yield f"{title}:{_verdict(change)}"
    yield from (f"  {_line(each)}" for each in change.differences)
    yield from (f"  on the device: {line}" for line in change.on_device)
    yield from (f"  {line}" for line in change.unseen)


def _verdict(change: Change) -> str:
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


def _document(change: Change) -> JsonInput:
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
