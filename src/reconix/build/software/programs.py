"""Whether programs will run on a device, found out when they are built into a system.

A program from a team's own build was linked somewhere: for another processor, with a newer C
library, with a library that no package of the system brings. On the device that is an error of
``exec`` or of the loader, after the update. Everything that the loader will look for is known at
the desk, so it is looked for here:

* ELF files: the processor; the interpreter; each library that is ``NEEDED``, where the loader looks
  (``RPATH`` and ``RUNPATH`` with ``$ORIGIN``, the folders of ``ld.so.conf``, the usual ones), or
  anywhere in the same object, as something else may load it or name its folder; and of each library
  that is found the *versions* of symbols that are needed: ``GLIBC_2.42`` of a libc that ends with
  2.41 is an error.
* Scripts that may be run: the interpreter behind ``#!``, also behind ``/usr/bin/env``.

Object files, cores and files that hold only symbols for debuggers are not run, and not looked at.

Source: ld.so(8); ELF gABI, *Program Loading and Dynamic Linking*; LSB core, *Symbol Versioning*;
execve(2); Debian Policy 8.1 for the names of packages.
Tested by ``tests/unit/build/software/test_programs.py`` with real programs.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reconix.base.architecture import Architecture
from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.build.software.device_files import Absent, DeviceFiles
from reconix.build.software.elf import MAGIC, DamagedElf, Elf

_PROCESSORS = {"amd64": "EM_X86_64", "arm64": "EM_AARCH64", "armhf": "EM_ARM"}
"""Of an architecture of Debian, in ELF."""
_NAMES = {"EM_386": "i386", "EM_ARM": "armhf", "EM_X86_64": "amd64", "EM_AARCH64": "arm64"}
_LOADERS = tuple(each.loader for each in Architecture)
"""Of the GNU C library; another one looks for libraries in ways of its own."""
_SCRIPT = b"#!"
_MAX_LINE_BYTES = 256  # of the kernel, for #!
_TOLD = 10
SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
"""Where ``systemd`` and ``env`` look for a program that is named without a path."""
_SONAME = re.compile(r"(?P<stem>.+?)\.so\.(?P<number>[0-9.]+)")


class Fault(NamedTuple):
    """What keeps a program from running."""

    path: str
    """On the device."""
    fact: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{one_line(self.path)} {self.fact}"


class BrokenPrograms(ReconixError):
    """Programs of a system would not run on the device."""

    exit_code = 62

    def __init__(self, what: str, faults: Sequence[Fault], *, way_out: str) -> None:
        told = [str(fault) for fault in faults[:_TOLD]]
        told += [f"and {len(faults) - _TOLD} more"] if len(faults) > _TOLD else []
        hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
        super().__init__(
            "\n".join([f"{what} has programs that would not run:", *told]),
            hint="; ".join([*list(hints)[:3], way_out]),
        )


@dataclass(slots=True)
class Programs:
    """Checks the programs of one system.

    Attributes:
        files: all that the device will have.
        architecture: of the host, as Debian calls it.
        search_path: where a program is looked for that is named without a path.
    """

    files: DeviceFiles
    architecture: str
    search_path: Sequence[str] = SEARCH_PATH
    _read: dict[Path, Elf | None] = field(default_factory=dict)
    _usual: tuple[str, ...] | None = None

    def faults(
        self, tree: Path, place: str, unchecked: Callable[[str], bool] = lambda _path: False
    ) -> Iterator[Fault]:
        """What keeps the programs of an object from running.

        Args:
            tree: the object, on this machine.
            place: where it is on the device; nothing for what is laid over the root.
            unchecked: says which paths on the device are left alone.
        """
        found = sorted(_leaves(os.fspath(tree), ""))
        beside = frozenset(path.rpartition("/")[2] for path, _ in found)
        for path in (path for path, is_file in found if is_file):
            shown = f"{place}/{path}"
            if _may_be_run(f"{tree}/{path}") and not unchecked(shown):
                yield from self.of_file(tree / path, shown, beside)

    def of_file(
        self, file: Path, shown: str, beside: frozenset[str] = frozenset()
    ) -> Iterator[Fault]:
        """What keeps a file from running, if it is a program or a library.

        Args:
            file: on this machine.
            shown: its path on the device.
            beside: names of files that may be loaded together with it.
        """
        with file.open("rb") as stream:
            begin = stream.read(len(MAGIC))
        if begin == MAGIC:
            yield from self._of_elf(file, shown, beside)
        elif begin.startswith(_SCRIPT) and os.access(file, os.X_OK):
            yield from self._of_script(file, shown)

    def of_start(self, file: Path, shown: str) -> Iterator[Fault]:
        """What keeps the kernel from starting a file; what its loader wants is left alone.

        Args:
            file: on this machine.
            shown: its path on the device.
        """
        with file.open("rb") as stream:
            begin = stream.read(len(MAGIC))
        if begin.startswith(_SCRIPT):
            yield from self._of_script(file, shown)
        elif begin == MAGIC:
            yield from self._of_header(file, shown)

    def _of_header(self, file: Path, shown: str) -> Iterator[Fault]:
        try:
            elf = self._elf(file)
        except DamagedElf:
            yield Fault(shown, "begins as a program, and is damaged", "copy it again")
            return
        if elf is None or not elf.is_run:
            return
        if elf.processor != _PROCESSORS[self.architecture]:
            name = _NAMES.get(elf.processor, elf.processor.removeprefix("EM_"))
            yield Fault(shown, f"is for {one_line(name)}, and the host is {self.architecture}")
        elif elf.interpreter:
            yield from self._missing(shown, "interpreter", elf.interpreter)

    def _of_script(self, file: Path, shown: str) -> Iterator[Fault]:
        with file.open("rb") as stream:
            line = stream.read(_MAX_LINE_BYTES).partition(b"\n")[0]
        interpreter, *words = line[len(_SCRIPT) :].decode(errors="replace").strip(" \t").split(" ")
        if not interpreter.startswith("/"):
            yield Fault(shown, f"has no interpreter: {one_line(interpreter) or 'nothing'}")
            return
        yield from self._missing(shown, "interpreter", interpreter)
        if interpreter.rpartition("/")[2] == "env" and (program := _of_env(words)):
            yield from self._missing(shown, "interpreter", program)

    def _missing(self, shown: str, what: str, program: str) -> Iterator[Fault]:
        wrong = self.wrong_program(program)
        if wrong:
            hint = "a carriage return ends the line" if program.endswith("\r") else ""
            yield Fault(shown, f"needs the {what} {one_line(program)}, which {wrong}", hint)

    def wrong_program(self, program: str) -> str:
        """What is wrong with a program that is to be started, or nothing.

        Args:
            program: a path on the device, or a name to be looked for.
        """
        folders = [""] if "/" in program else [f"{each}/" for each in self.search_path]
        places = [f"{folder}{program}" for folder in folders]
        found = [self.files.find(place) for place in places]
        if Absent.UNKNOWN in found:
            return ""
        first = next((each for each in found if isinstance(each, Path)), None)
        if first is None:
            return str(Absent.MISSING.value)
        if first.is_dir():
            return "is a folder"
        return "" if os.access(first, os.X_OK) else "is not executable"

    def _of_elf(self, file: Path, shown: str, beside: frozenset[str]) -> Iterator[Fault]:
        yield from self._of_header(file, shown)
        elf = self._loadable(file)
        if elf and (not elf.interpreter or elf.interpreter in _LOADERS):
            yield from self._of_libraries(elf, shown, beside)

    def _loadable(self, file: Path) -> Elf | None:
        try:
            elf = self._elf(file)
        except DamagedElf:
            return None
        is_ours = elf is not None and elf.processor == _PROCESSORS[self.architecture]
        return elf if elf and is_ours and elf.is_run else None

    def _of_libraries(self, elf: Elf, shown: str, beside: frozenset[str]) -> Iterator[Fault]:
        places: dict[str, Path] = {}
        for name in dict.fromkeys(elf.needed):
            found = self._library(name, elf, shown)
            if isinstance(found, Path):
                places[name] = found
            elif found is Absent.MISSING and name.rpartition("/")[2] not in beside:
                package = package_of(name)
                hint = f"its package is probably {package}" if package else ""
                yield Fault(shown, f"needs the library {one_line(name)}, which is not there", hint)
        for name, versions in elf.needs:
            if name in places:
                yield from self._of_versions(shown, name, versions, places[name])

    def _of_versions(
        self, shown: str, name: str, versions: Sequence[str], library: Path
    ) -> Iterator[Fault]:
        try:
            given = self._elf(library)
        except DamagedElf:
            return  # told where it is
        if given is None or not given.gives:
            return
        missing = sorted(set(versions) - set(given.gives), key=_number)
        if missing:
            family = missing[-1].partition("_")[0]
            last = max(
                (v for v in given.gives if v.startswith(f"{family}_")), key=_number, default=""
            )
            ends = f", whose last one is {one_line(last)}" if last else ", which has no such"
            yield Fault(
                shown,
                f"needs {one_line(missing[-1])} of {one_line(name)}{ends}",
                "build it on the release of Debian that the system has, or an older one",
            )

    def _library(self, name: str, elf: Elf, shown: str) -> Path | Absent:
        if "/" in name:
            return self.files.find(name) if name.startswith("/") else Absent.UNKNOWN
        own = (self._expanded(folder, shown) for folder in elf.folders)
        unknown = False
        for folder in (*own, *self._usual_folders()):
            found = (
                self.files.find(f"{folder}/{name}") if folder.startswith("/") else Absent.UNKNOWN
            )
            if isinstance(found, Path) and self._fits(found, elf):
                return found
            unknown = unknown or found is Absent.UNKNOWN
        return Absent.UNKNOWN if unknown else Absent.MISSING

    def _fits(self, library: Path, elf: Elf) -> bool:
        """As the loader, which goes on where a library is for another processor."""
        try:
            found = self._elf(library) if library.is_file() else None
        except DamagedElf:
            return True
        return found is not None and found.processor == elf.processor

    def _expanded(self, folder: str, shown: str) -> str:
        values = {
            "ORIGIN": shown.rpartition("/")[0],
            "LIB": f"lib/{Architecture(self.architecture).triplet}",
            "PLATFORM": Architecture(self.architecture).triplet.partition("-")[0],
        }
        for token, value in values.items():
            folder = folder.replace(f"${{{token}}}", value).replace(f"${token}", value)
        return folder

    def _usual_folders(self) -> tuple[str, ...]:
        if self._usual is None:
            triplet = Architecture(self.architecture).triplet
            folders = (*self._configured_folders(), f"/lib/{triplet}", f"/usr/lib/{triplet}")
            self._usual = tuple(dict.fromkeys((*folders, "/lib", "/usr/lib", "/lib64")))
        return self._usual

    def _configured_folders(self) -> Iterator[str]:
        """Those of ``/etc/ld.so.conf.d``, which Debian's ``ld.so.conf`` includes."""
        texts: dict[str, Path] = {}
        for folder in self.files.inside("/etc/ld.so.conf.d"):
            for file in folder.glob("*.conf"):
                texts.setdefault(file.name, file)
        for name in sorted(texts):
            if texts[name].is_file():
                for line in texts[name].read_text(errors="replace").splitlines():
                    if line.strip().startswith("/"):
                        yield line.strip()

    def _elf(self, file: Path) -> Elf | None:
        if file not in self._read:
            self._read[file] = Elf.read(file)
        return self._read[file]


def _leaves(folder: str, under: str) -> Iterator[tuple[str, bool]]:
    """What is in a folder, by paths, and whether it is a file or a link: there may be very many."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _leaves(entry.path, f"{under}{entry.name}/")
            else:
                yield f"{under}{entry.name}", entry.is_file(follow_symlinks=False)


def _may_be_run(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, len(MAGIC)).startswith((MAGIC, _SCRIPT))
    finally:
        os.close(descriptor)


def _of_env(words: Sequence[str]) -> str:
    """The program that ``env`` is to start, as far as the words say."""
    for word in words:
        if word and not word.startswith("-") and "=" not in word:
            return word
    return ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def package_of(library: str) -> str:
    """What Debian calls the package of a library, if its name is as most are."""
    found = _SONAME.fullmatch(library)
    if not found:
        return ""
    stem = found["stem"].lower().replace("_", "-")
    return f"{stem}{'-' if stem[-1].isdigit() else ''}{found['number']}"
