"""A disk of a device that runs a rescue system, written through its shell.

Of a rescue system nothing is expected but a shell, ``dd``, ``blockdev`` and ``sha256sum``, and
those of busybox are enough. All pieces go through one connection:

    BYTES OF A BLOCK, NUMBER OF THE FIRST, HOW MANY    a line, which the shell reads byte by byte
    …                                                  these blocks: dd reads them and no more

A link that breaks leaves a shell that finds no further line.

Source: POSIX, *dd*, *read*. ``iflag=fullblock`` is of GNU, busybox and toybox; without it dd would
take for a block what a pipe happens to give at once.
Tested by ``tests/compat/test_install.py`` on loop devices, with the contract of all targets.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, Protocol

from reconix.base.digests import BadDigest, Digest
from reconix.image.block_map import Extent
from reconix.image.layout import MIB
from reconix.image.target_disk import (
    MAX_FACTS_BYTES,
    SCRIPT,
    TargetDisk,
    UnfitTarget,
    parse_facts,
)

_AT_ONCE = 256
"""How many pieces are hashed by one command: all words of a command have room for that."""
_DIGITS = 64

_WRITE = """\
set -eu
while read -r bytes first count; do
    dd of="$1" bs="$bytes" seek="$first" count="$count" iflag=fullblock conv=notrunc 2>/dev/null
done
dd if=/dev/null of="$1" conv=notrunc,fsync 2>/dev/null
"""
_HASH = """\
set -eu
disk=$1
shift
blockdev --flushbufs "$disk"
for each; do
    set -- $each
    dd if="$disk" bs="$1" skip="$2" count="$3" 2>/dev/null | sha256sum
done
"""
_FINISH = 'blockdev --rereadpt "$1" 2>/dev/null || :'


class Shell(Protocol):
    """Where commands are run: at the other end of a link."""

    def telling(self, *command: str) -> AbstractContextManager[BinaryIO]:
        """Run a command there; gives its standard input."""

    def hearing(self, *command: str) -> AbstractContextManager[BinaryIO]:
        """Run a command there; gives its standard output as it comes."""


class _Blocks(NamedTuple):
    """A piece as dd is told."""

    size_bytes: int
    first: int
    blocks: int

    @classmethod
    def of(cls, extent: Extent) -> "_Blocks":
        """In the largest blocks that it consists of."""
        both = extent.offset | extent.size_bytes | MIB
        size = both & -both
        return cls(size, extent.offset // size, extent.size_bytes // size)

    def __str__(self) -> str:
        return f"{self.size_bytes} {self.first} {self.blocks}"


class RescueDisk:
    """A disk at the other end of a link.

    Args:
        shell: there.
        path: of the disk, there.
    """

    def __init__(self, shell: Shell, path: str) -> None:
        self._shell, self._path = shell, path

    def describe(self) -> TargetDisk:
        """Find out what it is.

        Raises:
            UnfitTarget: it must not be written.
            ReconixError: the device does not answer.
        """
        with self._shell.hearing(*self._script(SCRIPT)) as source:
            return parse_facts(source.read(MAX_FACTS_BYTES), self._path)

    def write(self, pieces: Iterable[tuple[Extent, Iterable[bytes]]]) -> None:
        """Write pieces of the disk; durable when it returns."""
        with self._shell.telling(*self._script(_WRITE)) as sink:
            for extent, content in pieces:
                sink.write(f"{_Blocks.of(extent)}\n".encode())
                for chunk in content:
                    sink.write(chunk)

    def digests(self, extents: Sequence[Extent]) -> Iterator[Digest]:
        """The SHA-256 of each piece, from the medium."""
        for begin in range(0, len(extents), _AT_ONCE):
            asked = [str(_Blocks.of(extent)) for extent in extents[begin : begin + _AT_ONCE]]
            with self._shell.hearing(*self._script(_HASH), *asked) as source:
                for _ in asked:
                    yield self._digest(source.readline(2 * _DIGITS))

    def finish(self) -> None:
        """Let the kernel there look at the new table."""
        with self._shell.telling(*self._script(_FINISH)):
            pass

    def _script(self, script: str) -> tuple[str, ...]:
        return ("sh", "-c", script, "reconix", self._path)

    def _digest(self, line: bytes) -> Digest:
        try:
            return Digest.parse(line[:_DIGITS].decode("ascii", "replace"))
        except BadDigest as error:
            raise UnfitTarget(f"{self._path}: sha256sum says {line[:80]!r}") from error
