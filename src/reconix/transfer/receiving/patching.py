"""Making the parts of a file from old content, copy by copy.

A part reads from its *sources* as if they were one file, one after the other. What is packed in a
source is expanded once, into a file without a name beside the object, so that a copy can come from
anywhere at no cost in memory; it is removed when the part is done. The result of a part goes
through the packer that it names, and on into the file.

Tested by ``tests/unit/transfer/sending/test_deltas.py``.
"""

import os
from collections.abc import Callable
from typing import BinaryIO

from reconix.base.records import dataclass, field
from reconix.transfer.codecs import packs
from reconix.transfer.codecs.modules import CannotCompile, Compiler
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.patch import add
from reconix.transfer.codecs.programs import ReadAt
from reconix.transfer.codecs.references import Moved
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.costs import MOVED_WORK, Spend
from reconix.transfer.format.plan import Copied, Part, Piece, Source
from reconix.transfer.format.stream import BadStream, Write

_AHEAD_BYTES = 1 << 16

Wrong = Callable[[str], BadStream]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An open file."""

    descriptor: int
    size_bytes: int
    renames: Renames

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.renames.read(self._raw, offset, size_bytes)

    def _raw(self, offset: int, size_bytes: int) -> bytes:
        return os.pread(self.descriptor, size_bytes, offset)


@dataclass(slots=True)
class Old:
    """Old content: files, or stretches of them, read as if they were one."""

    stretches: list["_Stretch"] = field(default_factory=list)
    size_bytes: int = 0
    _ahead_at: int = 0
    _ahead: bytes = b""  # what was read last, and more

    def append(self, descriptor: int, size_bytes: int, renames: Renames = NO_RENAMES) -> None:
        """Take over an open file, in which references may follow their objects."""
        self.stretches.append(_Stretch(descriptor, size_bytes, renames))
        self.size_bytes += size_bytes

    def read(self, offset: int, size_bytes: int) -> bytes:
        """That many bytes from there; fewer only at the end of all."""
        inside = offset - self._ahead_at  # most copies are from where the one before was
        if 0 <= inside <= len(self._ahead) - size_bytes:
            return self._ahead[inside : inside + size_bytes]
        if size_bytes >= _AHEAD_BYTES:
            return self._together(offset, size_bytes)
        self._ahead_at, self._ahead = offset, self._together(offset, _AHEAD_BYTES)
        return self._ahead[:size_bytes]

    def _together(self, offset: int, size_bytes: int) -> bytes:
        parts = []
        for stretch in self.stretches:
            if size_bytes and offset < stretch.size_bytes:
                part = stretch.read(offset, min(size_bytes, stretch.size_bytes - offset))
                parts.append(part)
                offset, size_bytes = stretch.size_bytes, size_bytes - len(part)
            offset -= stretch.size_bytes
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the files."""
        while self.stretches:
            os.close(self.stretches.pop().descriptor)


def expanded(source: Source, descriptor: int, scratch: BinaryIO) -> None:
    """Expand what is packed in a source into a scratch file.

    Raises:
        BadPack: it is not what the source says.
    """
    at = source.offset

    def read(size_bytes: int) -> bytes:
        nonlocal at
        data = os.pread(descriptor, size_bytes, at)
        at += len(data)
        return data

    for data in packs.expand(source.pack, read, source.packed_bytes, source.size_bytes):
        scratch.write(data)
    scratch.flush()
    if scratch.tell() != source.size_bytes:
        raise packs.BadPack("it expands to less than was declared")


def compiled(source: Source, descriptor: int, compiler: Compiler) -> bytes:
    """Compile a module that a source names.

    Raises:
        CannotCompile: it is not what the source says, or does not become that.
    """
    text = os.pread(descriptor, source.packed_bytes + 1, 0)
    if len(text) != source.packed_bytes:
        raise CannotCompile("it has another size")
    assert source.location is not None  # the parser sees to it
    made = compiler.compiled(source.prefix + b"/".join(source.location.path), text)
    if len(made) != source.size_bytes:
        raise CannotCompile("its compiled form has another size")
    return made


class PartMaker:
    """Makes one part; ``feed`` it the events that follow the part, then ``finish``.

    Args:
        part: what to make.
        old: what it copies from.
        write: takes what is made.
        wrong: makes an error that names the place in the stream.
        spend: takes what moving references costs (``transfer/format/costs.py``).
    """

    def __init__(self, part: Part, old: Old, write: Write, wrong: Wrong, spend: Spend) -> None:
        self._read = _read(part, old, spend)
        self._wrong = wrong
        self._left = part.size_bytes
        self._plain = part.pack is Pack.NONE
        self._write = write
        self._packer = packs.packer(part.pack, write)
        for origin, _, length in part.copies:
            if origin + length > old.size_bytes:
                raise wrong("a copy from behind the end of its source")

    def feed(self, event: Piece | Copied) -> None:
        """Take new content, or copies with what is between them."""
        data = self._made(event) if isinstance(event, Copied) else event.data
        self._left -= len(data)
        if self._plain:
            self._write(data)
        else:
            self._packer.feed(data)

    def _made(self, event: Copied) -> bytes:
        read = self._read
        old = b"".join([read(origin, length) for origin, _, length in event.copies])
        if len(old) != len(event.difference):
            raise self._wrong("a copy from behind the end of its source")
        made = add(old, event.difference)
        return _between(event, made) if event.new else made

    @property
    def complete(self) -> bool:
        """Whether all of it was made."""
        return self._left == 0

    def finish(self) -> None:
        """Write what the packer still holds."""
        self._packer.finish()


def _read(part: Part, old: Old, spend: Spend) -> ReadAt:
    if part.targets is None:
        return old.read

    def look(size_bytes: int) -> None:
        spend(MOVED_WORK * size_bytes)

    moves = part.copies.moves()
    return Moved(old.read, old.size_bytes, moves, part.targets, look, part.types_at).read


def _between(event: Copied, made: bytes) -> bytes:
    """What was made of copies, with the new content before each of them."""
    pieces = []
    at = new_at = 0
    for _, gap, length in event.copies:
        pieces.append(event.new[new_at : new_at + gap])
        pieces.append(made[at : at + length])
        at, new_at = at + length, new_at + gap
    return b"".join(pieces)
