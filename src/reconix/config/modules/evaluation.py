"""Modules: few options in, many settings out.

A module has a table of its own in the files below ``hosts/``, called like the module. The built-in
ones are in ``config/services``; a project adds its own as ``modules/<name>.py``, written in the
same words (``fragment.py``) and run with nothing but these (``restricted.py``).

A module takes part in a system if an option of it differs from its default. Its options, merged
like all others, go into its function ``configure``; what comes out is merged with what the files
say. It may set options of other modules, so this is repeated until nothing changes any more: the
order of modules does not matter. Modules that do not converge are an error.

Tested by ``tests/unit/config/modules/test_evaluation.py``.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import cast

from reconix.config import construct
from reconix.config.check import Checked, check
from reconix.config.merge import Table, Value, dotted, merge_tables
from reconix.config.modules import restricted
from reconix.config.modules.fragment import Fragment, OptionError, spell
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.shapes import OptionShape, TableShape, shape_of

BUILT_IN = (
    *("agent", "chrony", "console", "firewall", "journal", "mosquitto", "nginx", "postgresql"),
    *("ssh", "time", "watchdog"),
)
CONTAINERS = "containers"
"""A module whose options are the option of a system of that name."""
BUILT_IN_FOLDER = Path(__file__).parents[1] / "services"
FOLDER = "modules"
_MAX_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Module:
    """A module, ready to be asked."""

    name: str
    file: Path
    options: TableShape
    configure: Callable[[object], object]
    place: Place
    """Where ``configure`` is, for what comes out of it."""
    untouched: object | None
    """Its options if none is set; nothing if it has options without a default."""


@dataclass(frozen=True, slots=True)
class Modules:
    """All modules of a project, and the options of a system with theirs."""

    by_name: Mapping[str, Module]
    system: TableShape
    of_containers: Module
    """What containers need; it has no table of its own."""
    warnings: tuple[Problem, ...] = ()
    """What works in the modules but will not for ever."""
    _known: dict[str, Checked] = dataclasses.field(default_factory=dict)
    """What came out for which options, because modules are functions."""

    def apply(self, own: Table, file: Place) -> Checked:
        """What files say about a system, and what modules add to it.

        Args:
            own: machine and system files merged.
            file: the file to name for options that are missing.
        """
        added: dict[str, Checked] = {}
        for _ in range(_MAX_ROUNDS):
            table = _merged([own, *(each.table for each in added.values())])
            before, added = added, self._added(table, file)
            if added == before:
                problems = [problem for each in added.values() for problem in each.problems]
                return Checked(table, tuple(problems))
        fact = f"modules {', '.join(added)} do not converge: each changes what another one needs"
        return Checked(own, (Problem(file, "", fact),))

    def _added(self, table: Table, file: Place) -> dict[str, Checked]:
        taking_part = sorted(table.entries.keys() & self.by_name.keys())
        added = {
            name: self._ask(self.by_name[name], table.entries[name], file) for name in taking_part
        }
        if CONTAINERS in table.entries:
            only = Table({CONTAINERS: table.entries[CONTAINERS]}, table.place)
            added[CONTAINERS] = self._ask(self.of_containers, only, file)
        return added

    def _ask(self, module: Module, own: Value, file: Place) -> Checked:
        assert isinstance(own, Table)
        options, problems = construct.make(module.options, own, file, module.name)
        if options is None or options == module.untouched:
            return Checked(Table({}, module.place), tuple(problems))
        key = f"{module.name} {options!r}"
        if key not in self._known:
            self._known[key] = self._configured(module, options, own)
        return self._known[key]

    def _configured(self, module: Module, options: object, own: Table) -> Checked:
        names = {each.options.type: each.name for each in self.by_name.values()}
        nothing = Table({}, module.place)

        def spelt() -> Checked:
            found = module.configure(options)
            if not isinstance(found, Fragment):
                raise TypeError(f"configure returned {found!r} instead of a Fragment")
            return check(spell(found, self.system, names, module.place), self.system)

        try:
            return cast("Checked", restricted.called(module.file, spelt, module.place.line))
        except OptionError as error:
            place = place_of(own, *error.option.split("."), default=own.place)
            key = dotted(module.name, error.option)
            return Checked(nothing, (Problem(place, key, error.fact, error.hint),))
        except restricted.ModuleError as error:
            return Checked(nothing, error.problems)


def _merged(tables: Iterable[Table]) -> Table:
    first, *others = tables
    for other in others:
        first = merge_tables(first, other)
    return first


def find_modules(folder: Path, system: TableShape) -> tuple[Modules, tuple[Problem, ...]]:
    """The modules of the project in a folder, and what is wrong with them.

    Args:
        folder: of the project; those that are built in come along.
        system: the options of a system without modules.
    """
    finder = _Finder(folder / FOLDER, system)
    found = finder.all()
    return found, tuple(finder.problems)


def built_in_modules(system: TableShape) -> Modules:
    """The modules that every project has."""
    return _modules(map(_built_in, BUILT_IN), system)


def _modules(modules: Iterable[Module], system: TableShape) -> Modules:
    by_name = {module.name: module for module in modules}
    options = {
        name: OptionShape(module.options, None, None, required=False)
        for name, module in sorted(by_name.items())
    }
    shape = TableShape(system.type, {**system.options, **options})
    return Modules(by_name, shape, _built_in(CONTAINERS))


def _built_in(name: str) -> Module:
    source = importlib.import_module(restricted.SERVICES + name)
    return _read(name, Path(str(source.__file__)), source)


def _read(name: str, file: Path, source: ModuleType) -> Module:
    """The parts of a module.

    Raises:
        ModuleError: one is missing.
    """
    options, configure = (getattr(source, "Options", None), getattr(source, "configure", None))
    if not inspect.isclass(options) or not dataclasses.is_dataclass(options):
        raise _incomplete(name, file, "has no dataclass Options")
    if not inspect.isfunction(configure):
        raise _incomplete(name, file, "has no function configure")
    shape = cast("TableShape", restricted.called(file, lambda: shape_of(options)))
    place = restricted.line_of(file, configure.__code__.co_firstlineno)
    untouched, _ = construct.make(shape, Table({}, place), place)
    return Module(name, file, shape, configure, place, untouched)


def _incomplete(name: str, file: Path, fact: str) -> restricted.ModuleError:
    hint = "see docs/modules.md"
    return restricted.ModuleError([Problem(Place(file), f"module {name}", fact, hint)])


class _Finder:
    """Loads the modules of a project, each once, also when they import each other."""

    def __init__(self, folder: Path, system: TableShape) -> None:
        self.problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._folder, self._system = folder, system
        self._loaded: dict[str, ModuleType] = {}
        self._failed: dict[str, restricted.ModuleError] = {}

    def all(self) -> Modules:
        modules = [_built_in(name) for name in BUILT_IN]
        modules += self._own()
        found = _modules(modules, self._system)
        return dataclasses.replace(found, warnings=tuple(self._warnings))

    def _own(self) -> Iterator[Module]:
        for file in sorted(self._folder.glob("*.py")):
            try:
                self._check_name(file)
                yield _read(file.stem, file, self._load(file.stem))
                self._warnings += restricted.renamed_imports(file)
            except restricted.ModuleError as error:
                self.problems += error.problems

    def _check_name(self, file: Path) -> None:
        if not file.stem.isidentifier() or file.stem in {*self._system.options, *BUILT_IN}:
            fact = "invalid module name: already taken"
            if not file.stem.isidentifier():
                fact = "invalid module name: use letters, digits and _"
            raise restricted.ModuleError([Problem(Place(file), f"module {file.stem}", fact)])

    def _load(self, name: str) -> ModuleType:
        if name in self._failed:
            raise self._failed[name]
        if name not in self._loaded:
            file = self._folder / f"{name}.py"
            self._failed[name] = _incomplete(name, file, "imports itself, directly or not")
            try:
                self._loaded[name] = restricted.load(file, self._load)
            except restricted.ModuleError as error:
                self._failed[name] = error
                raise
            del self._failed[name]
        return self._loaded[name]
