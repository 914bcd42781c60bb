"""What a configuration says that counts for minifying.

Tested by ``tests/unit/build/minify/test_asked.py``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconix.build.agent import needs, zipapp
from reconix.build.minify.plan import Wanted
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.health import CommandCheck
from reconix.config.schema.project import Updates
from reconix.config.schema.system import System


@dataclass(frozen=True, slots=True)
class OfKernel:
    """What of a kernel counts for a root.

    Attributes:
        parameters: of it, all of them.
        drivers: the modules that it has or consists of; nothing if any device may be connected.
        is_lz4: whether its image is packed so that a device needs a library to pack another one.
    """

    parameters: tuple[str, ...] = ()
    drivers: tuple[str, ...] | None = None
    is_lz4: bool = False


def wanted(
    system: System, packages: Iterable[LockedPackage], kernel: OfKernel, updates: Updates
) -> Wanted:
    """What a system wants of its root.

    Args:
        system: machine and system file, merged.
        packages: those that are locked for it.
        kernel: of the system.
        updates: where its devices look for them.
    """
    modules = {*zipapp.foreign_modules(), *needs.LATE_MODULES}
    modules -= needs.TYPING_MODULES.keys()
    modules -= set() if updates.url else needs.WEB_MODULES.keys()
    libraries = needs.LIBRARIES.keys() - (set() if kernel.is_lz4 else needs.LZ4_LIBRARIES.keys())
    own = {each.name for each in packages if each.is_of_project}
    return Wanted(
        packages=tuple(sorted({*system.packages, *own})),
        keep=tuple(sorted(system.minify.keep)),
        programs=tuple(sorted(system.minify.programs)),
        parameters=kernel.parameters,
        commands=tuple(sorted(_commands(system))),
        modules=tuple(sorted(modules)),
        libraries=tuple(sorted(libraries)),
        without=tuple(sorted(system.minify.without)),
        containers=bool(system.containers),
        drivers=kernel.drivers,
    )


def _commands(system: System) -> Iterator[tuple[str, str]]:
    of_agent = {**needs.PROGRAMS, **(needs.CONTAINER_PROGRAMS if system.containers else {})}
    yield from ((name, "the agent") for name in of_agent)
    yield from ((name, "commands of the desk") for name in needs.REMOTE_PROGRAMS)
    for check in system.health.checks:
        if isinstance(check, CommandCheck) and check.command:
            yield check.command[0], "a health check"
