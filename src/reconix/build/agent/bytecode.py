"""The agent, compiled for the Python that will run it.

Python keeps compiled modules beside their sources, but an application in a zip file has nowhere to
keep them: all its modules would be compiled at each start, on a slow device for seconds. So they
are compiled when the generation is built, by the Python of the root itself, run in that root, and
without docstrings, an eighth of them.

Source: PEP 552 (unchecked hashes); the Python documentation of ``zipimport``.
Tested by ``tests/compat/test_bytecode.py``.
"""

from pathlib import Path

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.build import emulation, isolation
from reconix.build.templates import DATA

SCRIPT = DATA / "compile_modules.py"
_PYTHON = "usr/bin/python3"
_SECONDS = 120
_MAX_BYTES = 1 << 26


def can_compile(root: Path) -> bool:
    """Whether a root has a Python."""
    return (root / _PYTHON).exists()


def compiled(program: bytes, root: Path, architecture: Architecture) -> bytes:
    """An application with its modules compiled by the Python of a root, without docstrings.

    Args:
        program: a zip archive of sources; the one at its top that it is started by stays one.
        root: a Debian root that ``can_compile``.
        architecture: of that root.
    """
    python = (f"/{_PYTHON}", "-I", "-S", "-B", "-c", SCRIPT.read_text())
    words = isolation.without_network(
        ("chroot", str(root), *python), emulation.own_rule(architecture)
    )
    return process.run(*words, stdin=program, timeout_seconds=_SECONDS, limit_bytes=_MAX_BYTES)
