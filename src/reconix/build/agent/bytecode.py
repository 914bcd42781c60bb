"""The agent, compiled for the Python that will run it.

Python keeps compiled modules beside their sources, but an application in a zip file has nowhere to
keep them: all its modules would be compiled at each start, on a slow device for seconds. So they
are compiled when the generation is built, by the Python of the root itself, run in that root. One
of another architecture cannot be run here; its agent stays as it is and starts more slowly.

Source: PEP 552 (unchecked hashes); the Python documentation of ``zipimport``.
Tested by ``tests/compat/test_bytecode.py``.
"""

import platform
from pathlib import Path

from reconix.base import process
from reconix.build import isolation
from reconix.build.templates import DATA

SCRIPT = DATA / "compile_agent.py"
_PYTHON = "usr/bin/python3"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_SECONDS = 120
_MAX_BYTES = 1 << 26


def can_compile(root: Path, architecture: str) -> bool:
    """Whether the Python of a root can be run on this machine."""
    return (root / _PYTHON).exists() and _MACHINES.get(architecture) == platform.machine()


def compiled(program: bytes, root: Path) -> bytes:
    """The application with its modules compiled by the Python of a root.

    Args:
        program: a zip application of sources.
        root: a Debian root that ``can_compile``.
    """
    python = (f"/{_PYTHON}", "-I", "-S", "-B", "-c", SCRIPT.read_text())
    words = isolation.without_network(("chroot", str(root), *python))
    return process.run(*words, stdin=program, timeout_seconds=_SECONDS, limit_bytes=_MAX_BYTES)
