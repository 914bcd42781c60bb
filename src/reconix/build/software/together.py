"""Whether what a system consists of fits together.

Each object may be right and the system still not work: a link of a tree leads to a program that no
package brings, a unit starts what nobody has installed, a program was linked with a newer library.
When all objects are known, and before anything is a generation, they are held against each other.

Tested by ``tests/unit/build/software/test_together.py``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.build.software.device_files import Absent
from reconix.build.software.programs import BrokenPrograms, Programs
from reconix.build.software.trees import FoundTree
from reconix.build.units import exec_lines
from reconix.build.users.accounts import Accounts, UnknownAccount
from reconix.config.patterns import Patterns
from reconix.config.schema.health import CommandCheck
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import System

_MISSING = "is it misspelt, or is its package or tree missing?"
_UNCHECKED = "what is not for this system can be named in unchecked"


class DanglingLink(ReconixError):
    """A tree has a link to something that no device will have."""

    exit_code = 62


class NoProgram(ReconixError):
    """A unit starts, or a health check runs, what is not there or cannot be run."""

    exit_code = 62


def check_tree(found: FoundTree, place: Path, programs: Programs) -> None:
    """Refuse a tree whose programs would not run, or with links that lead nowhere.

    Args:
        found: the tree.
        place: its object, on this machine.
        programs: of the system.

    Raises:
        BrokenPrograms, DanglingLink: with all that was found, or the first of it.
    """
    for path, target in found.source.links_out():
        if programs.files.find(target) is Absent.MISSING:
            raise DanglingLink(
                f"{found.key}: {one_line(path)} is a link to {one_line(target)}, "
                "which no device will have",
                hint="bring that, too, or leave the link out with exclude",
            )
    is_unchecked = _unchecked(found.tree.unchecked, found.place)
    faults = list(programs.faults(place, "" if found.is_layer else found.place, is_unchecked))
    if faults:
        raise BrokenPrograms(found.key, faults, way_out=_UNCHECKED)


def check_environment(
    name: str, environment: PythonEnvironment, place: Path, programs: Programs
) -> None:
    """Refuse a Python environment whose libraries would not load, or scripts not start.

    Args:
        name: of the environment.
        environment: as configured.
        place: its object, on this machine.
        programs: of the system.

    Raises:
        BrokenPrograms: with all that was found.
    """
    where = environment.place(name)
    faults = list(programs.faults(place, where, _unchecked(environment.unchecked, where)))
    if faults:
        raise BrokenPrograms(f"python.{name}", faults, way_out=_UNCHECKED)


def _unchecked(patterns: Sequence[str], place: str) -> Callable[[str], bool]:
    """Which paths on the device are left alone."""
    unchecked, own = Patterns(tuple(patterns)), f"{place}/"
    return lambda path: path.startswith(own) and unchecked.cover(path.removeprefix(own))


def check_units(units: Mapping[str, Sequence[str]], accounts: Accounts, programs: Programs) -> None:
    """Refuse units of the configuration that cannot start.

    Args:
        units: texts by name: its own and those of its drop-ins.
        accounts: everybody on the system.
        programs: of the system.

    Raises:
        NoProgram: a program is not there, or cannot be run.
        UnknownAccount: a user or a group is not there.
    """
    for unit, texts in units.items():
        for each in exec_lines.programs(texts):
            if wrong := _wrong(each.program, programs):
                raise NoProgram(
                    f"{unit}: {each.key} starts {one_line(each.program)}, which {wrong}",
                    hint=_MISSING,
                )
        for key, name in exec_lines.accounts(texts):
            known = accounts.users if key == "User" else accounts.groups
            if name not in {account.name for account in known}:
                raise UnknownAccount(
                    f"{unit}: {key}={one_line(name)}, and there is no such {key.lower()}",
                    hint=f"add users.{one_line(name)} with system = true, or the package of it",
                )


def check_commands(system: System, programs: Programs) -> None:
    """Refuse health checks that run what is not there: no trial would ever pass them.

    Raises:
        NoProgram: there is one.
    """
    for check in system.health.checks:
        if isinstance(check, CommandCheck) and check.command:
            program = check.command[0]
            if wrong := _wrong(program, programs):
                raise NoProgram(
                    f"health.checks runs {one_line(program)}, which {wrong}", hint=_MISSING
                )


def _wrong(program: str, programs: Programs) -> str:
    """Why a program that is to be started would not be, or nothing."""
    return programs.wrong_program(program) or _first_fault(program, programs)


def _first_fault(program: str, programs: Programs) -> str:
    """What is wrong with a program that is a file of the configuration, or with a script."""
    found = programs.files.find(program) if program.startswith("/") else Absent.UNKNOWN
    if not isinstance(found, Path):
        return ""
    return next((fault.fact for fault in programs.of_file(found, program)), "")
