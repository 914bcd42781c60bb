"""What a configuration says that counts for minifying.

Tested by ``tests/unit/build/minify/test_asked.py``.
"""

from collections.abc import Iterable, Iterator

from reconix.build.agent import needs, zipapp
from reconix.build.minify.plan import Wanted
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.health import CommandCheck
from reconix.config.schema.project import Updates
from reconix.config.schema.system import System


def wanted(
    system: System,
    packages: Iterable[LockedPackage],
    parameters: Iterable[str],
    updates: Updates,
) -> Wanted:
    """What a system wants of its root.

    Args:
        system: machine and system file, merged.
        packages: those that are locked for it.
        parameters: of its kernel, all of them.
        updates: where its devices look for them.
    """
    modules = {*zipapp.foreign_modules(), *needs.LATE_MODULES}
    modules -= set() if updates.url else needs.WEB_MODULES.keys()
    own = {each.name for each in packages if each.is_of_project}
    return Wanted(
        packages=tuple(sorted({*system.packages, *own})),
        keep=tuple(sorted(system.minify.keep)),
        programs=tuple(sorted(system.minify.programs)),
        parameters=tuple(parameters),
        commands=tuple(sorted(_commands(system))),
        modules=tuple(sorted(modules)),
        libraries=tuple(sorted(needs.LIBRARIES)),
        without=tuple(sorted(system.minify.without)),
        containers=bool(system.containers),
    )


def _commands(system: System) -> Iterator[tuple[str, str]]:
    of_agent = {**needs.PROGRAMS, **(needs.CONTAINER_PROGRAMS if system.containers else {})}
    yield from ((name, "the agent") for name in of_agent)
    yield from ((name, "commands of the desk") for name in needs.REMOTE_PROGRAMS)
    for check in system.health.checks:
        if isinstance(check, CommandCheck) and check.command:
            yield check.command[0], "a health check"
