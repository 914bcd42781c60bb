"""Whether a minimal root is whole, found out before anything is shipped and without a boot.

What stays was found by reading files, and each edge may be missed. So the result is read once more,
by the same eyes that check a team's own programs (``build/software/programs.py``): each program and
library finds its interpreter, its libraries and their versions, each script its interpreter, and
each link leads to something. What was so in the full root already is not our doing and passes.

Tested by ``tests/unit/build/minify/test_checks.py``, with real programs.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.build.software.device_files import Absent, DeviceFiles, Part
from reconix.build.software.programs import BrokenPrograms, Fault, Programs

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

    def _programs(self, root: Path) -> Programs:
        files = DeviceFiles((*self.above, Part("", root)), _MADE_LATER)
        return Programs(files, self.architecture)


def _links(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            place = Path(folder) / name
            if place.is_symlink():
                yield str(place.relative_to(root))


def _is_broken(programs: Programs, path: str) -> bool:
    return programs.files.find(f"/{path}") is Absent.MISSING
