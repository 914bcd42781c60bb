"""The modules of a wheel, compiled by the Python that will run them.

An environment is read-only on a device: Python could never keep there what it compiles, and would
do it again at each start. So modules are compiled when a wheel is unpacked, by the Python of the
root itself, run in that root; one of another architecture runs there as it did when its packages
were installed. Which Python that is, the locked packages say, and with it which bytes come out.

Source: PEP 3147 (``__pycache__``), PEP 552 (unchecked hashes).
Tested by ``tests/unit/build/software/python/test_bytecode.py``.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.base.process import CommandFailed
from reconix.build import emulation, isolation
from reconix.build.templates import DATA
from reconix.config.lock.packages import LockedPackage

SCRIPT = DATA / "compile_wheel.py"
_PYTHON = "usr/bin/python3"
_OPTIONS = ("-I", "-S", "-B", "-W", "ignore")
_SECONDS = 1800
_MAX_BYTES = 1 << 30

Compile = Callable[[bytes], bytes]
"""From an archive of modules, with the folder in which they will be, to one of compiled ones."""


def compiler(root: Path, architecture: Architecture) -> Compile | None:
    """Compiles with the Python of a root; None if it cannot be run here.

    Raises:
        NotEmulated: no program of the architecture can.
    """
    python = ("chroot", str(root), f"/{_PYTHON}", *_OPTIONS)
    words = isolation.without_network(python, emulation.own_rule(architecture))
    try:
        process.run(*words, "-c", "pass", timeout_seconds=_SECONDS)
    except CommandFailed:
        return None
    return lambda archive: compile_with(words, archive)


def compile_with(python: Iterable[str], archive: bytes) -> bytes:
    """Compile with a Python that is started with some words."""
    words = (*python, "-c", SCRIPT.read_text())
    return process.run(*words, stdin=archive, timeout_seconds=_SECONDS, limit_bytes=_MAX_BYTES)


def compiled(
    modules: Mapping[str, bytes], place: str, compile_all: Compile
) -> Iterator[tuple[str, bytes]]:
    """The compiled files of modules, each with its name below the same folder.

    Args:
        modules: by name below the folder.
        place: where the folder will be on the device.
        compile_all: compiles them.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = place.encode()
        for name, content in sorted(modules.items()):
            archive.writestr(zipfile.ZipInfo(name), content)
    with zipfile.ZipFile(io.BytesIO(compile_all(packed.getvalue()))) as archive:
        for entry in archive.infolist():
            yield entry.filename, archive.read(entry)


def pins(packages: Iterable[LockedPackage], version: str) -> list[tuple[str, str]]:
    """Which packages decide what comes out: the interpreter and its smallest library."""
    names = (f"python{version}-minimal", f"libpython{version}-minimal")
    return [(each.id, str(each.sha256)) for each in sorted(packages) if each.name in names]
