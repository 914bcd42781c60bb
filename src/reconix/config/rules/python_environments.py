"""A Python environment has a place of its own, something in it, and a Python.

It is bound over whatever is at its path, read-only. So nothing else may be there, and nothing in it
can persist.

Tested by ``tests/unit/config/rules/test_python_environments.py``.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.rules.persist import overlap
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import System

PACKAGE = "python3"
"""What brings the Python that environments are for, with its standard library."""

_OF_THE_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/nix", "/proc", "/run", "/sbin", "/sys"),
    *("/tmp", "/usr", "/var/lib/dpkg", "/var/lib/reconix", "/var/lock", "/var/run", "/var/tmp"),
)
_OF_SEVERAL = (
    *("/", "/home", "/mnt", "/opt", "/root", "/srv"),
    *("/var", "/var/cache", "/var/lib", "/var/log", "/var/spool"),
)
"""Folders in which packages and others have something, too."""


def check_python_environments(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the Python environments of a system."""
    taken = [*_taken(system)]
    for name, wanted in sorted(system.python.items()):
        place = place_of(table, "python", name, default=file)
        yield from _has_content(name, wanted, place)
        yield from _is_apart(
            name, wanted, taken, place_of(table, "python", name, "path", default=place)
        )
        taken.append((dotted("python", name), wanted.place(name)))
    if system.python and PACKAGE not in system.packages:
        place = place_of(table, "python", default=file)
        hint = f'add it to the packages of the system: packages = ["{PACKAGE}"]'
        yield Problem(place, "python", f"needs the package {PACKAGE}", hint)


def _taken(system: System) -> Iterator[tuple[str, str]]:
    for path in (*system.persist.shared, *system.persist.paths):
        yield "persist", path
    for name, volume in sorted(system.volumes.items()):
        yield dotted("volumes", name), volume.path
    for path in sorted(system.trees):
        yield dotted("trees", path), path
    for path in sorted(path for path in system.files if path.startswith("/")):
        yield dotted("files", path), path


def _has_content(name: str, wanted: PythonEnvironment, place: Place) -> Iterator[Problem]:
    if wanted.lock is None and not wanted.wheels:
        hint = "name a lock file in lock, or wheels of your own in wheels"
        yield Problem(place, dotted("python", name), "has neither lock nor wheels", hint)
    if wanted.lock is None:
        for option in ("extras", "groups"):
            if getattr(wanted, option):
                key = dotted(dotted("python", name), option)
                yield Problem(place, key, "has no effect: there is no lock", f"remove {option}")


def _is_apart(
    name: str, wanted: PythonEnvironment, taken: list[tuple[str, str]], place: Place
) -> Iterator[Problem]:
    path, key = PurePosixPath(wanted.place(name)), dotted(dotted("python", name), "path")
    hint = "choose a folder of its own, such as /opt/air-venv"
    if str(path) in _OF_SEVERAL or any(path.is_relative_to(each) for each in _OF_THE_SYSTEM):
        yield Problem(place, key, f"{path} belongs to the system", hint)
    if any(char.isspace() for char in str(path)):
        yield Problem(place, key, f"{str(path)!r} contains white space", hint)
    for other, used in taken:
        if overlap(str(path), used):
            yield Problem(place, key, f"{path} is inside {used} of {other}, or around it", hint)
