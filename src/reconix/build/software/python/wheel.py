"""One wheel: what it says about itself, and whether it can be unpacked at all.

A wheel is an archive of others. So before anything is read from it, its table of contents is looked
at: how many files there are and how large they get, that each has a plain relative name, and that
none is a link. ``zipfile`` gives no more of a file than the table promises, so this bounds it.

Source: PEP 427 and the specification *Binary distribution format* (wheels), *Core metadata*.
Tested by ``tests/unit/build/software/python/test_wheel.py``.
"""

import errno
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from installer.exceptions import InstallerError
from installer.records import RecordEntry
from installer.sources import WheelContentElement, WheelFile
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from reconix.base import text
from reconix.base.errors import ReconixError
from reconix.store.names import BadName, check_name

MAX_FILES = 200_000
MAX_BYTES = 8 << 30
"""Of all files together: more than those with the largest libraries have."""
MAX_METADATA_BYTES = 16 << 20
"""Of one file about the wheel; RECORD grows with the number of files."""
_MAX_SAID = 400
_IN_MEMORY_BYTES = 32 << 20


class BadWheel(ReconixError):
    """A file is not a wheel that can be unpacked."""

    exit_code = 67

    def __init__(self, path: Path, file_name: str, fact: object) -> None:
        said = text.one_line(" ".join(str(fact).split())[:_MAX_SAID])
        shown = path if path.name == file_name else f"{text.one_line(file_name)} ({path})"
        super().__init__(f"{shown} is not a good wheel: {said}", hint="build or fetch it again")


@dataclass(frozen=True, slots=True)
class Wheel:
    """What a wheel says about itself."""

    path: Path
    file_name: str
    """It may be kept under another one."""
    name: str
    """Of the distribution, normalised."""
    version: Version
    tags: frozenset[Tag]
    requires: tuple[Requirement, ...]
    requires_python: SpecifierSet

    @classmethod
    def read(cls, path: Path, file_name: str | None = None) -> "Wheel":
        """Read the name and the metadata of a wheel.

        Args:
            path: where it is.
            file_name: what it is called; by default, as ``path`` is.

        Raises:
            BadWheel: it is not one, or two statements of it differ.
        """
        called = file_name or path.name
        try:
            name, version, _, tags = parse_wheel_filename(called)
        except InvalidWheelFilename as error:
            raise BadWheel(path, called, error) from error
        with opened(path, called) as source:
            raw, _ = parse_email(source.read_dist_info("METADATA"))
            said = canonicalize_name(raw.get("name", "")), Version(raw.get("version", ""))
            if said != (name, version):
                raise BadWheel(path, called, f"in it, it is called {said[0]} {said[1]}")
            requires = tuple(map(Requirement, raw.get("requires_dist", ())))
            python = SpecifierSet(raw.get("requires_python", ""))
        return cls(path, called, name, version, tags, requires, python)

    def bad(self, fact: object) -> BadWheel:
        """The error that something is wrong with it."""
        return BadWheel(self.path, self.file_name, fact)


class Source(WheelFile):
    """A wheel as ``installer`` reads it, each file checked against RECORD while it is unpacked.

    Compiled files that it may bring are left out: they would be valid for whatever Python made
    them, and at whatever source.
    """

    def get_contents(self) -> Iterator[WheelContentElement]:
        """Each file that is to be unpacked.

        Raises:
            ValueError: one is not as RECORD says.
        """
        for record, packed, executable in super().get_contents():
            if "__pycache__" in record[0].split("/"):
                continue
            stream = self._unpacked(record[0], packed)
            if not RecordEntry.from_elements(*record).validate_stream(stream):
                raise ValueError(f"hash or size of {record[0]} didn't match RECORD")
            stream.seek(0)
            yield record, stream, executable

    def _unpacked(self, name: str, packed: BinaryIO) -> BinaryIO:
        """A stream that can be read twice; one that is not too long is unpacked only once."""
        is_large = self._zipfile.getinfo(name).file_size > _IN_MEMORY_BYTES
        return packed if is_large else io.BytesIO(packed.read())


@contextmanager
def opened(path: Path, file_name: str) -> Iterator[Source]:
    """A wheel whose table of contents was checked.

    Raises:
        BadWheel: also for whatever turns out to be wrong while it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist())
            archive.filename = file_name
            yield Source(archive)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise BadWheel(path, file_name, "a file in it would begin before its start") from error
    except _FOREIGN as error:
        raise BadWheel(path, file_name, error) from error


_FOREIGN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    InstallerError,
    InvalidRequirement,
    InvalidSpecifier,
    LookupError,  # a file of the metadata is not there
    RuntimeError,  # encrypted, or packed in a way that zipfile does not know
    ValueError,  # also text that is not UTF-8, and InvalidVersion
)
"""What ``zipfile``, ``installer`` and ``packaging`` raise for what is wrong with a wheel."""


def _check(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what cannot be unpacked within bounds."""
    if len(entries) > MAX_FILES:
        raise ValueError(f"it has {len(entries)} files, more than {MAX_FILES}")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_BYTES:
        raise ValueError(f"unpacked, it has {total} bytes, more than {MAX_BYTES}")
    for entry in entries:
        for refuse in _REFUSALS:
            refuse(entry)


def _refuse_name(entry: zipfile.ZipInfo) -> None:
    try:
        for part in entry.filename.removesuffix("/").split("/"):
            check_name(part.encode())
    except (BadName, UnicodeEncodeError) as error:
        raise ValueError(f"{entry.filename[:80]!r} is no plain relative name") from error
    if "\\" in entry.filename or not entry.filename.isprintable():
        raise ValueError(f"{entry.filename[:80]!r} is no plain relative name")


def _refuse_link(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{entry.filename[:80]!r} is neither a file nor a folder")


def _refuse_large_metadata(entry: zipfile.ZipInfo) -> None:
    if ".dist-info/" in entry.filename and entry.file_size > MAX_METADATA_BYTES:
        raise ValueError(f"{entry.filename[:80]!r} has {entry.file_size} bytes")


_REFUSALS: tuple[Callable[[zipfile.ZipInfo], None], ...] = (
    _refuse_name,
    _refuse_link,
    _refuse_large_metadata,
)
