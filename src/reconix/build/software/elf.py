"""What an ELF file says that decides whether it can be loaded.

Source: ELF gABI, *Program Loading and Dynamic Linking*; LSB core, *Symbol Versioning*; UAPI Group,
*ELF Dlopen Metadata* (``.note.dlopen``).
Tested by ``tests/unit/build/software/test_programs.py`` with real programs.
"""

import errno
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.construct.core import ConstructError
from elftools.elf.dynamic import DynamicSegment, DynamicTag
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.sections import Section
from elftools.elf.segments import InterpSegment, NoteSegment, Segment

MAGIC = b"\x7fELF"
_WEAK = 2
"""The flag of a version without which a program runs as well."""
_WRONG = (
    ELFError,
    ConstructError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
)
"""What the library raises for files that contradict themselves."""
_TEXTS = {"DT_NEEDED": "needed", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
"""Entries of the dynamic section that are texts, and what the library calls these."""

_STORED_NS = 1_000_000_000
"""When files of a store were changed last, as Nix has it."""
_DLOPEN = 0x407C0C0A
"""The kind of a note that names libraries that are loaded when they are wanted."""

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
        try:
            return _parse(ELFFile(stream))
        except _WRONG as error:
            raise DamagedElf from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # an offset beyond all files
                raise
            raise DamagedElf from error


def _parse(elf: ELFFile) -> Elf:
    processor = str(elf["e_machine"])
    segments = [each for each in elf.iter_segments() if each["p_filesz"]]
    if elf["e_type"] not in ("ET_EXEC", "ET_DYN") or not segments:
        return Elf(processor, is_run=False)
    texts = list(_texts(segments))
    is_dynamic = any(isinstance(each, DynamicSegment) for each in segments)
    sections = list(elf.iter_sections()) if is_dynamic else []
    return Elf(
        processor,
        is_run=True,
        interpreter="".join(s.get_interp_name() for s in segments if isinstance(s, InterpSegment)),
        needed=tuple(text for kind, text in texts if kind == "DT_NEEDED"),
        folders=_folders(texts),
        needs=tuple(_needs(sections)),
        gives=tuple(_gives(sections)),
        loads=tuple(_loads(segments)),
    )


def _texts(segments: Sequence[Segment]) -> Iterator[tuple[str, str]]:
    for segment in segments:
        if isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags():
                if tag.entry.d_tag in _TEXTS:
                    yield tag.entry.d_tag, _text(tag)


def _text(tag: DynamicTag) -> str:
    return str(getattr(tag, _TEXTS[tag.entry.d_tag]))


def _folders(texts: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    paths = {kind: text for kind, text in texts if kind != "DT_NEEDED"}
    path = paths.get("DT_RUNPATH") or paths.get("DT_RPATH") or ""
    return tuple(folder for folder in path.split(":") if folder)


def _needs(sections: Sequence[Section]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for section in sections:
        if isinstance(section, GNUVerNeedSection):
            for need, versions in section.iter_versions():
                strong = (v.name for v in versions if not v.entry.vna_flags & _WEAK)
                yield str(need.name), tuple(map(str, strong))


def _gives(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        if isinstance(section, GNUVerDefSection):
            for _, versions in section.iter_versions():
                yield str(next(iter(versions)).name)


def _loads(segments: Sequence[Segment]) -> Iterator[Loaded]:
    for segment in segments:
        if isinstance(segment, NoteSegment):
            for note in segment.iter_notes():
                if note["n_name"] == "FDO" and int(note["n_type"]) == _DLOPEN:
                    yield from map(_loaded, json.loads(bytes(note["n_desc"]).rstrip(b"\0")))


def _loaded(said: dict[str, object]) -> Loaded:
    sonames = said["soname"]
    if not isinstance(sonames, list):
        raise TypeError("soname is no list")
    priority = str(said.get("priority", "recommended"))
    return Loaded(str(said.get("feature", "")), priority, tuple(map(str, sonames)))
