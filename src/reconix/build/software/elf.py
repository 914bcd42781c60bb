"""What an ELF file says that decides whether it can be loaded.

Source: ELF gABI, *Program Loading and Dynamic Linking*; LSB core, *Symbol Versioning*; UAPI Group,
*ELF Dlopen Metadata* (``.note.dlopen``).
Tested by ``tests/unit/build/software/test_programs.py`` with real programs.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

MAGIC = b"\x7fELF"
_STORED_NS = 1_000_000_000
"""When files of a store were changed last, as Nix has it."""
Versions = tuple[tuple[str, tuple[str, ...]], ...]
"""Versions of symbols, by library."""


class DamagedElf(Exception):
    """A file begins as an ELF file and contradicts itself."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Libraries that a program loads by itself, for one thing that it can do."""

    feature: str
    priority: str
    """``required``, ``recommended`` or ``suggested``."""
    sonames: tuple[str, ...]
    """Any of them will do; the best one first."""


@dataclass(frozen=True, slots=True)
class Elf:
    """What counts of an ELF file."""

    processor: str
    """As in the gABI: ``EM_X86_64``."""
    is_run: bool
    """Whether it is a program or a library, and not a part of one, a core, or only symbols."""
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """``RUNPATH``, or else ``RPATH``, with tokens."""
    needs: Versions = ()
    gives: tuple[str, ...] = ()
    """Versions that it defines itself."""
    loads: tuple[Loaded, ...] = ()
    """What it says about libraries that it loads by itself."""

    @classmethod
    def read(cls, file: Path) -> "Elf | None":
        """Read a file, if it is one. One of a store is read once, whatever names it has.

        Raises:
            DamagedElf: it contradicts itself.
        """
        status = file.stat()
        if status.st_mtime_ns != _STORED_NS or status.st_mode & 0o222:
            return _read(file)
        return _read_stored(_Stored((status.st_dev, status.st_ino, status.st_size), file))


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file that nobody changes."""

    identity: tuple[int, ...]
    place: Path = field(compare=False)


@cache
def _read_stored(stored: _Stored) -> Elf | None:
    """Systems of a host have most files in common, and to parse one takes 10 ms."""
    return _read(stored.place)


def _read(file: Path) -> Elf | None:
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return None
        # Late: the library is slow to import, and most builds read no file anew.
        from reconix.build.software.elf_parsing import parse

        return parse(stream)
