"""Show what a change means for each system, and which systems it leaves unchanged.

    reconix diff                       the last commit against the files as they are now
    reconix diff v1.2                  a revision of git against the files as they are now
    reconix diff v1.2..v1.3 gateway    two revisions, one host
    reconix diff 1 2                   two generations that were built
    reconix diff device                what a device runs, against the latest generation

A generation is named by its number, as -1 (the one before the latest), latest, device, or by its
store path; a tag of git that looks like one is written refs/tags/3. Of generations what was built
is compared: objects, Debian packages, and which systems that touches. The rest is of revisions.

Options, the content of files that they name, and locked packages are compared, after imports,
modules and merging. Files that git does not know, such as keys, are taken as they are now.

A system is unchanged if its store path is: that is the hash of everything it consists of, so the
same path means the same bytes. The path is shown where it is known without unpacking packages,
because both states were built before or share what takes long. With --build, what is missing is
built, and nothing else. Where both paths are known, the files that differ on the device are listed,
each with the path that leads to it. What devices do not take from the generation is listed as well:
files in a folder that persists, sizes of the disk, what an image has of one device. Of
minified systems it is told what minify newly takes or puts back, by rule.

Exit status: 0 success, 2 a mistake in one of the configurations, or no such host or revision;
with --build also those of `reconix build`.
"""

import argparse
import itertools
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.text import one_line
from reconix.build.pins import is_generation
from reconix.cli import generations, minify_differences, needs, places, registries
from reconix.cli.answers import answer
from reconix.cli.closure_differences import difference_of
from reconix.cli.parsers import add_json
from reconix.composition.minify_changes import Moved
from reconix.config.compare import Difference
from reconix.nix.chroot import ChrootStore
from reconix.project.comparison import Change, State, changes
from reconix.project.files import ProjectFiles
from reconix.project.revisions import at_revision

_WIDTH = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="*",
        help="REV or REV..REV (default: HEAD), or one or two generations; then which host "
        "(default: the only one)",
    )
    parser.add_argument(
        "--build", action="store_true", help="build what is missing to know the store paths"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare."""
    words = list(arguments.what)
    named = list(itertools.takewhile(is_generation, words))[:2]
    rest = words[len(named) :] if named else words[1:]
    if len(rest) > 1:
        raise UsageError(f"reconix diff: cannot use {rest[1]!r}", hint="see `reconix diff --help`")
    host = rest[0] if rest else None
    if named:
        return _compare_generations(arguments, named, host)
    return _compare_revisions(arguments, words[0] if words else "HEAD", host)


def _compare_generations(arguments: argparse.Namespace, named: list[str], host: str | None) -> int:
    if arguments.build:
        raise UsageError("--build: generations are built already", hint="leave it out")
    files = ProjectFiles.read(places.project(arguments))
    with ChrootStore(places.store(arguments)) as store:
        find = generations.finder(arguments, files, store, files.host(host))
        one, other = (find(word) for word in [*named, generations.LATEST][:2])
        text, document = difference_of(store, one.path, other.path)
    title = f"generation {one.number} → generation {other.number}"
    answer(arguments, text=f"{title}\n{text}", document=document)
    return 0


def _compare_revisions(arguments: argparse.Namespace, revisions: str, host: str | None) -> int:
    needs.expect(*needs.NEEDED_BY["diff"])
    folder = places.project(arguments)
    before, _, after = revisions.partition("..")
    with at_revision(folder, before or "HEAD") as was, at_revision(folder, after) as now:
        old, new = State.read(was, host), State.read(now, host)
        found = _compare(arguments, old, new)
    moved = _moved(arguments, found)
    text = "\n".join(
        one_line(line) for each in found for line in _lines(each, moved.get(each.name, []))
    )
    document = {each.name: _document(each, moved.get(each.name, [])) for each in found}
    answer(arguments, text=text, document=document)
    return 0


def _moved(arguments: argparse.Namespace, found: list[Change]) -> dict[str, list[Moved]]:
    """What minify does differently, where both systems are known."""
    paths = {each.name: each.paths for each in found}
    both = {name: (old, new) for name, (old, new) in paths.items() if old and new}
    if not both:
        return {}
    with ChrootStore(places.store(arguments)) as store:
        return minify_differences.of_systems(store, both)


def _compare(arguments: argparse.Namespace, old: State, new: State) -> list[Change]:
    root = places.store(arguments)
    if not arguments.build and not root.is_dir():
        return list(changes(None, old, new))
    with ChrootStore(root) as store:
        before, after = (_with_toplevels(arguments, store, state) for state in (old, new))
        return list(changes(store, before, after))


def _with_toplevels(arguments: argparse.Namespace, store: ChrootStore, state: State) -> State:
    workshop = state.files.workshop(store, registries.downloads())
    if arguments.build:
        needs.expect_build(state.host)
    known = state.build_toplevels if arguments.build else state.known_toplevels
    return replace(state, toplevels=known(workshop))


def _lines(change: Change, moved: list[Moved]) -> Iterator[str]:
    title = change.name or "machine"
    if not all(change.is_there):
        yield f"{title}: {'new' if change.is_there[1] else 'gone'}"
        return
    yield f"{title}:{_verdict(change)}"
    yield from (f"  {_line(each)}" for each in change.differences)
    yield from (f"  on the device: {line}" for line in change.on_device)
    yield from (f"  {line}" for line in minify_differences.lines(moved))
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


def _document(change: Change, moved: list[Moved]) -> JsonInput:
    old, new = change.paths
    return {
        "identical": change.is_identical,
        "old": str(old) if old else None,
        "new": str(new) if new else None,
        "differences": [
            {"key": each.key, "old": each.old, "new": each.new} for each in change.differences
        ],
        "on_device": [*change.on_device],
        "minify": minify_differences.document(moved),
        "unseen": [*change.unseen],
    }
