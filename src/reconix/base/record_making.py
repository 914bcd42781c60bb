"""Slotted dataclasses that cost little to define: what ``records.py`` gives at run time.

They have the methods of ``dataclasses`` with the same meaning, but none is compiled when a class is
defined: comparing, hashing and showing are closures over the names of the fields, and ``__init__``
is written and compiled when the first object is made, for most classes of a program have none. What
asks for a dataclass of the standard library (``fields``, ``asdict``, a class that inherits from
one) gets its description then, and not before.

Only what the agent uses is here: ``slots=True``, ``frozen``, ``order``; for fields ``default``,
``default_factory``, ``init``, ``repr``, ``compare`` and ``kw_only``.

Source: Python documentation, *dataclasses*. Tested by ``tests/unit/base/test_record_making.py``,
beside the real ones.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter, ge, gt, le, lt
from typing import Any, ClassVar, Literal, TypeVar, get_origin

T = TypeVar("T")
Key = Callable[[Any], tuple[object, ...]]

_NOTHING = object()
_FIELDS = "__record_fields__"
_LEFT = ("__dict__", "__weakref__")
_ORDER = {"__lt__": lt, "__le__": le, "__gt__": gt, "__ge__": ge}


class Field:
    """What is known of a field; the arguments are those of ``dataclasses.field``."""

    __slots__ = ("arguments", "kind", "name")

    def __init__(self, arguments: Mapping[str, object]) -> None:
        self.name = ""
        self.kind: object = None
        self.arguments = arguments

    def has(self, what: str) -> bool:
        """Whether something holds: ``init``, ``repr``, ``compare``, ``kw_only``."""
        return bool(self.arguments.get(what, what != "kw_only"))

    @property
    def default(self) -> object:
        """Its default, if it has one."""
        return self.arguments.get("default", _NOTHING)

    @property
    def factory(self) -> object:
        """What makes its default, if it has one."""
        return self.arguments.get("default_factory", _NOTHING)


def field(**arguments: object) -> Field:
    """Like ``dataclasses.field``."""
    return Field(arguments)


def dataclass(
    *, slots: Literal[True], frozen: bool = False, order: bool = False
) -> Callable[[type[T]], type[T]]:
    """Like ``dataclasses.dataclass``.

    Raises:
        ValueError: the default of a field can be changed, and all objects would share it.
    """
    return lambda cls: _made(cls, is_frozen=frozen, has_order=order)


def replace(record: T, /, **changes: object) -> T:
    """Like ``dataclasses.replace``.

    Raises:
        TypeError: there is no such field.
        ValueError: it is a field that cannot be given.
    """
    for each in getattr(record, _FIELDS):
        if each.has("init"):
            changes.setdefault(each.name, getattr(record, each.name))
        elif each.name in changes:
            raise ValueError(f"field {each.name} cannot be given")
    return record.__class__(**changes)


def _made(cls: type[T], *, is_frozen: bool, has_order: bool) -> type[T]:
    """The class again, with slots and methods: slots cannot be added later."""
    fields = tuple(_fields(cls).values())
    names = [each.name for each in fields]
    namespace = {name: each for name, each in vars(cls).items() if name not in {*names, *_LEFT}}
    inherited = {name for base in cls.__mro__[1:] for name in _slots(base)}
    namespace["__slots__"] = tuple(name for name in names if name not in inherited)
    if "__eq__" in namespace and namespace["__hash__"] is None:
        del namespace["__hash__"]  # Python has set it, not who wrote the class
    for name, method in _methods(fields, is_frozen=is_frozen, has_order=has_order):
        namespace.setdefault(name, method)
    namespace |= _description(cls.__name__, fields, is_frozen=is_frozen, has_order=has_order)
    kind: Callable[..., type[T]] = type(cls)
    made = kind(cls.__name__, cls.__bases__, namespace)
    if "__init__" not in vars(cls):
        type.__setattr__(made, "__init__", _first_init(made, fields, is_frozen=is_frozen))
    return made


def _slots(base: type) -> Iterator[str]:
    named = vars(base).get("__slots__", ())
    yield from (named,) if isinstance(named, str) else named


def _fields(cls: type) -> dict[str, Field]:
    """All fields by name: those of its bases first, in the order in which they were written."""
    found: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        found |= {each.name: each for each in vars(base).get(_FIELDS, ())}
    for name, kind in cls.__annotations__.items():
        if ClassVar not in (kind, get_origin(kind)):
            found[name] = _field(name, kind, vars(cls).get(name, _NOTHING))
    return found


def _field(name: str, kind: object, written: object) -> Field:
    if isinstance(written, Field):
        found = written
    else:
        found = Field({} if written is _NOTHING else {"default": written})
    if found.default.__class__.__hash__ is None:
        raise ValueError(f"mutable default of {name}: use default_factory")
    found.name, found.kind = name, kind
    return found


def _methods(
    fields: tuple[Field, ...], *, is_frozen: bool, has_order: bool
) -> Iterator[tuple[str, object]]:
    """All methods but ``__init__``."""
    names = tuple(each.name for each in fields)
    compared = tuple(each.name for each in fields if each.has("compare"))
    key = _key(compared)
    yield "__repr__", _shower(tuple(each.name for each in fields if each.has("repr")))
    yield "__eq__", _equality(key)
    yield "__hash__", (lambda self: hash(key(self))) if is_frozen else None
    given = [each.name for each in fields if each.has("init") and not each.has("kw_only")]
    yield "__match_args__", tuple(given)
    if has_order:
        yield from ((name, _comparison(compare, key)) for name, compare in _ORDER.items())
    if is_frozen:
        yield "__setattr__", _refusal(names, "assign to", object.__setattr__)
        yield "__delattr__", _refusal(names, "delete", object.__delattr__)
        yield "__getstate__", lambda self: [getattr(self, name) for name in names]
        yield "__setstate__", _restorer(names)


def _key(names: tuple[str, ...]) -> Key:
    """Gives the values of fields, of whatever number they are."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)


def _shower(names: tuple[str, ...]) -> Callable[[object], str]:
    def show(self: object) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return show


def _equality(key: Key) -> Callable[[object, object], bool]:
    def is_equal(self: object, other: object) -> bool:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    return is_equal


def _comparison(compare: Callable[[Any, Any], bool], key: Key) -> Callable[[object, object], bool]:
    def compared(self: object, other: object) -> bool:
        return (
            compare(key(self), key(other)) if other.__class__ is self.__class__ else NotImplemented
        )

    return compared


def _refusal(
    names: tuple[str, ...], what: str, otherwise: Callable[..., None]
) -> Callable[..., None]:
    def refuse(self: object, name: str, *value: object) -> None:
        if name in names:
            raise AttributeError(f"cannot {what} field {name!r}")
        otherwise(self, name, *value)

    return refuse


def _restorer(names: tuple[str, ...]) -> Callable[[object, list[object]], None]:
    def restore(self: object, state: list[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return restore


# -- making objects --------------------------------------------------------------------------------


def _first_init(made: type, fields: tuple[Field, ...], *, is_frozen: bool) -> Callable[..., None]:
    """Compile ``__init__`` when the first object is made."""

    def first_init(self: object, *given: object, **named: object) -> None:
        init = _init(made, fields, is_frozen=is_frozen)
        type.__setattr__(made, "__init__", init)
        init(self, *given, **named)

    return first_init


def _init(made: type, fields: tuple[Field, ...], *, is_frozen: bool) -> Callable[..., None]:
    known: dict[str, Any] = {"_set": object.__setattr__, "_nothing": _NOTHING}
    lines = [line for each in fields for line in _line(each, known, is_frozen=is_frozen)]
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    given = [each for each in fields if each.has("init")]
    words = ["self", *(_parameter(each) for each in given if not each.has("kw_only"))]
    if only_named := [_parameter(each) for each in given if each.has("kw_only")]:
        words += ["*", *only_named]
    text = f"def __init__({', '.join(words)}):\n " + "\n ".join(lines or ["pass"])
    exec(text, known)
    init: Callable[..., None] = known["__init__"]
    init.__qualname__, init.__module__ = f"{made.__qualname__}.__init__", made.__module__
    return init


def _parameter(each: Field) -> str:
    if each.factory is not _NOTHING:
        return f"{each.name}=_nothing"
    return each.name if each.default is _NOTHING else f"{each.name}=_default_{each.name}"


def _line(each: Field, known: dict[str, Any], *, is_frozen: bool) -> Iterator[str]:
    """The line that sets a field, if it gets a value; ``known`` gets what that needs."""
    name = each.name
    known[f"_default_{name}"], known[f"_make_{name}"] = each.default, each.factory
    if each.factory is not _NOTHING:
        value = f"_make_{name}()"
        if each.has("init"):
            value += f" if {name} is _nothing else {name}"
    elif each.has("init"):
        value = name
    elif each.default is not _NOTHING:
        value = f"_default_{name}"
    else:
        return
    yield f"_set(self, {name!r}, {value})" if is_frozen else f"self.{name} = {value}"


# -- for those who ask for a dataclass of the standard library -------------------------------------


class _Described:
    """An attribute of a class that is made when somebody asks for it."""

    __slots__ = ("made", "name", "of")

    def __init__(self, name: str, of: Callable[[], type]) -> None:
        self.name, self.of, self.made = name, of, _NOTHING

    def __get__(self, _record: object, _owner: type) -> object:
        if self.made is _NOTHING:
            self.made = getattr(self.of(), self.name)
        return self.made


def _description(
    name: str, fields: tuple[Field, ...], *, is_frozen: bool, has_order: bool
) -> dict[str, object]:
    def real() -> type:
        library: Any = sys.modules["dataclasses"]  # whoever asks has it; a device need not
        written = [(each.name, each.kind, library.field(**each.arguments)) for each in fields]
        made: type = library.make_dataclass(
            *(name, written), slots=True, frozen=is_frozen, order=has_order
        )
        return made

    asked = ("__dataclass_fields__", "__dataclass_params__")
    return {_FIELDS: fields, **{each: _Described(each, real) for each in asked}}
