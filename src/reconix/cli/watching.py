"""Work that is done again each time files have changed: ``reconix deploy --watch``.

Folders are read again and again instead of asking the kernel for events: nothing is missed while
the work goes on, and it works on every file system, also on one of another machine.

Tested by ``tests/unit/cli/test_watching.py``.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from reconix.base.clock import turns
from reconix.base.errors import ReconixError
from reconix.cli.answers import complain

Seen = dict[str, tuple[int, int, int]]
"""Of each file: when it changed, in nanoseconds, its size and its inode number."""

_PAUSE_SECONDS = 0.3
_SHARE = 1 / 20
"""Looking takes at most so much of the time."""


def follow(
    folder: Path, work: Callable[[], object], tell: Callable[[ReconixError | OSError], object]
) -> NoReturn:
    """Do the work now and after each change, until the user ends it; what fails is told.

    Args:
        folder: to watch; what is hidden in it does not count.
        work: to be done; what it writes that is not hidden counts as a change.
        tell: what failed, and the next change may mend.
    """
    while True:
        before = seen(folder)
        _attempt(work, tell)
        complain("waiting for a change; Ctrl-C ends it")
        wait_for_change(folder, before)


def _attempt(work: Callable[[], object], tell: Callable[[ReconixError | OSError], object]) -> None:
    try:
        work()
    except (ReconixError, OSError) as error:
        tell(error)


def wait_for_change(folder: Path, before: Seen) -> None:
    """Wait until files are not as before, and nobody changes them any more."""
    last = before
    for _ in turns(_PAUSE_SECONDS, share=_SHARE):
        now = seen(folder)
        if now == last != before:
            return
        last = now


def seen(folder: Path) -> Seen:
    """All files in a folder that are not hidden."""
    return dict(_facts(str(folder)))


def _facts(folder: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:  # gone just now
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _facts(entry.path)
            else:
                yield entry.path, _fact(entry.stat(follow_symlinks=False))


def _fact(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino
