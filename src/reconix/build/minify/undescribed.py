"""Python's own modules without their docstrings, where nobody runs Python but the agent.

A sixth of the bytecode of the standard library is text for people who write programs. Python can
leave it out (``-OO``), and its library works without; but then it leaves out assertions as well,
and these are wanted. So the modules are compiled once more, as those of the agent are, but without
any: ``email`` puts texts of classes together, and needs either all of them or none. Programs of
others may read what the library says of itself, so where there are any, all of it stays.

Source: the Python documentation, *Command line and environment*, ``-OO``.
Tested by ``tests/unit/build/minify/test_undescribed.py``; what the script does, by
``tests/compat/test_bytecode.py``.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.build.agent import bytecode

WITHOUT_ANY = b"without any docstring"
"""What the script understands (``build/data/compile_modules.py``)."""
_OF_PYTHON = re.compile(r"usr/lib/python3\.\d+/(?!dist-packages/).+\.py")


def compiled(root: Path, sources: Iterable[str], architecture: Architecture) -> Mapping[str, bytes]:
    """The bytecode of modules of the standard library, by the paths of their sources.

    Args:
        root: a Debian root.
        sources: paths of modules that have bytecode; others than Python's own, and links, are
            passed over.
        architecture: of the root.
    """
    files = (path for path in sources if not (root / path).is_symlink())
    own = sorted(path for path in files if _OF_PYTHON.fullmatch(path))
    if not own or not bytecode.can_compile(root):
        return {}
    made = bytecode.compiled(_packed(root, own), root, architecture)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        return {path: archive.read(f"/{path}c") for path in own}


def _packed(root: Path, paths: Iterable[str]) -> bytes:
    """Files as an archive, with the names that they have on a device."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = WITHOUT_ANY
        for path in paths:
            archive.writestr(f"/{path}", (root / path).read_bytes())
    return made.getvalue()
