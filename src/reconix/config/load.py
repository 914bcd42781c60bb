"""From a folder of text files to a checked configuration.

    reconix.toml
    hosts/<host>/machine.toml
    hosts/<host>/systems/<system>.toml

A system is its machine plus its own file, each with its imports (``imports.py``), put together by
``merge.py``, and with what its modules add (``modules/evaluation.py``). Then it is made
(``construct.py``) and judged (``rules/``).

The whole project is read at once, although a command may want one host only: it is fast enough,
and an error is better found before it blocks someone else.

Tested by ``tests/unit/config/test_load.py``.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import UsageError
from reconix.config import construct
from reconix.config.board import Board, file_of, read_board
from reconix.config.check import read_scalar
from reconix.config.file_kinds import (
    MACHINE,
    NIX_SYSTEM,
    PROJECT,
    PROJECT_FILE,
    SYSTEM,
    Shapes,
    built_in_shapes,
    shapes_with,
)
from reconix.config.imports import Files, missing_files
from reconix.config.merge import Scalar, Table, conflicts, merge_tables
from reconix.config.modules.evaluation import find_modules
from reconix.config.origins import place_of
from reconix.config.private_files import private_files
from reconix.config.problems import BadConfiguration, Place, Problem
from reconix.config.rules import assertions, warnings
from reconix.config.rules.debs import check_debs
from reconix.config.rules.nix_systems import check_nix_system
from reconix.config.rules.wifi import check_firmware
from reconix.config.schema.containers import container_unit
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.machine import Machine
from reconix.config.schema.nixos import Nixos, NixSystem
from reconix.config.schema.project import Project
from reconix.config.schema.software import Secret
from reconix.config.schema.system import OF_WIFI, RESOLVER, System, wifi_unit
from reconix.config.schema.values import Name
from reconix.config.shapes import TableShape, scalar_shape_of
from reconix.config.toml.reader import LITERATE, PLAIN, RawScalar

_NAME = scalar_shape_of(Name)


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
    """What works but is probably a mistake."""


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
        f"no {PROJECT_FILE} in {start.absolute()} or any parent folder",
        hint="change to a project, or create one: reconix init FOLDER",
    )


def load(folder: Path) -> Configuration:
    """Read the project in a folder, and print its warnings.

    Raises:
        BadConfiguration: it has errors; all of them are in it.
    """
    return load_and_warn(folder).configuration


def load_and_warn(folder: Path) -> Loaded:
    """Read the project in a folder, print its warnings, and keep where everything was written.

    Raises:
        BadConfiguration: it has errors; all of them are in it.
    """
    loaded = load_with_places(folder)
    for problem in loaded.warnings:
        progress.note(f"warning: {problem}")
    return loaded


def load_project(folder: Path) -> Project:
    """Read what all hosts of a project share, whatever is wrong with the hosts.

    Raises:
        BadConfiguration: it has errors; all of them are in it.
    """
    return _Loader(folder).project()


def load_with_places(folder: Path) -> Loaded:
    """Read the project in a folder and keep where everything was written.

    Raises:
        BadConfiguration: it has errors; all of them are in it.
    """
    return _Loader(folder).loaded()


class _Loader:
    """Reads one project and collects what is wrong with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modules, problems = find_modules(folder, SYSTEM)
        self._shapes = shapes_with(self._modules.system)
        self._files = Files(folder)
        self._problems: list[Problem] = [*problems]
        self._warnings: list[Problem] = [*self._modules.warnings]
        self._machines: dict[str, Table] = {}
        self._systems: dict[str, dict[str, Table]] = {}

    def loaded(self) -> Loaded:
        project = self._project()
        # Hosts are checked all the same without one, so that all errors are reported at once.
        known = project or Project(name="unknown")
        hosts = [self._host(folder, known) for folder in self._host_folders()]
        problems = [*self._problems, *self._files.problems]
        if problems or project is None:
            raise BadConfiguration(problems)
        by_name = {host.name: host for host in hosts if host}
        configuration = Configuration(self._folder, project, by_name)
        told = tuple(sorted({*self._warnings, *self._files.warnings}))
        return Loaded(configuration, self._shapes, self._machines, self._systems, told)

    def project(self) -> Project:
        found = self._project()
        problems = [*self._problems, *self._files.problems]
        if problems or found is None:
            raise BadConfiguration(problems)
        return found

    def _project(self) -> Project | None:
        file = self._folder / PROJECT_FILE
        table = self._files.project(file)
        project = self._make(PROJECT, table, file)
        if not isinstance(project, Project):
            return None
        self._problems += assertions.check_project(project, table, Place(file))
        return project

    def _host_folders(self) -> list[Path]:
        parent = self._folder / "hosts"
        found = sorted(path for path in parent.glob("*") if path.is_dir())
        if not found:
            self._tell(parent, "contains no host", "create hosts/<name>/machine.toml")
        return [folder for folder in found if self._name_is_good(folder, folder.name)]

    def _name_is_good(self, path: Path, name: str) -> bool:
        try:
            read_scalar(RawScalar(name, Place(path)), _NAME)
        except ValueError as error:
            self._tell(path, f"{name!r} is not {error}", "rename it")
            return False
        return True

    def _tell(self, file: Path, fact: str, hint: str = "") -> None:
        self._problems.append(Problem(Place(file), "", fact, hint))

    def _host(self, folder: Path, project: Project) -> Host | None:
        files = self._found(folder, "machine")
        if not files:
            self._tell(folder, "has no machine.toml", "create it with what all systems share")
            return None
        file = files[0]
        own = self._files.with_imports(file, self._shapes.machine_file)
        board = self._board(own)
        table = merge_tables(board.defaults, own) if board else own
        self._machines[folder.name] = table
        self._problems += missing_files(_of_machine_alone(table, self._modules.system))
        machine = self._make(MACHINE, table, file)
        each = list(self._system_files(folder))
        tables = self._tables_of_systems(table, each)
        self._systems[folder.name] = tables
        systems, nixos = self._systems_of(tables, each, project), self._nix_systems_of(each)
        if not isinstance(machine, Machine):
            return None
        host = Host(
            name=folder.name,
            folder=folder,
            hostname=machine.hostname or folder.name,
            architecture=machine.architecture or project.architecture,
            machine=machine,
            board=board.about if board else None,
            systems=systems,
            nixos=nixos,
            trust=project.trust,
            updates=project.update,
        )
        self._problems += assertions.check_host(host, table, tables, Place(file))
        self._warnings += warnings.warn_about_host(host, tables, self._modules.system)
        return host

    def _board(self, machine: Table) -> Board | None:
        """The board that a machine is, if its files name one."""
        named = machine.entries.get("board")
        if not isinstance(named, Scalar) or len(named.settings) != 1:
            return None
        return read_board(file_of(str(named.settings[0].value)), built_in_shapes().machine_file)

    def _tables_of_systems(self, machine: Table, files: Iterable[_SystemFile]) -> dict[str, Table]:
        """By system: what machine, system file and modules say together."""
        options = self._modules.system.options
        shared = Table({k: v for k, v in machine.entries.items() if k in options}, machine.place)
        tables = {}
        for each in files:
            if not each.is_built_by_nix:
                own = merge_tables(shared, each.table)
                complete = self._modules.apply(own, Place(each.file))
                self._problems += [*complete.problems, *missing_files(complete.table)]
                self._problems += private_files(complete.table, self._folder)
                tables[each.name] = complete.table
        return tables

    def _systems_of(
        self, tables: Mapping[str, Table], files: Iterable[_SystemFile], project: Project
    ) -> dict[str, System]:
        systems = {}
        for each in files:
            if each.is_built_by_nix:
                continue
            table = tables[each.name]
            made = self._make(SYSTEM, table, each.file)
            if isinstance(made, System):
                system = systems[each.name] = _complete(made, project)
                self._problems += assertions.check_system(system, table, Place(each.file))
                self._problems += check_firmware(system, project.archive, table, Place(each.file))
                self._problems += check_debs(system, table, Place(each.file), self._folder)
                self._warnings += warnings.warn_about_system(system, table, Place(each.file))
        return systems

    def _nix_systems_of(self, files: Iterable[_SystemFile]) -> dict[str, Nixos]:
        """The systems that Nix built; what the machine says is not for them."""
        systems = {}
        for each in files:
            if not each.is_built_by_nix:
                continue
            system = self._make(NIX_SYSTEM, each.table, each.file)
            if isinstance(system, NixSystem):
                systems[each.name] = _seen_from_its_file(system.nix, each.table)
                place = Place(each.file)
                self._problems += check_nix_system(system.nix, each.table, place)
        return systems

    def _system_files(self, folder: Path) -> Iterator[_SystemFile]:
        for file in self._found(folder / "systems", "*"):
            name = file.name.partition(".")[0]
            if self._name_is_good(file, name):
                table = self._files.with_imports(file, self._shapes.system_file)
                yield _SystemFile(name, file, table)

    def _found(self, folder: Path, stem: str) -> list[Path]:
        """Files of a name, plain or literate, sorted; of the same name twice only one."""
        found: dict[str, Path] = {}
        for ending in (PLAIN, LITERATE):
            for file in sorted(folder.glob(stem + ending)):
                other = found.setdefault(file.name.partition(".")[0], file)
                if other != file:
                    self._tell(file, f"conflicts with {other.name}", "keep one of the two")
        return [found[name] for name in sorted(found)]

    def _make(self, shape: TableShape, table: Table, file: Path) -> object | None:
        self._problems += conflicts(table)
        made, problems = construct.make(shape, table, Place(file))
        self._problems += problems
        return made


def _of_machine_alone(machine: Table, system: TableShape) -> Table:
    """What a machine says and no system may: the rest is looked at with each system."""
    alone = {k: v for k, v in machine.entries.items() if k not in system.options}
    return Table(alone, machine.place)


def _complete(system: System, project: Project) -> System:
    """A system with what it leaves to the project, and with what its networks need."""
    implied = ((RESOLVER,) if system.needs_resolver else ()) + (OF_WIFI if system.wifi else ())
    return replace(
        system,
        budget=project.budgets.system if system.budget is None else system.budget,
        packages=(*system.packages, *(one for one in implied if one not in system.packages)),
        secrets=_with_containers(system, _with_wifi(system)),
    )


def _with_containers(system: System, secrets: Mapping[str, Secret]) -> dict[str, Secret]:
    """The secrets of a system, with the containers that read them."""
    found = dict(secrets)
    for name, container in sorted(system.containers.items()):
        for secret in container.secrets:
            if secret in found:
                units = (*found[secret].units, container_unit(name))
                found[secret] = replace(found[secret], units=units)
    return found


def _with_wifi(system: System) -> dict[str, Secret]:
    """The secrets of a system, and those with which it joins its Wi-Fi networks."""
    found = dict(system.secrets)
    for name, network in sorted(system.wifi.items()):
        if network.password_secret is not None:
            known = found.get(network.password_secret, Secret())
            units = (*known.units, wifi_unit(name))
            found[network.password_secret] = replace(known, units=units)
    return found


def _seen_from_its_file(nixos: Nixos, table: Table) -> Nixos:
    """With the flake, if it is a folder of this machine, as an absolute path."""
    if nixos.flake is None or not nixos.flake.startswith("."):
        return nixos
    place = place_of(table, "nix", "flake", default=table.place)
    return replace(nixos, flake=os.path.normpath(place.file.parent.absolute() / nixos.flake))
