"""What a module adds to a system: the words in which modules are written.

A module is a file of Python that makes many settings out of few. It has options of its own, as a
dataclass in the style of ``schema/``, and a function from them to a ``Fragment``:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        "A program that says hello."

        enable: Annotated[bool, Option("Whether it runs.", "true")] = False

    def configure(options: Options) -> Fragment:
        if not options.enable:
            return Fragment()
        return Fragment(packages=("hello",))

A fragment is data. It is spelled out as if it had been written in TOML, checked like a file, and
merged like one, so ``reconix show`` prints it and a conflict with it has two places.

Tested by ``tests/unit/config/modules/test_evaluation.py``.
"""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconix.config.merge import dotted
from reconix.config.problems import Place
from reconix.config.schema.containers import Container
from reconix.config.schema.health import Health
from reconix.config.schema.software import Secret
from reconix.config.schema.system import File, Network, Persist, Services, Unit, User, Volume
from reconix.config.schema.values import KernelParameter, ModuleName
from reconix.config.shapes import (
    ChoiceShape,
    ListShape,
    NamedShape,
    ScalarShape,
    Shape,
    TableShape,
    shape_of,
)
from reconix.config.toml.reader import Raw, RawList, RawScalar, RawTable


class OptionError(Exception):
    """Raised by a module: one of its options has a value that cannot be.

    Attributes:
        option: the option within the module's table.
        fact: what is wrong with it.
        hint: what to write instead.
    """

    def __init__(self, option: str, fact: str, hint: str = "") -> None:
        super().__init__(f"{option}: {fact}")
        self.option, self.fact, self.hint = option, fact, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFragment:
    """What a module needs of the kernel; which kernel it is, is not its business."""

    parameters: tuple[KernelParameter, ...] = ()
    initrd_modules: tuple[ModuleName, ...] = ()
    modules: tuple[ModuleName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """Options of a system that a module sets; what is left as it is here is not set."""

    packages: tuple[str, ...] = ()
    kernel: KernelFragment = field(default_factory=KernelFragment)
    users: Mapping[str, User] = field(default_factory=dict)
    network: Mapping[str, Network] = field(default_factory=dict)
    services: Services = field(default_factory=Services)
    units: Mapping[str, Unit] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)
    sysctl: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    persist: Persist = field(default_factory=Persist)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    containers: Mapping[str, Container] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    set_modules: tuple[object, ...] = ()
    """Options of other modules: their ``Options``, in which only what differs counts."""


def spell(
    fragment: Fragment, system: TableShape, names: Mapping[type, str], place: Place
) -> RawTable:
    """Write a fragment down as TOML would have it.

    Args:
        fragment: what a module gave.
        system: the options of a system, those of modules included.
        names: of modules by their ``Options``.
        place: the module.

    Raises:
        TypeError: the fragment holds something that no option takes.
    """
    speller = _Speller(place)
    entries: dict[str, Raw] = {}
    for each in dataclasses.fields(Fragment):
        if each.name != "set_modules":
            value = getattr(fragment, each.name)
            shape = shape_of(KernelFragment) if each.name == "kernel" else None
            raw = speller.spell(shape or system.options[each.name].shape, value, each.name)
            if not _is_empty(raw):
                entries[each.name] = raw
    for options in fragment.set_modules:
        if type(options) not in names:
            raise TypeError(f"set_modules: {type(options).__name__} is not the Options of a module")
        name = names[type(options)]
        entries[name] = speller.spell(system.options[name].shape, options, name)
    return RawTable(entries, place)


def _is_empty(raw: Raw) -> bool:
    return (isinstance(raw, RawTable) and not raw.entries) or (
        isinstance(raw, RawList) and not raw.items
    )


class _Speller:
    """Spells values, all at one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def spell(self, shape: Shape, value: object, key: str) -> Raw:
        if isinstance(shape, ScalarShape):
            return RawScalar(_scalar(shape, value), self._place)
        if isinstance(shape, ListShape) and isinstance(value, tuple):
            items = [self.spell(shape.item, item, key) for item in value]
            return RawList(tuple(items), self._place)
        if isinstance(shape, NamedShape) and isinstance(value, Mapping):
            named = {str(n): self.spell(shape.item, v, dotted(key, n)) for n, v in value.items()}
            return RawTable(named, self._place)
        tables = shape.tables if isinstance(shape, ChoiceShape) else (shape,)
        for table in tables:
            if isinstance(table, TableShape) and isinstance(value, table.type):
                return self._table(table, value, key)
        raise TypeError(f"{key}: expected {shape.expected}, found {value!r}")

    def _table(self, shape: TableShape, value: object, key: str) -> RawTable:
        entries = {}
        for name, option in shape.options.items():
            child = getattr(value, name)
            if child is not None and (option.required or child != option.default):
                raw = self.spell(option.shape, child, dotted(key, name))
                if option.required or not _is_empty(raw):
                    entries[name] = raw
        return RawTable(entries, self._place)


def _scalar(shape: ScalarShape, value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if shape.form is not None and not isinstance(value, str):
        return shape.form.show(value)
    return value if isinstance(value, bool | int) else str(value)
