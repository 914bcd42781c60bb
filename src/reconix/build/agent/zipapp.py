"""The agent as one file: a zip application with exactly what it imports.

The agent must run where nothing is installed but Python itself, so it is one file:
``python3 -I -S reconix-device.pyz``. It holds the modules that ``reconix.device`` reaches by
import, also by an import inside a function, and the file ``features``, which tells a sender what
streams it takes; nothing else. Names are sorted, times are
1980-01-01, nothing is compressed: same sources, same bytes, whatever Python and zlib packed them.

Tested by ``tests/unit/build/agent/test_zipapp.py``.
"""

import io
import zipfile
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.build.imports import SOURCE, imported, reached
from reconix.build.templates import DATA
from reconix.transfer.codecs import compiled
from reconix.transfer.format.stream import AGENT, AGENT_FEATURES, print_features

MAIN_MODULE = "reconix.device.__main__"
PROGRAM = AGENT
SCRIPTS = tuple(DATA / name for name in ("root.sh", "leave", "switch", "fallback", "container"))
"""Scripts beside the program: how a soft reboot puts the root of the next system together, what
is left to do when the agent does not run, and what starts containers without it."""


def beside(architecture: Architecture) -> tuple[Path, ...]:
    """What lies beside the program: scripts, and the part of it that is compiled."""
    if architecture.machine not in compiled.MACHINES:
        return SCRIPTS
    return *SCRIPTS, Path(compiled.__file__).with_name(compiled.file_name(architecture.machine))


_START = b"""\
import sys

from reconix.device.__main__ import main

sys.exit(main())
"""


def pack(source: Path = SOURCE) -> bytes:
    """Make the zip application of the agent from the sources of this project.

    Raises:
        NotOurs: an import names a module that does not exist.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _START)
        _add(archive, AGENT_FEATURES, print_features())
        for path in modules(source):
            _add(archive, path, (source / path).read_bytes())
    return packed.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, whatever runs this
    entry.external_attr = 0o100444 << 16
    archive.writestr(entry, content)


def modules(source: Path = SOURCE) -> list[str]:
    """The files of all modules that the agent reaches by import, sorted.

    Raises:
        NotOurs: an import names a module that does not exist.
    """
    found = reached([MAIN_MODULE], source).values()
    return sorted(str(file.relative_to(source)) for file in found)


def foreign_modules(source: Path = SOURCE) -> set[str]:
    """The modules that the agent's own files import and that are not ours."""
    return {
        name
        for path in modules(source)
        for name, _ in imported((source / path).read_bytes())
        if name.split(".")[0] != "reconix"
    }
