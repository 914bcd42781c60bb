"""References moved and bytes added by a compiled library, where there is one; else by Python.

To look at a reference and move it takes Python half a microsecond, and compiled code a hundredth of
that; a kernel has half a million of them. The library is ``moves.c``, which calls no other one,
compiled for each architecture of ours. It lies beside this module, or, on a device, beside the
agent. A device that has another processor, or no such file, moves them as ``references.py`` does;
the bytes are the same, or nothing that is made would have the digest that it must have.

The library trusts what it is told of sizes, so they are taken here from the very objects that it
gets: bytes, arrays.

Why it is not Python alone: ``docs/decisions/0101-a-compiled-part.md``.
Tested by ``tests/unit/transfer/codecs/test_compiled.py``, against Python.
"""

import ctypes
import functools
import os
from array import array
from pathlib import Path

from reconix.base.records import dataclass
from reconix.transfer.codecs.programs import Kind, Section

MACHINES = ("aarch64", "x86_64")
"""As the kernel calls them: those for which there is a library."""

KINDS = {
    Kind.X86: 1,
    Kind.A64: 2,
    Kind.PLACES: 3,
    Kind.FRAME_TABLE: 4,
    Kind.FRAMES: 5,
    Kind.ADDRESSES: 6,
    Kind.TYPES: 7,
}
"""As the library numbers them; relocations and symbols have functions of their own."""

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1

_NUMBER, _COUNT, _FLAG = ctypes.c_int64, ctypes.c_uint64, ctypes.c_int
_BLOCK = (ctypes.c_char_p, ctypes.c_void_p, _COUNT)
_NUMBERS = (ctypes.c_void_p, _COUNT)
_STEPS = (ctypes.c_void_p, ctypes.c_void_p, _COUNT)
FUNCTIONS = {
    "move_block": (_FLAG, _FLAG, *_BLOCK, _NUMBER, _COUNT, _NUMBER, _NUMBER, *_STEPS),
    "move_relocations": (*_BLOCK, _FLAG, _NUMBER, _FLAG, _NUMBER, *_NUMBERS, *_STEPS),
    "whole_records": (ctypes.c_char_p, _COUNT, ctypes.c_void_p),
    "add_bytes": (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, _COUNT),
    "move_symbols": (*_BLOCK, *_NUMBERS, *_STEPS),
}


def file_name(machine: str) -> str:
    """What the library for a machine is called."""
    return f"moves-{machine}.so"


@dataclass(frozen=True, slots=True)
class Steps:
    """How far addresses move: from ``starts[i]`` on by ``by[i + 1]``, before that by ``by[0]``."""

    starts: "array[int]"
    by: "array[int]"

    def __post_init__(self) -> None:
        assert self.starts.typecode == self.by.typecode == "q"
        assert len(self.by) == len(self.starts) + 1

    def passed(self) -> tuple[int, int, int]:
        """As the library takes it."""
        (starts, count), (by, _) = _passed(self.starts), _passed(self.by)
        return starts, by, count


def _passed(numbers: "array[int]") -> tuple[int, int]:
    """Where numbers are in memory, and how many."""
    return numbers.buffer_info()


class Library:
    """The compiled functions.

    Raises:
        OSError: there is no such file, or it is for another processor.
        AttributeError: it lacks a function.
    """

    def __init__(self, file: Path) -> None:
        self._library = ctypes.CDLL(str(file))
        for name, arguments in FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = None, arguments

    def block(
        self,
        section: Section,
        begin: int,
        block: bytes,
        bounds: tuple[int, int],
        steps: Steps,
        *,
        spelled: bool = False,
    ) -> bytes:
        """A block with its references moved.

        Args:
            section: where it is from; neither relocations nor symbols.
            begin: where in the section.
            block: its bytes.
            bounds: the lowest and the highest address of the program.
            steps: how far addresses move.
            spelled: what is relative becomes the address that it means, as a sender compares it
                (``transfer/sending/targets.py``).
        """
        if section.kind is Kind.NONE:
            return block
        kind = KINDS[section.kind]
        low, high = max(bounds[0], _LEAST), min(bounds[1], _MOST)
        origin = section.target if section.kind is Kind.TYPES else section.address
        out, given = _given(block)
        self._library.move_block(
            *(kind, spelled, *given, origin, begin, low, high, *steps.passed())
        )
        return out.tobytes()

    def relocations(
        self,
        block: bytes,
        target: int | None,
        symbols: int | None,
        spaces: "array[int]",
        steps: Steps,
    ) -> bytes:
        """A block of relocations, moved.

        Args:
            block: its bytes.
            target: where offsets count from; None: nothing happens there.
            symbols: where the table of symbols is; None: likewise.
            spaces: for each symbol where begins what it stands for, or -1; none: all at 0.
            steps: how far addresses move.
        """
        out, given = _given(block)
        bases = [number for each in (target, symbols) for number in (each is not None, each or 0)]
        self._library.move_relocations(*given, *bases, *_passed(spaces), *steps.passed())
        return out.tobytes()

    def symbols(self, block: bytes, bases: "array[int]", steps: Steps) -> bytes:
        """A block of symbols, moved; ``bases``: where sections begin, or -1, by number."""
        out, given = _given(block)
        self._library.move_symbols(*given, *_passed(bases), *steps.passed())
        return out.tobytes()

    def whole_bytes(self, block: bytes) -> int:
        """How many bytes the whole records of types at the begin of a block have (``btf.py``)."""
        found = array("Q", [0])
        self._library.whole_records(block, len(block), _passed(found)[0])
        return found[0]

    def add(self, old: bytes, difference: bytes) -> bytes:
        """Add byte by byte, each modulo 256; both have the same size."""
        assert len(old) == len(difference)
        out, (_, place, size) = _given(old)
        self._library.add_bytes(old, difference, place, size)
        return out.tobytes()


def _given(block: bytes) -> "tuple[array[int], tuple[bytes, int, int]]":
    """Where a moved block will be, and both as the library takes them.

    An array says where it is; ``ctypes`` would make, and keep, a type for each size of block.
    """
    out = array("B", block)
    return out, (block, *_passed(out))


@functools.cache
def library() -> Library | None:
    """The library for this machine; None if there is none."""
    machine = os.uname().machine
    if machine not in MACHINES:
        return None
    try:
        return Library(_folder() / file_name(machine))
    except (OSError, AttributeError):
        return None


def _folder() -> Path:
    """Where this module is, or the archive that has it."""
    return next(folder for folder in Path(__file__).parents if folder.is_dir())
