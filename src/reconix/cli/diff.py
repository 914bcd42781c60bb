"""Show what a change means for a host, system by system, without a build.

    reconix diff                       the last commit against the files as they are now
    reconix diff v1.2                  a revision of git against the files as they are now
    reconix diff v1.2..v1.3 gateway    two revisions, one host

Options, the content of files that they name, and locked packages are compared, after imports,
modules and merging. A system that is called unchanged is built to the same bytes by the same
version of reconix. Files that git does not know, such as keys, are taken as they are now.

Exit status: 0 it is shown, 2 a mistake in one of the configurations, or no such host or revision.
"""

import argparse
import contextlib
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.base import process
from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.files import read_bounded
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.workplace import pick_host
from reconix.config.compare import Difference, Facts, compare, facts
from reconix.config.load import load_with_places
from reconix.config.lock import FILE_NAME, MAX_LOCK_BYTES, parse_lock

_WIDTH = 60
_WORK = ".reconix/"
_WRITTEN = (".toml", ".md", ".py")
"""What makes a configuration; if git does not know it, it was not there."""

Differences = Mapping[str, tuple[Difference, ...]]
"""By system; what all share is ``""``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "revisions", metavar="REV[..REV]", nargs="?", default="HEAD", help="(default: HEAD)"
    )
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare."""
    folder = places.project(arguments)
    before, _, after = arguments.revisions.partition("..")
    with _at(folder, before or "HEAD") as old_folder, _at(folder, after) as new_folder:
        old, new = _facts(old_folder, arguments.host), _facts(new_folder, arguments.host)
    found = {name: compare(old.get(name, {}), new.get(name, {})) for name in sorted({*old, *new})}
    text = "\n".join(_lines(found, old, new))
    answer(arguments, text=text, document={name: _document(each) for name, each in found.items()})
    return 0


@contextlib.contextmanager
def _at(folder: Path, revision: str) -> Iterator[Path]:
    """The project as it was at a revision of git; as it is, without one."""
    if not revision:
        yield folder
        return
    archive = process.run(
        "git", "archive", "--format=tar", _commit(folder, revision), folder=folder
    )
    unknown = process.run("git", "ls-files", "-z", "--others", folder=folder).decode()
    with tempfile.TemporaryDirectory(prefix="reconix-diff-") as place:
        process.run("tar", "--extract", "--directory", place, stdin=archive)
        for name in filter(None, unknown.split("\0")):
            file = Path(place, name)
            wanted = not name.startswith(_WORK) and file.suffix not in _WRITTEN
            if wanted and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.symlink_to((folder / name).absolute())
        yield Path(place)


def _commit(folder: Path, revision: str) -> str:
    try:
        found = process.run(
            *("git", "rev-parse", "--verify", "--quiet", "--end-of-options"),
            f"{revision}^{{commit}}",
            folder=folder,
        )
    except process.CommandFailed as error:
        raise UsageError(
            f"git does not know the revision {revision}", hint="is this a repository with commits?"
        ) from error
    return found.decode().strip()


def _facts(folder: Path, name: str | None) -> dict[str, Facts]:
    loaded = load_with_places(folder)
    host = pick_host(loaded.configuration, name)
    file = folder / FILE_NAME
    lock = (
        parse_lock(read_bounded(file, MAX_LOCK_BYTES), source=FILE_NAME) if file.exists() else None
    )
    return facts(loaded, lock.hosts.get(host.name) if lock else None, host)


def _lines(found: Differences, old: Mapping[str, Facts], new: Mapping[str, Facts]) -> Iterator[str]:
    for name, differences in found.items():
        title = name or "machine"
        if name not in old or name not in new:
            yield f"{title}: {'new' if name in new else 'gone'}"
        elif not differences:
            yield f"{title}: unchanged"
        else:
            yield f"{title}:"
            yield from (f"  {_line(each)}" for each in differences)


def _line(each: Difference) -> str:
    if each.old is None:
        return f"+ {each.key} = {_shortened(each.new)}"
    if each.new is None:
        return f"- {each.key} = {_shortened(each.old)}"
    return f"{each.key} = {_shortened(each.old)} → {_shortened(each.new)}"


def _shortened(value: str | None) -> str:
    return textwrap.shorten(value or "", _WIDTH, placeholder=" …")


def _document(differences: tuple[Difference, ...]) -> JsonInput:
    return [{"key": each.key, "old": each.old, "new": each.new} for each in differences]
