"""Wheels of the project that would not fit, told without building.

A build looks at all wheels of an environment. The locked ones were looked at when they were locked,
and their versions are in the lock. So a check can say of the project's own whether they are wheels,
for the Python of the system, and whether the lock has what they need.

Tested by ``tests/unit/build/inspect/test_own_wheels.py``.
"""

from collections.abc import Iterator

from packaging.version import Version

from reconix.build.software.python.complete import lacking
from reconix.build.software.python.locking import digest_of_question
from reconix.build.software.python.own_wheels import own_extras, own_wheels
from reconix.build.software.python.target import NoPython, Target
from reconix.build.software.python.wheel import BadWheel
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.wheels import PythonLock
from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import System


def unfit(
    system: System, locked: SystemLock, architecture: str, table: Table, file: Place
) -> Iterator[Problem]:
    """What a build would refuse of the wheels of the project.

    Args:
        system: as configured.
        locked: what it consists of; an environment that asks for something else now is left alone.
        architecture: of its host.
        table: its values, which know where they were written.
        file: where to look if they do not.
    """
    for name, wanted in system.python.items():
        lock = locked.python.get(name)
        if lock is not None and lock.asked == digest_of_question(wanted):
            place = place_of(table, "python", name, "wheels", default=file)
            for fact, hint in _unfit(wanted, lock, locked, architecture):
                yield Problem(place, f"python.{name}.wheels", fact, hint)


def _unfit(
    wanted: PythonEnvironment, lock: PythonLock, locked: SystemLock, architecture: str
) -> Iterator[tuple[str, str]]:
    versions = {wheel.name: Version(wheel.version) for wheel in lock.wheels}
    try:
        own, target = own_wheels(wanted), Target.of(locked.packages, architecture)
        for problem in lacking(own, target, own_extras(own, wanted.extras), versions):
            yield problem.fact, problem.hint
    except (BadWheel, NoPython) as error:
        yield str(error), error.hint
