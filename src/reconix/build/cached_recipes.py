"""The expensive objects of a system, by recipe: its root and its kernel.

Both follow from the lock alone, so whoever has the lock can ask a store whether they are there,
without building: a build, to make nothing twice, and a check, to say early what a build would say
(``build/inspect/preflight.py``).

Tested by ``tests/compat/test_build.py``.
"""

import re
from collections.abc import Iterable

from reconix.build import recipes
from reconix.build.boot import linux
from reconix.build.recipes import Recipe
from reconix.build.root import debian
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.lock.packages import LockedPackage

_KERNEL_PACKAGE = re.compile(r"^linux-(image|modules|binary)-")


def root_recipe(system: SystemLock, lock: HostLock) -> Recipe:
    """What the Debian root of a system is made from."""
    return packages_recipe("root", "debian-root", system.packages, lock)


def packages_recipe(
    kind: str, name: str, packages: Iterable[LockedPackage], lock: HostLock
) -> Recipe:
    """What any root of Debian packages is made from.

    Args:
        kind: of root.
        name: of its object.
        packages: all that is in it.
        lock: of the host.
    """
    inputs = [("suite", lock.suites[0]), ("architecture", lock.architecture), *pinned(packages)]
    code = (*recipes.sources(debian), debian.AGENT_COMMAND)
    return Recipe(kind, name, tuple(inputs), code)


def linux_recipe(system: SystemLock) -> Recipe:
    """What the object of a kernel is made from."""
    name = f"linux-{linux_version(system)}"
    return Recipe("linux", name, tuple(pinned(system.kernel)), recipes.sources(linux))


def linux_version(system: SystemLock) -> str:
    """The version as the kernel itself says it, from the names of its packages."""
    return max(_KERNEL_PACKAGE.sub("", package.name) for package in system.kernel)


def pinned(packages: Iterable[LockedPackage]) -> list[tuple[str, str]]:
    """Packages as inputs of a recipe, sorted."""
    return [(package.id, str(package.sha256)) for package in sorted(packages)]
