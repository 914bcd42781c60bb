"""The wheels of a system's Python environments: of the lock, and of the project.

Wheels that the configuration names itself are no part of a lock: they are read where they lie, and
take the place of locked ones of the same name.

Tested by ``tests/unit/composition/test_wheels.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.build.software.python.own_wheels import own_wheels
from reconix.config.lock.hosts import SystemLock
from reconix.config.schema.system import System


@dataclass(frozen=True, slots=True)
class InstalledWheel:
    """One wheel in one environment."""

    environment: str
    name: str
    version: str
    file_name: str
    sha256: Digest
    is_own: bool
    """Whether it is the project's."""


def wheels(system: System, locked: SystemLock) -> Iterator[InstalledWheel]:
    """All wheels of all environments.

    Raises:
        BadWheel: a file of the project is none.
    """
    for environment, wanted in system.python.items():
        own = own_wheels(wanted)
        for each in own:
            facts = (each.name, str(each.version), each.file_name, Digest.of_file(each.path))
            yield InstalledWheel(environment, *facts, is_own=True)
        names = {each.name for each in own}
        known = locked.python.get(environment)
        for wheel in known.wheels if known else ():
            if wheel.name not in names:
                found = (wheel.name, wheel.version, wheel.file_name, wheel.sha256)
                yield InstalledWheel(environment, *found, is_own=wheel.is_of_project)
