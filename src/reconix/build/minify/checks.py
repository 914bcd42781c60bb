"""Whether a minimal root is whole, found out before anything is shipped and without a boot.

What stays was found by reading files, and each edge may be missed. So the result is read once more,
by the same eyes that check a team's own programs (``build/software/programs.py``): each program and
library finds its interpreter, its libraries and their versions, each script its interpreter, each
account its shell, and each link leads to something. What was so in the full root already is not our
doing and passes.

Tested by ``tests/unit/build/minify/test_checks.py``, with real programs.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.base.unit_text import assignments
from reconix.build.software.device_files import Absent, DeviceFiles, Part
from reconix.build.software.programs import BrokenPrograms, Fault, Programs

_MAX_TEXT_BYTES = 1 << 20
_UNITS = "usr/lib/systemd/system"
_MADE_LATER = ("/run", "/dev", "/proc", "/sys", "/tmp", "/var", "/home", "/root", "/mnt", "/nix")


@dataclass(frozen=True, slots=True)
class Roots:
    """A minimal root beside the full one.

    Attributes:
        minimal: where the one lies.
        full: where the other lies.
        above: what is laid over both; the uppermost first.
        architecture: as Debian calls it.
    """

    minimal: Path
    full: Path
    above: Sequence[Part]
    architecture: str

    def check(self) -> None:
        """Refuse a minimal root that lacks what a file of it needs.

        Raises:
            BrokenPrograms: with all that was found.
        """
        found = list(self.faults())
        if found:
            way_out = "keep what is missing with minify.keep, and tell us: no edge led to it"
            raise BrokenPrograms("the minified root", found, way_out=way_out)

    def faults(self) -> Iterator[Fault]:
        """What the minimal root lacks and the full one does not."""
        minimal, full = self._programs(self.minimal), self._programs(self.full)
        for fault in minimal.faults(self.minimal, ""):
            path = fault.path.lstrip("/")
            if fault not in full.of_file(self.full / path, fault.path):
                yield fault
        for path in sorted(_links(self.minimal)):
            if _is_broken(minimal, path) and not _is_broken(full, path):
                yield Fault(f"/{path}", "is a link to something that went")
        yield from self._shells(minimal, full)

    def _shells(self, minimal: Programs, full: Programs) -> Iterator[Fault]:
        """Shells of accounts that went."""
        place = minimal.files.find("/etc/passwd")
        for line in _lines(place) if isinstance(place, Path) else ():
            name, shell = line.partition(":")[0], line.rpartition(":")[2]
            if shell and minimal.wrong_program(shell) and not full.wrong_program(shell):
                yield Fault("/etc/passwd", f"has the shell {shell} for {name}, which went")

    def never_there(self) -> Iterator[str]:
        """The programs that units name and that the full root has not either, each once.

        Debian has such units, for packages that are perhaps installed beside them. They are told.
        """
        full = self._programs(self.full)
        for unit in sorted((self.minimal / _UNITS).glob("*.service")):
            for program in dict.fromkeys(_started(unit)) if unit.is_file() else ():
                if full.files.find(program) is Absent.MISSING:
                    yield f"{unit.name} starts {program}, which was never there"

    def _programs(self, root: Path) -> Programs:
        files = DeviceFiles((*self.above, Part("", root)), _MADE_LATER)
        return Programs(files, self.architecture)


def _lines(file: Path) -> list[str]:
    return read_bounded(file, _MAX_TEXT_BYTES).decode(errors="replace").splitlines()


def _started(unit: Path) -> Iterator[str]:
    """The programs of the lines ``Exec…=`` of a unit that must be there."""
    text = "\n".join(_lines(unit))
    for key, value in assignments([text], "Service"):
        program = value.partition(" ")[0].lstrip("@:+!|")
        if key.startswith("Exec") and program.startswith("/"):
            yield program


def _links(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            place = Path(folder) / name
            if place.is_symlink():
                yield str(place.relative_to(root))


def _is_broken(programs: Programs, path: str) -> bool:
    return programs.files.find(f"/{path}") is Absent.MISSING
