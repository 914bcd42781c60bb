"""Trees that no path reaches."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconix.base.process import run


@contextmanager
def nested(root: Path, *, depth: int, name: str) -> Iterator[Path]:
    """Make folders in each other, a file in each; no path is used for that.

    What is left of it at the end is removed: pytest could not do that.
    """
    try:
        root.mkdir()
        here = os.open(root, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=here)
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
            inner = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(here)
        yield root
    finally:
        run("rm", "-rf", root)
