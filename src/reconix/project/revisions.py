"""A project as it was at a revision of git, as a folder.

Files that git does not know, such as keys, are taken as they are now; but not those that would make
it another configuration. A folder of which git knows nothing is taken as a whole, by a link to it:
what was built may be a tree of a device, and a tree of links would be another one.

Tested by ``tests/unit/project/test_revisions.py`` and ``tests/unit/cli/test_diff.py``.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reconix.base import process
from reconix.base.errors import UsageError

_WORK = ".reconix/"
_MAX_PROJECT_BYTES = 1 << 30
_WRITTEN = (".toml", ".md", ".py")
"""What makes a configuration; if git does not know it, it was not there."""
_CONFIGURE = ("hosts/", "modules/")
"""Folders in which such files have an effect by being there."""


@contextlib.contextmanager
def at_revision(folder: Path, revision: str) -> Iterator[Path]:
    """The project as it was at a revision of git; as it is, without one."""
    if not revision:
        yield folder
        return
    words = ("git", "archive", "--format=tar", _commit(folder, revision))
    archive = process.run(*words, folder=folder, limit_bytes=_MAX_PROJECT_BYTES)
    unknown = [*_unknown(folder, "--directory"), *_unknown(folder)]
    with tempfile.TemporaryDirectory(prefix="reconix-diff-") as place:
        process.run("tar", "--extract", "--directory", place, stdin=archive)
        for name in unknown:
            if _is_taken(name):
                _link(Path(place, name), folder / name)
        yield Path(place)


def _unknown(folder: Path, *words: str) -> list[str]:
    """What git does not know; a folder ends with a slash."""
    listed = process.run(
        *("git", "ls-files", "-z", "--others"),
        *words,
        folder=folder,
        limit_bytes=_MAX_PROJECT_BYTES,
    )
    return [name for name in os.fsdecode(listed).split("\0") if name]


def _is_taken(name: str) -> bool:
    if name.endswith("/"):
        return not f"{name}/".startswith((*_CONFIGURE, _WORK))
    return not name.startswith(_WORK) and not name.endswith(_WRITTEN)


def _link(place: Path, target: Path) -> None:
    if not place.exists() and not place.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target.absolute())


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
