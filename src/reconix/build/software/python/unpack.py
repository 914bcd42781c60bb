"""Unpacking a wheel, as ``installer`` does it, into a tree that is the same everywhere.

    lib/python3.13/site-packages/   the packages, their metadata, and __pycache__
    bin/                            scripts, for the interpreter of the environment
    include/site/python3.13/NAME/   headers
    share/ …                        whatever else a wheel has as "data"

``installer`` knows which part of a wheel belongs where, makes the scripts and writes the RECORD.
What it writes goes through here, so that no file replaces another or lies outside, and
modes follow from the wheel alone.

Source: the specification *Binary distribution format*, *Recording installed projects*.
Tested by ``tests/unit/build/software/python/test_unpack.py``.
"""

import configparser
import re
from pathlib import Path
from typing import BinaryIO, Literal

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.records import RecordEntry
from installer.utils import Scheme, parse_entrypoints

from reconix.base import text
from reconix.base.process import CommandFailed
from reconix.build.software.python import bytecode
from reconix.build.software.python.bytecode import Compile
from reconix.build.software.python.wheel import Source, Wheel, opened
from reconix.store.names import BadName, check_name

INSTALLER = b"reconix\n"
"""Who says in the metadata that it has installed a wheel; pip then leaves it alone."""

_SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_OURS = re.compile(r"pyvenv\.cfg|lib64(/.*)?|bin/python[0-9.]*|bin/[Aa]ctivate.*")
"""What an environment has itself, and what would hide it."""


def site_packages(version: str) -> str:
    """Where packages are in an environment."""
    return f"lib/python{version}/site-packages"


def unpack(wheel: Wheel, version: str, place: str, into: Path, compile_all: Compile | None) -> None:
    """Write the tree of a wheel.

    Args:
        wheel: what to unpack.
        version: of the Python that it is for: ``3.13``.
        place: where the environment will be on the device.
        into: the folder to write; it is made.
        compile_all: compiles modules; None: they stay as they are.

    Raises:
        BadWheel: it cannot be unpacked there; what was written must be discarded.
    """
    into.mkdir()
    with opened(wheel.path, wheel.file_name) as source:
        source.validate_record(validate_contents=False)  # that comes with each file
        _check_entry_points(source)
        try:
            install(source, _Destination(wheel, version, place, into), {"INSTALLER": INSTALLER})
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise wheel.bad(f"two of its files have one name: {error}") from error
    if compile_all is not None:
        site = site_packages(version)
        try:
            _compile(into / site, f"{place}/{site}", compile_all)
        except CommandFailed as error:
            said = text.last_words(error.output)
            raise wheel.bad(f"its modules cannot be compiled: {said or error.status}") from error


def _check_entry_points(source: Source) -> None:
    """Refuse entry points that cannot be read; ``installer`` only asserts that they can.

    Raises:
        ValueError: they cannot.
    """
    if "entry_points.txt" in source.dist_info_filenames:
        try:
            list(parse_entrypoints(source.read_dist_info("entry_points.txt")))
        except (AssertionError, configparser.Error) as error:
            raise ValueError(f"its entry_points.txt cannot be read: {error}") from error


def _compile(folder: Path, place: str, compile_all: Compile) -> None:
    modules = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.py")
    }
    for name, content in bytecode.compiled(modules, place, compile_all) if modules else ():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


class _Destination(SchemeDictionaryDestination):
    """Where the parts of a wheel go; checks each name."""

    def __init__(self, wheel: Wheel, version: str, place: str, into: Path) -> None:
        site = site_packages(version)
        folders = {
            "purelib": site,
            "platlib": site,
            "headers": f"include/site/python{version}/{wheel.name}",
            "scripts": "bin",
            "data": ".",
        }
        super().__init__(
            scheme_dict={name: str(into / folder) for name, folder in folders.items()},
            interpreter=f"{place}/bin/python3",
            script_kind="posix",
        )
        self._wheel, self._into = wheel, into

    def write_script(
        self, name: str, module: str, attr: str, section: Literal["console", "gui"]
    ) -> RecordEntry:
        """Write the script of an entry point."""
        if not _SCRIPT.fullmatch(name):
            raise self._wheel.bad(f"{name!r} is no name of a script")
        return super().write_script(name, module, attr, section)

    def write_to_fs(
        self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """Write a file, wherever it comes from."""
        try:
            for part in path.split("/"):
                check_name(part.encode())
        except BadName as error:
            raise self._wheel.bad(f"{path!r} leads out of the environment") from error
        place = self._path_with_destdir(scheme, path)
        inside = place.relative_to(self._into).as_posix()
        if _OURS.fullmatch(inside):
            raise self._wheel.bad(f"{inside} is of the environment itself")
        # installer would set the umask of the whole process for a moment, and wheels are unpacked
        # by several threads
        record = super().write_to_fs(scheme, path, stream, is_executable=False)
        place.chmod(0o755 if is_executable else 0o644)
        return record
