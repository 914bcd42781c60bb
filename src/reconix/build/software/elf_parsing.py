"""Reading an ELF file with the library that knows all of it.

Source: ELF gABI, *Program Loading and Dynamic Linking*; LSB core, *Symbol Versioning*; UAPI Group,
*ELF Dlopen Metadata* (``.note.dlopen``).
Tested by ``tests/unit/build/software/test_programs.py`` with real programs.
"""

import errno
import json
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.construct.core import ConstructError
from elftools.elf.dynamic import DynamicSegment, DynamicTag
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.sections import Section
from elftools.elf.segments import InterpSegment, NoteSegment, Segment

from reconix.build.software.elf import DamagedElf, Elf, Loaded

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

_DLOPEN = 0x407C0C0A
"""The kind of a note that names libraries that are loaded when they are wanted."""


def parse(stream: BinaryIO) -> Elf:
    """What a file says.

    Args:
        stream: of the file, which begins as an ELF file does.

    Raises:
        DamagedElf: it contradicts itself.
    """
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
