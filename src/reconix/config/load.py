"""From a folder of text files to a checked configuration.

    reconix.toml
    hosts/<host>/machine.toml
    hosts/<host>/systems/<system>.toml

A system is its machine plus its own file, put together by ``merge.py``. Any file below ``hosts``
may take in others with ``imports``: they are merged in order, each once, before the file itself, so
files that import each other do no harm. Each file may be literate (``toml/reader.py``).

The whole project is read at once, although a command may want one host only: it is fast enough,
and a mistake is better found before somebody else trips over it.

Tested by ``tests/unit/config/test_load.py``.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import UsageError
from reconix.config import construct
from reconix.config.check import check, read_scalar
from reconix.config.merge import (
    List,
    Table,
    conflicts,
    merge_tables,
    settings,
)
from reconix.config.modules.evaluation import built_in_modules, find_modules
from reconix.config.origins import place_of
from reconix.config.problems import BadConfiguration, Place, Problem
from reconix.config.rules import assertions, warnings
from reconix.config.rules.nix_systems import check_nix_system
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import Nixos, NixSystem
from reconix.config.schema.project import MOVED, Project
from reconix.config.schema.system import RESOLVER, Imports, System
from reconix.config.schema.values import Architecture, Name
from reconix.config.shapes import TableShape, scalar_shape_of, shape_of
from reconix.config.toml.reader import LITERATE, PLAIN, InvalidToml, RawScalar, read_toml

PROJECT_FILE = "reconix.toml"
_NAME = scalar_shape_of(Name)
PROJECT = shape_of(Project)
"""What may stand in ``reconix.toml``."""
_MACHINE = shape_of(Machine)
_SYSTEM = shape_of(System)
_NIX_SYSTEM = shape_of(NixSystem)
_IMPORTS = shape_of(Imports)
_ELSEWHERE = {
    name: "this is the same for all systems: it belongs into machine.toml"
    for name in _MACHINE.options
}


@dataclass(frozen=True, slots=True)
class Shapes:
    """What may stand in the files below ``hosts/``."""

    machine: TableShape
    """Options of the machine."""
    system: TableShape
    """Options of a system."""

    machine_file: TableShape
    """What may stand in ``machine.toml``."""
    system_file: TableShape
    """What may stand in the file of a system."""


def shapes_with(system: TableShape) -> Shapes:
    """What may stand where, if systems have these options."""
    return Shapes(
        machine=_MACHINE,
        system=system,
        machine_file=_MACHINE.with_options_of(system).with_options_of(_IMPORTS),
        system_file=system.with_options_of(_NIX_SYSTEM).with_options_of(_IMPORTS),
    )


def built_in_shapes() -> Shapes:
    """What may stand in the files of a project that has no modules of its own."""
    return shapes_with(built_in_modules(_SYSTEM).system)


def find_shapes(folder: Path) -> Shapes:
    """What may stand in the files of the project in a folder.

    Raises:
        BadConfiguration: a module of it cannot be used.
    """
    found, problems = find_modules(folder, _SYSTEM)
    if problems:
        raise BadConfiguration(problems)
    return shapes_with(found.system)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and the values that it was made from with the places of all of them."""

    configuration: Configuration
    shapes: Shapes
    machines: Mapping[str, Table]
    """By host: what its machine files say."""
    systems: Mapping[str, Mapping[str, Table]]
    """By host and system: machine and system files merged."""
    warnings: tuple[Problem, ...]
    """What works but is hardly meant."""


@dataclass(frozen=True, slots=True)
class _SystemFile:
    """The file of a system, and what it says together with its imports."""

    name: str
    file: Path
    table: Table

    @property
    def is_built_by_nix(self) -> bool:
        return "nix" in self.table.entries


def find_project(start: Path) -> Path:
    """The nearest folder, from ``start`` upwards, that is a project.

    Raises:
        UsageError: there is none.
    """
    for folder in (start, *start.absolute().parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise UsageError(
        f"there is no {PROJECT_FILE} in {start.absolute()} or above it",
        hint="change into a project, or make one: reconix init FOLDER",
    )


def load(folder: Path) -> Configuration:
    """Read the project in a folder; what is hardly meant in it is told as notes.

    Raises:
        BadConfiguration: it has mistakes; the error has all of them.
    """
    loaded = load_with_places(folder)
    for problem in loaded.warnings:
        progress.note(str(problem))
    return loaded.configuration


def load_with_places(folder: Path) -> Loaded:
    """Read the project in a folder and keep where everything was written.

    Raises:
        BadConfiguration: it has mistakes; the error has all of them.
    """
    loader = _Loader(folder)
    loaded = loader.project()
    if loader.problems or loaded is None:
        raise BadConfiguration(loader.problems)
    return loaded


class _Loader:
    """Reads one project and collects what is wrong with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules, problems = find_modules(folder, _SYSTEM)
        self.problems: list[Problem] = [*problems]
        self._shapes = shapes_with(self._modules.system)
        self._warnings: list[Problem] = []
        self._files: dict[tuple[Path, bool], Table] = {}
        self._machines: dict[str, Table] = {}
        self._systems: dict[str, dict[str, Table]] = {}

    def project(self) -> Loaded | None:
        file = self._folder / PROJECT_FILE
        table = self._read(file, PROJECT, MOVED)
        project = self._make(PROJECT, table, file)
        hosts = [self._host(host) for host in self._host_folders()]
        if not isinstance(project, Project):
            return None
        self.problems += assertions.check_project(project, table, Place(file))
        by_name = {host.name: _settled(host, project) for host in hosts if host}
        for host in by_name.values():
            tables = self._systems.get(host.name, {})
            self._warnings += warnings.warn_about_host(host, tables, self._modules.system)
        configuration = Configuration(self._folder, project, by_name)
        notes = tuple(sorted(set(self._warnings)))
        return Loaded(configuration, self._shapes, self._machines, self._systems, notes)

    def _host_folders(self) -> list[Path]:
        parent = self._folder / "hosts"
        found = sorted(path for path in parent.glob("*") if path.is_dir())
        if not found:
            self._tell(parent, "has no host in it", "make hosts/<name>/machine.toml")
        return [folder for folder in found if self._name_is_good(folder, folder.name)]

    def _name_is_good(self, path: Path, name: str) -> bool:
        try:
            read_scalar(RawScalar(name, Place(path)), _NAME)
        except ValueError as error:
            self._tell(path, f"{name!r} is not {error}", "give it another name")
            return False
        return True

    def _tell(self, file: Path, fact: str, hint: str = "") -> None:
        self.problems.append(Problem(Place(file), "", fact, hint))

    def _host(self, folder: Path) -> Host | None:
        files = self._found(folder, "machine")
        if not files:
            self._tell(folder, "has no machine.toml", "write what all systems of the host share")
            return None
        file = files[0]
        table = self._with_imports(file, self._shapes.machine_file)
        self._machines[folder.name] = table
        machine = self._make(_MACHINE, table, file)
        each = list(self._system_files(folder))
        systems, nixos = self._systems_of(folder, table, each), self._nix_systems_of(each)
        if not isinstance(machine, Machine):
            return None
        host = Host(
            name=folder.name,
            folder=folder,
            hostname=folder.name,
            architecture=Architecture.AMD64,
            machine=machine,
            systems=systems,
            nixos=nixos,
        )
        tables = self._systems.get(host.name, {})
        self.problems += assertions.check_host(host, table, tables, Place(file))
        return host

    def _systems_of(
        self, folder: Path, machine: Table, files: Iterable["_SystemFile"]
    ) -> dict[str, System]:
        systems = {}
        shared = Table(
            {k: v for k, v in machine.entries.items() if k in self._modules.system.options},
            machine.place,
        )
        for each in files:
            if each.is_built_by_nix:
                continue
            complete = self._modules.apply(merge_tables(shared, each.table), Place(each.file))
            table = complete.table
            self.problems += [*complete.problems, *_missing_files(table)]
            self._systems.setdefault(folder.name, {})[each.name] = table
            system = self._make(_SYSTEM, table, each.file)
            if isinstance(system, System):
                systems[each.name] = system
                self.problems += assertions.check_system(system, table, Place(each.file))
                self._warnings += warnings.warn_about_system(system, table, Place(each.file))
        return systems

    def _nix_systems_of(self, files: Iterable["_SystemFile"]) -> dict[str, Nixos]:
        """The systems that Nix built; what the machine says is not for them."""
        systems = {}
        for each in files:
            if not each.is_built_by_nix:
                continue
            system = self._make(_NIX_SYSTEM, each.table, each.file)
            if isinstance(system, NixSystem):
                systems[each.name] = _seen_from_its_file(system.nix, each.table)
                place = Place(each.file)
                self.problems += check_nix_system(system.nix, each.table, place)
        return systems

    def _system_files(self, folder: Path) -> Iterator["_SystemFile"]:
        for file in self._found(folder / "systems", "*"):
            name = file.name.partition(".")[0]
            if self._name_is_good(file, name):
                yield _SystemFile(name, file, self._with_imports(file, self._shapes.system_file))

    def _found(self, folder: Path, stem: str) -> list[Path]:
        """Files of a name, plain or literate, sorted; of the same name twice only one."""
        found: dict[str, Path] = {}
        for ending in (PLAIN, LITERATE):
            for file in sorted(folder.glob(stem + ending)):
                other = found.setdefault(file.name.partition(".")[0], file)
                if other != file:
                    self._tell(file, f"stands beside {other.name}", "keep one of the two")
        return [found[name] for name in sorted(found)]

    def _make(self, shape: TableShape, table: Table, file: Path) -> object | None:
        self.problems += conflicts(table)
        made, problems = construct.make(shape, table, Place(file))
        self.problems += problems
        return made

    def _with_imports(self, file: Path, shape: TableShape) -> Table:
        table = Table({}, Place(file))
        for each in self._order(file, shape, set()):
            table = merge_tables(table, self._read(each, shape, _ELSEWHERE))
        return Table({k: v for k, v in table.entries.items() if k != "imports"}, Place(file))

    def _order(self, file: Path, shape: TableShape, seen: set[Path]) -> Iterator[Path]:
        """A file and all that it imports, each once, what is imported first."""
        seen.add(file.absolute())
        imports = self._read(file, shape, _ELSEWHERE).entries.get("imports")
        for item in imports.items if isinstance(imports, List) else ():
            if isinstance(item.value, Path) and item.value.is_file() and item.value not in seen:
                yield from self._order(self._as_named(item.value), shape, seen)
        yield file

    def _as_named(self, file: Path) -> Path:
        """A file as seen from where the project's folder was named, for messages."""
        return self._folder / os.path.relpath(file, self._folder.absolute())

    def _read(self, file: Path, shape: TableShape, elsewhere: Mapping[str, str]) -> Table:
        key = (file, shape is self._shapes.machine_file)
        known = self._files.get(key)
        if known is None:
            known = self._files[key] = self._read_new(file, shape, elsewhere)
        return known

    def _read_new(self, file: Path, shape: TableShape, elsewhere: Mapping[str, str]) -> Table:
        try:
            checked = check(read_toml(file), shape, elsewhere)
        except InvalidToml as error:
            self.problems.append(error.problem)
            return Table({}, Place(file))
        self.problems += checked.problems
        self.problems += _missing_files(checked.table)
        self._warnings += checked.warnings
        return checked.table


def _settled(host: Host, project: Project) -> Host:
    """A host with what it leaves to the project and to its folder's name."""
    machine, budget = host.machine, project.budgets.system
    return replace(
        host,
        systems={name: _complete(system, budget) for name, system in host.systems.items()},
        hostname=machine.hostname or host.name,
        architecture=machine.architecture or project.architecture,
        trust=project.trust,
        updates=project.update,
    )


def _complete(system: System, budget: int | None) -> System:
    """A system with what it leaves to the project, and with what its networks need."""
    implied = (RESOLVER,) if system.needs_resolver and RESOLVER not in system.packages else ()
    return replace(
        system,
        budget=budget if system.budget is None else system.budget,
        packages=(*system.packages, *implied),
    )


def _seen_from_its_file(nixos: Nixos, table: Table) -> Nixos:
    """With the flake, if it is a folder of this machine, as an absolute path."""
    if nixos.flake is None or not nixos.flake.startswith("."):
        return nixos
    place = place_of(table, "nix", "flake", default=table.place)
    return replace(nixos, flake=os.path.normpath(place.file.parent.absolute() / nixos.flake))


def _missing_files(table: Table) -> Iterator[Problem]:
    """Files that are named and do not exist."""
    for key, setting in settings(table):
        if isinstance(setting.value, Path) and not setting.value.is_file():
            hint = "write the path as seen from this file"
            if setting.value.suffix == ".pub":
                secret = setting.value.with_suffix("")
                hint = f"make a key: ssh-keygen -t ed25519 -f {secret}"
                if key.startswith("update."):
                    hint = f"make a key: reconix keys generate --file {secret}"
            yield Problem(setting.place, key, f"there is no file {setting.value}", hint)
