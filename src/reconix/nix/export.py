"""Streams of ``nix-store --export``: archives one after the other, each followed by its facts.

::

    stream = { 1 archive "NIXE" path references deriver 0 } 0

Numbers have 64 bits, little endian; a text is its length, its bytes and zeros up to a multiple of
8; ``references`` is a number and as many texts. The name of an object comes *after* its content,
and the stream carries no digest of it: whoever takes it in trusts the one who sent it, as with
Nix.

Source: ``libstore/export-import.cc`` of Nix 2.8.
Tested by ``tests/compat/test_nix_export.py``, in both directions.
"""

from collections.abc import Iterable, Iterator

from reconix.base.errors import ReconixError
from reconix.nix.chroot import ChrootStore
from reconix.nix.database import PathInfo
from reconix.store import nar
from reconix.store.closure import StoreObject
from reconix.store.nar import NarInfo, Read, Write
from reconix.store.paths import BadStorePath, StorePath

_MAGIC = 0x4558494E
_MOST_REFERENCES = 100_000
_LONGEST_TEXT = 4096


class BadExport(ReconixError):
    """The bytes are not a stream of ``nix-store --export``."""

    exit_code = 22

    def __init__(self, what: str) -> None:
        super().__init__(f"bad export: {what}", hint="make it again: nix-store --export")


def import_stream(store: ChrootStore, read: Read) -> list[StorePath]:
    """Take in all objects of a stream, in its order; those before a fault stay.

    Raises:
        BadExport: the stream is damaged.
        BadArchive: an archive in it is.
        NotValid: an object comes before one that it refers to.
    """
    found = []
    while (mark := _number(read)) != 0:
        if mark != 1:
            raise BadExport(f"a mark of {mark}")
        found.append(store.receive_unnamed(nar.parse(read), lambda info: _facts(read, info)))
    return found


def export_stream(store: ChrootStore, paths: Iterable[StorePath], write: Write) -> None:
    """Write objects for ``nix-store --import``; an object must come after what it refers to.

    Raises:
        NotValid: one of them is not here.
    """
    for path in paths:
        info = store.path_info(path)
        write(_print_number(1))
        nar.dump(store.path(path), write)
        write(_print_number(_MAGIC) + _print_text(str(path)))
        write(_print_number(len(info.object.references)))
        for reference in info.object.references:
            write(_print_text(str(reference)))
        write(_print_text(str(info.deriver) if info.deriver else "") + _print_number(0))
    write(_print_number(0))


def _facts(read: Read, measured: NarInfo) -> PathInfo:
    if _number(read) != _MAGIC:
        raise BadExport("no mark after an archive")
    path = _path(_text(read))
    references = sorted(_path(text) for text in _texts(read))
    deriver = _text(read)
    if _number(read) != 0:
        raise BadExport("a signature of a kind that Nix gave up long ago")
    return PathInfo(
        StoreObject(path, measured.digest, measured.size_bytes, tuple(references)),
        deriver=_path(deriver) if deriver else None,
    )


def _path(text: str) -> StorePath:
    try:
        return StorePath.parse(text)
    except BadStorePath as error:
        raise BadExport(str(error)) from error


def _texts(read: Read) -> Iterator[str]:
    count = _number(read)
    if count > _MOST_REFERENCES:
        raise BadExport(f"{count} references")
    for _ in range(count):
        yield _text(read)


def _text(read: Read) -> str:
    size = _number(read)
    if size > _LONGEST_TEXT:
        raise BadExport(f"a text of {size} bytes")
    text = _exactly(read, size)
    if any(_exactly(read, -size % 8)):
        raise BadExport("padding that is not zero")
    return text.decode(errors="replace")


def _number(read: Read) -> int:
    return int.from_bytes(_exactly(read, 8), "little")


def _exactly(read: Read, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = read(size - len(data))
        if not more:
            raise BadExport("it is truncated")
        data += more
    return data


def _print_number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _print_text(text: str) -> bytes:
    content = text.encode()
    return _print_number(len(content)) + content + bytes(-len(content) % 8)
