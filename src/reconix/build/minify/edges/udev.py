"""What rules of udev reach: programs that they run, and units that they start.

A program without a path is looked for beside the rules, in ``/usr/lib/udev``.

Source: udev(7), *Rules files*.
Tested by ``tests/unit/build/minify/edges/test_udev.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.units import UnitEdges
from reconix.build.minify.graph import Edge

_RULES = re.compile(r"(usr/lib|etc)/udev/rules\.d/[^/]+\.rules")
_RUNS = re.compile(r'(?:RUN(?:\{program\})?|PROGRAM|IMPORT\{program\})\s*[+:=!]*=\s*e?"([^"]*)"')
_WANTS = re.compile(r'ENV\{SYSTEMD_(USER_)?WANTS\}\s*[+:]?=\s*"([^"]*)"')
_PROGRAMS = "usr/lib/udev"
_LOCKS_SCREENS = "/usr/bin/loginctl lock-sessions"
"""What one drive bay of 2010 does when it is locked; the devices have no sessions at a screen."""


@dataclass(frozen=True, slots=True)
class UdevEdges:
    """Finds what rules reach among the files of a device."""

    scripts: ScriptEdges
    units: UnitEdges

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that has rules of udev."""
        if not _RULES.fullmatch(path):
            return
        text = content.decode(errors="replace").replace("\\\n", " ")
        for line in (line for line in text.splitlines() if not line.lstrip().startswith("#")):
            for command in _RUNS.findall(line):
                yield from self._command(command)
            for is_user, names in _WANTS.findall(line):
                for name in names.split():
                    yield from self.units.unit(name, "user" if is_user else "system")

    def _command(self, command: str) -> Iterator[Edge]:
        program = command.split(" ")[0]
        if program and "/" not in program:
            yield Edge(f"{_PROGRAMS}/{program}", f"runs {program}")
        elif program and command != _LOCKS_SCREENS:
            yield from self.units.command(command, "RUN")
