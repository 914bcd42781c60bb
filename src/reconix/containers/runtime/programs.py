"""Whether a container finds what it is to start: the file, and what the kernel needs for it.

An entry point that is not in the image, a script whose interpreter is not there, a program for
another processor: all of that is known when a system is built. Which libraries a program finds is
left to it: images set their search paths in ways of their own.

Tested by ``tests/unit/containers/test_fitting.py``.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.build.software.device_files import Absent, DeviceFiles, Part
from reconix.build.software.programs import Programs
from reconix.containers.runtime.process import Process

_MADE_BY_THE_KERNEL = ("/dev", "/proc", "/sys")


@dataclass(frozen=True, slots=True)
class ContainerPrograms:
    """The programs of a container.

    Attributes:
        roots: the trees that it is made of, on this machine, the uppermost first.
        volumes: where it has some, of which nobody knows what is in them.
        process: of the container, which says where programs are looked for.
        architecture: of the host, as Debian calls it.
    """

    roots: tuple[Path, ...]
    volumes: Iterable[str]
    process: Process
    architecture: str

    def wrong(self, program: str) -> str:
        """What is wrong with a program that is to be started, or nothing.

        Args:
            program: a path in the container, or a name to be looked for in ``PATH``.
        """
        files, refused = self._files(), ""
        for path in self._places(program):
            found = files.find(path)
            if found is Absent.UNKNOWN:
                return ""
            if isinstance(found, Path):
                wrong = self._not_started(files, found, path)
                if not wrong:
                    return ""
                refused = refused or wrong
        return refused or ("is not there" if "/" in program else "is in no folder of its PATH")

    def _places(self, program: str) -> Iterator[str]:
        at = PurePosixPath(self.process.folder)
        for folder in [""] if "/" in program else self._search_path():
            yield str(at / folder / program)

    def _search_path(self) -> list[str]:
        return dict(self.process.environment).get("PATH", "").split(":")

    def _files(self) -> DeviceFiles:
        parts = tuple(Part("", root) for root in self.roots)
        return DeviceFiles(parts, (*_MADE_BY_THE_KERNEL, *self.volumes), links={})

    def _not_started(self, files: DeviceFiles, file: Path, path: str) -> str:
        if file.is_dir():
            return "is a folder"
        if not os.access(file, os.X_OK):
            return "is not executable"
        programs = Programs(files, self.architecture, self._search_path())
        return next((fault.fact for fault in programs.of_start(file, path)), "")
