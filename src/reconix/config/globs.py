"""Patterns that stand for files of the project: ``dist/*.whl``.

A pattern is a path as any other, relative to the file that names it, with ``*``, ``?`` or ``[…]``
in it; ``**`` is any number of folders. Folders that exist are taken as they are, so a project may
lie in a folder whose name looks like a pattern.

Tested by ``tests/unit/config/test_globs.py``.
"""

import re
from pathlib import Path

_SPECIAL = re.compile(r"[*?[]")


def matching(pattern: Path) -> tuple[Path, ...]:
    """The files that a path or a pattern stands for, sorted."""
    if pattern.is_file():
        return (pattern,)
    base = next(parent for parent in pattern.parents if parent.is_dir())
    rest = pattern.relative_to(base).as_posix()
    if not _SPECIAL.search(rest):
        return ()
    return tuple(sorted(path for path in base.glob(rest) if path.is_file()))
