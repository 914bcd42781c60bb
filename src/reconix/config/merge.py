"""The algebra by which configurations are put together.

A system is its machine plus its own file, and each of them may import others. What the result is
must not depend on how the pieces are grouped, and hardly on their order, or no one can move a
line from one file to another without fear. So there is one operation, ``merge``, with laws:

* Tables merge: the result has the keys of both, and what both have is merged.
* Lists are concatenated, without duplicates. ``{ remove = [...] }`` removes items, wherever they
  come from; ``{ force = [...] }`` replaces, ``{ default = [...] }`` is replaced.
* Scalars have a priority: ``{ default = v }`` < ``v`` < ``{ force = v }``. The highest counts. Two
  different ones of the same priority are a conflict, which shows both places.

``merge`` is associative and idempotent, and commutative but for the order of list items. To be all
that, it never fails: a conflict is kept in the result, ``conflicts`` finds it at the end.

Tested by ``tests/unit/config/test_merge.py``, which draws values at random and checks the laws.
"""

import enum
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconix.config.problems import Place, Problem


class Priority(enum.IntEnum):
    """Which of several values for the same option counts (NixOS: mkDefault, none, mkForce)."""

    DEFAULT = 0
    PLAIN = 1
    FORCE = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it was written; two of them are equal if their values are."""

    value: object
    place: Place = field(compare=False)
    written: str = field(default="", compare=False)
    """The value as TOML."""
    also: tuple[Place, ...] = field(default=(), compare=False)
    """Where else the same was written."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: what was set with the highest priority; several different ones are a conflict."""

    priority: Priority
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class List:
    """Items that were added with the highest priority, and items that were taken out."""

    priority: Priority
    added: tuple[Setting, ...]
    removed: tuple[Setting, ...]
    place: Place = field(compare=False)

    @property
    def items(self) -> tuple[Setting, ...]:
        """What is left in the end."""
        removed = {setting.value for setting in self.removed}
        return tuple(item for item in self.added if item.value not in removed)


@dataclass(frozen=True, slots=True)
class Table:
    """Values by key."""

    entries: Mapping[str, "Value"]
    place: Place = field(compare=False)


Value = Scalar | List | Table


def merge(one: Value, other: Value) -> Value:
    """What two values for the same option give together; both have its shape."""
    if isinstance(one, Table) and isinstance(other, Table):
        return merge_tables(one, other)
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return Scalar(max(one.priority, other.priority), _strongest(one, other))
    assert isinstance(one, List) and isinstance(other, List), "both have the shape of one option"
    return List(
        max(one.priority, other.priority),
        _strongest(one, other),
        _distinct((*one.removed, *other.removed)),
        one.place,
    )


def merge_tables(one: Table, other: Table) -> Table:
    """What two tables give together."""
    entries = dict(one.entries)
    for key, value in other.entries.items():
        entries[key] = merge(entries[key], value) if key in entries else value
    return Table(entries, one.place)


def _strongest(one: Scalar | List, other: Scalar | List) -> tuple[Setting, ...]:
    if one.priority != other.priority:
        return _settings(one if one.priority > other.priority else other)
    return _distinct((*_settings(one), *_settings(other)))


def _settings(value: Scalar | List) -> tuple[Setting, ...]:
    return value.settings if isinstance(value, Scalar) else value.added


def _distinct(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    found: dict[object, Setting] = {}
    for setting in settings:
        known = found.get(setting.value)
        found[setting.value] = setting if known is None else _joined(known, setting)
    return tuple(found.values())


def _joined(one: Setting, other: Setting) -> Setting:
    """The same setting, written at the places of both."""
    places = dict.fromkeys((*one.also, other.place, *other.also))
    places.pop(one.place, None)
    return replace(one, also=tuple(places)) if len(places) > len(one.also) else one


def conflicts(value: Value, key: str = "") -> Iterator[Problem]:
    """Scalars that were set to different values."""
    if isinstance(value, Table):
        for name, child in value.entries.items():
            yield from conflicts(child, dotted(key, name))
    elif isinstance(value, Scalar) and len(value.settings) > 1:
        yield _conflict(key, value)


def _conflict(key: str, value: Scalar) -> Problem:
    # Reported where it can be changed: what a module sets follows from other options.
    first, *_, last = sorted(value.settings, key=lambda each: each.place.file.suffix != ".py")
    name = key.rpartition(".")[2]
    if value.priority is Priority.FORCE:
        hint = "only one value can be forced"
    else:
        hint = f"to use this value, write {name} = {{ force = {last.written} }}"
    return Problem(
        last.place, key, f"is {last.written} here, but {first.written} in {first.place}", hint
    )


def settings(value: Value, key: str = "") -> Iterator[tuple[str, Setting]]:
    """Everything that was set, with the key of its option."""
    if isinstance(value, Table):
        for name, child in value.entries.items():
            yield from settings(child, dotted(key, name))
    elif isinstance(value, Scalar):
        yield from ((key, setting) for setting in value.settings)
    else:
        yield from ((key, setting) for setting in value.items)


def dotted(key: str, name: str) -> str:
    """The key of an option within a table; a name that TOML would quote is quoted."""
    return f"{key}.{_quoted(name)}" if key else _quoted(name)


@functools.cache
def _quoted(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isalnum() and bare.isascii() else f'"{name}"'
