"""Preflight: what a build would refuse, as far as the store knows without building.

Only packages say which units there are and how large a system gets, so a build judges that
(decision 0019). But packages change with the lock, and between two locks a configuration is edited
many times: as a rule the root and the kernel of the next build are in the store already, and the
lock leads to them. Then a check already finds, and reports with their place:

* a health check or ``services.enable`` names a unit that does not exist;
* a user would get an ID that is not available;
* a folder persists where a unit of a package needs a link;
* a unit of the configuration starts a program that neither packages nor trees have;
* a folder that is a tree has something that no device can have, or packages are in its way;
* a wheel of the project is none, is for another Python, or needs what is not locked
  (``own_wheels.py``);
* the contents of root and kernel alone are larger than the budget of the system.

Nothing here is a guess. What is not in the store, or not locked as it is configured, is left to the
build, which checks everything.

Tested by ``tests/unit/build/inspect/test_preflight.py``.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base.text import one_line
from reconix.build import cached_recipes, recipes
from reconix.build.archive.debs import changed_since
from reconix.build.etc.generated_files import (
    checked_units,
    generated_units,
    own_units,
    secrets_in_etc,
    units_of_ones_own,
)
from reconix.build.inspect import own_wheels
from reconix.build.software import meetings
from reconix.build.software.device_files import DeviceFiles, Part
from reconix.build.software.programs import Programs
from reconix.build.software.source import BadSource
from reconix.build.software.trees import Trees
from reconix.build.units import enabling, exec_lines, machine_units
from reconix.build.units.unit_files import UnitFiles
from reconix.build.users import configured_users, static_ids, sysusers
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.rules import dynamic_user
from reconix.config.schema.health import UnitCheck
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.schema.values import print_size
from reconix.nix.chroot import ChrootStore
from reconix.store.images.nodes import MAX_INLINE_BYTES
from reconix.store.tree import File, Symlink

_OF_PACKAGES = ("/usr", "/bin", "/sbin", "/lib")
"""Where a program is of a package, or of a tree."""

Generated = Mapping[str, File | Symlink]
"""What the configuration has below ``/etc/systemd/system``, by path."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What is known of a system that was built from these packages before."""

    files: UnitFiles
    """Of its packages, in their root."""
    units: frozenset[str]
    """Of its packages."""
    services: frozenset[str]
    """Those of the units that are services, each a file."""
    linked: frozenset[str]
    """Those of the services that need links, as packages have them."""
    trees: tuple[Path, ...]
    """Its root and its kernel."""


class Preflight:
    """What a store knows; it is asked only once for each set of packages."""

    def __init__(self, store: ChrootStore) -> None:
        self._store = store
        self._known: dict[tuple[str, ...], _Built | None] = {}
        self._sizes: dict[tuple[Path, ...], int] = {}
        self._sources = Trees(store)

    def of(self, host: Host, lock: HostLock, tables: Mapping[str, Table]) -> Iterator[Problem]:
        """The problems for which a build of a host would be refused, as far as they are known.

        Args:
            host: as configured.
            lock: what its systems consist of; of the same lock file each time.
            tables: by system: its values, which know where they were written.
        """
        generated = machine_units.units(host.machine)
        for name, system in host.systems.items():
            locked = lock.systems.get(name)
            if locked is None or not _fits(host, system, lock, locked):
                continue
            table, file = tables[name], Place(host.folder)
            yield from own_wheels.unfit(system, locked, lock.architecture, table, file)
            built = self._built(locked, lock)
            if built is not None:
                own = generated_units(system, own_units(system, generated))
                yield from _unknown_units(system, own, built, table, file)
                yield from _wrong_number(system, lock, built, table, file)
                yield from _in_the_way(system, own, built, table, file)
                yield from self._misplaced(system, built, table, file)
                yield from _not_started(system, lock.architecture, built, table, file)
                if system.budget is not None:
                    yield from _too_large(system, self._least_bytes(built), table, file)

    def _misplaced(
        self, system: System, built: _Built, table: Table, file: Place
    ) -> Iterator[Problem]:
        """Trees with something in them that no device can have, or that packages are in the way."""
        for path, tree in system.trees.items():
            try:
                found = self._sources.look(path, tree)
                meetings.check(found, system, built.files.root)
            except (BadSource, meetings.Misplaced) as error:
                place = place_of(table, "trees", path, "source", default=file)
                fact = error.fact if isinstance(error, meetings.Misplaced) else str(error)
                yield Problem(place, dotted("trees", path), fact, error.hint)

    def _least_bytes(self, built: _Built) -> int:
        """What root and kernel take at least: contents, each once. Images come on top of it.

        Equal files of a store are one, so they are told by their inodes, and nothing is read.
        """
        if built.trees not in self._sizes:
            sizes = {inode: size for tree in built.trees for inode, size in _pooled_files(tree)}
            self._sizes[built.trees] = sum(sizes.values())
        return self._sizes[built.trees]

    def _built(self, locked: SystemLock, lock: HostLock) -> _Built | None:
        packages = (str(package.sha256) for package in (*locked.packages, *locked.kernel))
        key = (lock.suites[0], lock.architecture, *packages)
        if key not in self._known:
            self._known[key] = _find(self._store, locked, lock)
        return self._known[key]


def _fits(host: Host, system: System, lock: HostLock, locked: SystemLock) -> bool:
    """Whether the lock answers what is asked for now."""
    asked = (tuple(sorted(set(system.packages))), system.kernel.package)
    is_same = asked == (locked.asked, locked.asked_kernel)
    is_same = is_same and changed_since(system, locked, host.folder.parents[1]) is None
    return is_same and lock.architecture == host.architecture.value


def _find(store: ChrootStore, locked: SystemLock, lock: HostLock) -> _Built | None:
    root = recipes.known(store, cached_recipes.root_recipe(locked, lock))
    kernel = recipes.known(store, cached_recipes.linux_recipe(locked))
    if root is None or kernel is None:
        return None
    place = store.path(root)
    files = UnitFiles({}, place)
    services = dict(files.services())
    linked = frozenset(unit for unit, texts in services.items() if dynamic_user.links(unit, texts))
    return _Built(
        files, enabling.shipped(place), frozenset(services), linked, (place, store.path(kernel))
    )


def _pooled_files(tree: Path) -> Iterator[tuple[int, int]]:
    """Inode and size of each file whose content an image does not hold itself."""
    for folder, _, names in os.walk(tree):
        for name in names:
            status = os.lstat(Path(folder, name))
            if stat.S_ISREG(status.st_mode) and status.st_size > MAX_INLINE_BYTES:
                yield status.st_ino, status.st_size


def _unknown_units(
    system: System, own: Generated, built: _Built, table: Table, file: Place
) -> Iterator[Problem]:
    unknown = dict(enabling.unknown(checked_units(system), own, built.units))
    for check in system.health.checks:
        if isinstance(check, UnitCheck) and check.unit in unknown:
            place = place_of_item(table, "health", "checks", item=check, default=file)
            fact = f"waits for {check.unit}, but there is no such unit"
            yield Problem(place, "health.checks", fact, unknown[check.unit])
    for name, secret in secrets_in_etc(system).items():
        for unit, hint in enabling.unknown(secret.units, own, built.units):
            place = place_of_item(table, "secrets", name, "units", item=unit, default=file)
            yield Problem(place, f"secrets.{name}.units", f"there is no unit {unit}", hint)
    for unit, hint in enabling.unknown(system.services.enable, own, built.units):
        place = place_of_item(table, "services", "enable", item=unit, default=file)
        yield Problem(place, "services.enable", f"there is no unit {unit}", hint)


def _wrong_number(
    system: System, lock: HostLock, built: _Built, table: Table, file: Place
) -> Iterator[Problem]:
    try:
        static_ids.assign(lock.numbers, [configured_users.population(built.files.root, system)])
    except static_ids.WrongId as error:
        place = place_of(table, "users", error.name, "uid", default=file)
        yield Problem(place, f"users.{error.name}.uid", str(error), error.hint)
    except sysusers.BadDeclaration as error:
        yield Problem(place_of(table, "files", default=file), "files", str(error), error.hint)


def _in_the_way(
    system: System, own: Generated, built: _Built, table: Table, file: Place
) -> Iterator[Problem]:
    files = built.files.beside(own)
    among = built.linked | files.touched(built.services)  # of the others it is known
    for unit, path, behind in enabling.in_the_way(system, files.services(among)):
        yield dynamic_user.problem(unit, path, behind, table, file)


def _not_started(
    system: System, architecture: str, built: _Built, table: Table, file: Place
) -> Iterator[Problem]:
    """Units that start what is not there, where only packages and trees can have it."""
    trees = (Part(place, tree.source) for place, tree in system.trees.items())
    files = DeviceFiles.of(system, (*trees, Part("", built.files.root)))
    programs, known = Programs(files, architecture), (*_OF_PACKAGES, *system.trees)
    for unit, texts in units_of_ones_own(system).items():
        for each in exec_lines.programs(texts):
            path = PurePosixPath(each.program)
            wrong = programs.wrong_program(each.program)
            if wrong and ("/" not in each.program or any(map(path.is_relative_to, known))):
                place = place_of(table, "units", unit, "exec", default=file)
                fact = f"{each.key} starts {one_line(each.program)}, which {wrong}"
                hint = "is it misspelt, or is its package or tree missing?"
                yield Problem(place, dotted("units", unit), fact, hint)


def _too_large(system: System, size_bytes: int, table: Table, file: Place) -> Iterator[Problem]:
    if system.budget is not None and size_bytes > system.budget:
        place = place_of(table, "budget", default=file)
        fact = (
            f"packages and kernel alone have {size_bytes} bytes, "
            f"{size_bytes - system.budget} more than its budget"
        )
        hint = f"remove something, or raise budget (now {print_size(system.budget)})"
        yield Problem(place, "budget", fact, hint)
