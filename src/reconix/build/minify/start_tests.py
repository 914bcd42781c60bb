"""Tests that services run before they start, run before anything is shipped.

``nginx -t`` reads all settings, and finds the one file that they name and that is gone. A unit says
so itself: ``ExecStartPre=``. Such a command is run twice, in the full root and in the minimal one,
with all that is laid over them: one that fails in both fails for lack of a device, of its keys, its
data, its users, and nothing follows from it. One that fails in the minimal root alone is an error.
Where this machine does not let layers be put together, that is told, and nothing is run.

Only commands that say that they test something are run, for a short while, cut off as maintainer
scripts are (``build/isolation.py``): without a network, on layers over the roots that are gone
afterwards, with none of the devices of this machine but a few that are harmless.

Source: systemd.service(5), *ExecStartPre=*.
Tested by ``tests/compat/test_start_tests.py``, with real programs.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed, run
from reconix.base.text import last_words
from reconix.base.unit_text import assignments
from reconix.build import isolation
from reconix.build.software.device_files import Part
from reconix.build.software.programs import BrokenPrograms, Fault
from reconix.build.templates import DATA

_SCRIPT = DATA / "start_test.sh"
_OWN, _SHIPPED = "systemd/system", "usr/lib/systemd/system"
_MAX_UNIT_BYTES = 1 << 20
_SECONDS = 20
_TESTS = re.compile(r"-t|-T|--?(?:test|check|dry-run|validate)[\w-]*|(?:config|check|test)[\w-]*")
_NOT_TOGETHER = 99  # the script could not make a system of the objects
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|\S+")


class _NotTogether(ReconixError):
    """The layers of a system cannot be put together here."""


@dataclass(frozen=True, slots=True)
class StartTest:
    """A command of a unit that tests something.

    Attributes:
        unit: its name.
        words: the command, a path first.
    """

    unit: str
    words: tuple[str, ...]


def start_tests(etc: Iterable[Path], root: Path) -> list[StartTest]:
    """The tests of the services of a system, sorted.

    Args:
        etc: what is laid over ``/etc``, the uppermost first.
        root: with the units of packages.
    """
    units: dict[str, Path] = {}
    for folder in (*(tree / _OWN for tree in etc), root / "etc" / _OWN, root / _SHIPPED):
        for file in sorted(folder.glob("*.service")):
            units.setdefault(file.name, file)
    return [
        StartTest(name, words)
        for name, file in sorted(units.items())
        if "@" not in name and file.is_file()
        for words in _tests(read_bounded(file, _MAX_UNIT_BYTES).decode(errors="replace"))
    ]


def _tests(text: str) -> Iterator[tuple[str, ...]]:
    """The commands of a unit that test something, and whose words mean nothing to systemd."""
    for key, value in assignments([text], "Service"):
        words = tuple(word.strip("\"'") for word in _WORD.findall(value.lstrip("@:+!|")))
        is_plain = words and words[0].startswith("/") and not re.search(r"[%$]", value)
        if key == "ExecStartPre" and is_plain and any(map(_TESTS.fullmatch, words[1:])):
            yield words


def check(minimal: Path, full: Path, above: Sequence[Part]) -> None:
    """Refuse a minimal root in which a test fails that the full one passes.

    Args:
        minimal: where the one lies, in a store.
        full: where the other lies.
        above: what is laid over both; the uppermost first.

    Raises:
        BrokenPrograms: with what each says that fails.
    """
    found = list(faults(minimal, full, above))
    if found:
        way_out = "keep what it misses with minify.keep, and tell us: no edge led to it"
        raise BrokenPrograms("the minified root", found, way_out=way_out)


def faults(minimal: Path, full: Path, above: Sequence[Part]) -> Iterator[Fault]:
    """The tests that the full root passes and the minimal one does not."""
    etc = [part.tree for part in above if part.place == "/etc"]
    for test in start_tests(etc, minimal):
        try:
            said = _failure(test, minimal, above)
            if said and not _failure(test, full, above):
                yield Fault(test.words[0], f"fails before {test.unit} starts: {said}")
        except _NotTogether as error:
            progress.note(f"cannot run what {test.unit} tests before it starts: {error}")


def _failure(test: StartTest, root: Path, above: Sequence[Part]) -> str:
    """What a test says that fails; nothing if it does not."""
    layers = ":".join(os.fspath(part.tree) for part in above if not part.place)
    etc = ":".join(os.fspath(part.tree) for part in above if part.place == "/etc")
    binds = [
        word
        for part in above
        if part.place not in ("", "/etc") and not part.place.startswith("/nix/")
        for word in (os.fspath(part.tree), part.place)
    ]
    with tempfile.TemporaryDirectory(prefix="reconix-start-test-") as room:
        Path(room).chmod(0o755)
        places = (room, os.fspath(root), layers, etc, os.fspath(root.parent), str(len(binds) // 2))
        script = ("sh", "-c", _SCRIPT.read_text(), "sh", *places, *binds, *test.words)
        try:
            run(*isolation.isolated(script), timeout_seconds=_SECONDS)
        except CommandFailed as error:
            if error.status == _NOT_TOGETHER:
                raise _NotTogether(last_words(error.output)) from error
            return last_words(error.output) or f"it exits with {error.status}"
    return ""
