"""A project as it was at a revision of git, as a folder.

Files that git does not know, such as keys, are taken as they are now; but not those that would make
it another configuration.

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


@contextlib.contextmanager
def at_revision(folder: Path, revision: str) -> Iterator[Path]:
    """The project as it was at a revision of git; as it is, without one."""
    if not revision:
        yield folder
        return
    words = ("git", "archive", "--format=tar", _commit(folder, revision))
    archive = process.run(*words, folder=folder, limit_bytes=_MAX_PROJECT_BYTES)
    others = ("git", "ls-files", "-z", "--others")
    unknown = os.fsdecode(process.run(*others, folder=folder, limit_bytes=_MAX_PROJECT_BYTES))
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
