"""Archives with an image in them, as a table of files that can be read in any order.

``docker save``, ``podman save`` and ``skopeo copy`` write tar archives, plain or, after them,
compressed. Of such an archive a few small files are read first and the large ones by need, so it is
gone through once and each file remembered by place and size. One that is compressed is unpacked
first, to a file without a name.

What stands twice could be read in two ways and is refused. Older versions of ``docker save`` write
a layer once and lead to it by links: these are followed, within the archive.

Tested by ``tests/unit/containers/test_layout.py``; with files of real programs by
``tests/compat/test_oci_sources.py``.
"""

import io
import posixpath
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reconix.base.files import BadFile, open_regular
from reconix.containers.descriptors import BadImage
from reconix.containers.layers.merging import shown
from reconix.containers.layers.packed import BadPacking, is_packed, unpacked
from reconix.containers.layers.tar import BadTar, Kind, Reader

_MAX_FILES = 100_000
_MAX_LINKS = 8
_MAX_BYTES = 16 << 30
"""Of an archive that is unpacked first."""


@dataclass(frozen=True, slots=True)
class _Place:
    offset: int
    size_bytes: int


class ArchiveFiles:
    """The files in an archive.

    Args:
        path: the archive.
        work: a folder where a compressed one can be unpacked.

    Raises:
        BadImage: it is damaged, or ambiguous.
    """

    def __init__(self, path: Path, work: Path) -> None:
        self._path = path
        self._places: dict[str, _Place] = {}
        self._links: dict[str, str] = {}
        self._file = _opened(path, work)
        try:
            self._list()
        except BadTar as error:
            self._file.close()
            raise BadImage(f"{path}: {error}") from error

    def close(self) -> None:
        """Nothing more is read of it."""
        self._file.close()

    def size_bytes(self, name: str) -> int | None:
        """How large a file is; nothing if there is none."""
        place = self._find(name)
        return place.size_bytes if place else None

    def open(self, name: str) -> BinaryIO:
        """A file that is there, to read it; what is opened before is not read any more."""
        place = self._find(name)
        assert place is not None
        self._file.seek(place.offset)
        return io.BufferedReader(_Part(self._file, place.size_bytes))

    def _find(self, name: str) -> _Place | None:
        for _ in range(_MAX_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._places.get(name)

    def _list(self) -> None:
        for member in Reader(self._file.read):
            name = posixpath.normpath(member.name.decode(errors="surrogateescape"))
            if member.kind is Kind.FOLDER:
                continue
            if name in self._places or name in self._links:
                raise BadTar(f"{shown(member.name)} stands twice in it")
            if len(self._places) + len(self._links) >= _MAX_FILES:
                raise BadTar(f"it has more than {_MAX_FILES} files")
            target = member.target.decode(errors="surrogateescape")
            if member.kind is Kind.FILE:
                self._places[name] = _Place(self._file.tell(), member.size_bytes)
            elif member.kind is Kind.HARD_LINK:
                self._links[name] = posixpath.normpath(target)
            elif member.kind is Kind.LINK:
                self._links[name] = posixpath.normpath(
                    posixpath.join(posixpath.dirname(name), target)
                )


class _Part(io.RawIOBase):
    """Some bytes of a file, from where it stands."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left = file, size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._file.read(min(len(view), self._left))
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


def _opened(path: Path, work: Path) -> BinaryIO:
    """An archive that can be read in any order."""
    try:
        file = open_regular(path)
    except (BadFile, OSError) as error:
        raise BadImage(f"there is no archive {path}: {error}") from error
    if is_packed(file):
        with file:
            return _unpacked(file, path, work)
    return file


def _unpacked(file: BinaryIO, path: Path, work: Path) -> BinaryIO:
    plain: BinaryIO = tempfile.TemporaryFile(dir=work)  # noqa: SIM115 - a caller closes it
    size_bytes = 0
    try:
        for piece in unpacked(file):
            size_bytes += len(piece)
            if size_bytes > _MAX_BYTES:
                raise BadPacking(f"it is unpacked to more than {_MAX_BYTES} bytes")
            plain.write(piece)
    except BadPacking as error:
        plain.close()
        raise BadImage(f"{path}: {error}") from error
    plain.seek(0)
    return plain
