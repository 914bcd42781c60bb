"""Paths of files as a project names them: below its folder, however that was named.

Options that name files hold absolute paths without ``..`` (``config/check.py``), while a project
may have been named as ``../gateway``. Both are brought together here, without asking the disk: a
link is as good as the folder that it leads to.

Tested by ``tests/unit/config/test_project_paths.py``.
"""

import os
from pathlib import Path


def whole(folder: Path) -> Path:
    """A folder as options name what is in it."""
    return Path(os.path.normpath(folder.absolute()))


def in_project(path: Path, folder: Path) -> str | None:
    """A path as seen from the folder of the project; None: it is outside of it."""
    top = whole(folder)
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else None
