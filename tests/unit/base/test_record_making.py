"""What is made without a compiler is what the standard library makes."""

import copy
import dataclasses
import pickle
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base import record_making, records
from reconix.base.process import run
from reconix.build.agent import needs, zipapp

Made = SimpleNamespace


def classes(source: ModuleType) -> Made:
    """The same classes, made by one or the other; not to mypy, for which both are one."""
    dataclass, field = source.dataclass, source.field

    @dataclass(frozen=True, slots=True, order=True)
    class Version:
        major: int
        minor: int = 0
        note: str = field(default="", compare=False, repr=False)

    @dataclass(slots=True)
    class Basket:
        limit: ClassVar[int] = 3
        name: str
        things: list[int] = field(default_factory=list)
        total: int = field(init=False)
        count: int = field(default=7, init=False)

        def __post_init__(self) -> None:
            self.total = sum(self.things)

    @dataclass(frozen=True, slots=True)
    class Base:
        a: int
        b: int = 2

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        c: int = 3
        clock: str = field(default="real", kw_only=True)

        def __repr__(self) -> str:
            return "its own"

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    @dataclass(frozen=True, slots=True)
    class One:
        value: object

    @dataclass(frozen=True, slots=True)
    class Odd:
        value: int

        def __eq__(self, other: object) -> bool:
            return self is not other

    return Made(Version=Version, Basket=Basket, Derived=Derived, Empty=Empty, One=One, Odd=Odd)


REAL, OURS = classes(dataclasses), classes(record_making)
MAKES: tuple[Callable[[Made], object], ...] = (
    lambda made: made.Version(1),
    lambda made: made.Version(1, 2, "x"),
    lambda made: made.Version(minor=2, major=1),
    lambda made: made.Version(),
    lambda made: made.Version(1, 2, 3, 4),
    lambda made: made.Version(1, patch=3),
    lambda made: made.Basket("a"),
    lambda made: made.Basket("a", [1, 2]),
    lambda made: made.Basket("a", total=3),
    lambda made: made.Derived(1),
    lambda made: made.Derived(1, 5, 6, clock="x"),
    lambda made: made.Derived(1, 5, 6, "x"),
    lambda made: made.Empty(),
    lambda made: made.One([1]),
)


REFUSALS = (TypeError, ValueError, AttributeError)


def told(work: Callable[[], object]) -> object:
    """What work gives or raises, in words."""
    try:
        found = work()
    except REFUSALS as error:
        return next(kind for kind in REFUSALS if isinstance(error, kind))
    return repr(found).replace("classes.<locals>.", "")


MADE = [make for make in MAKES if not isinstance(told(partial(make, REAL)), type)]


@pytest.mark.parametrize("make", MAKES)
def test_objects_are_made_and_shown_alike(make: Callable[[Made], object]) -> None:
    assert told(partial(make, OURS)) == told(partial(make, REAL))


def _seen(record: object) -> list[object]:
    names = ("major", "minor", "note", "name", "things", "total", "count", "a", "b", "c", "clock")
    return [getattr(record, name, "-") for name in names]


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize(
    "ask",
    [
        _seen,
        copy.copy,
        copy.deepcopy,
        lambda each: type(each).__match_args__,
        lambda each: [one.name for one in dataclasses.fields(each)],
        dataclasses.asdict,
        lambda each: copy.copy(each) == each,
        lambda each: hasattr(each, "__dict__"),
    ],
)
def test_objects_are_read_and_copied_alike(
    make: Callable[[Made], object], ask: Callable[[object], object]
) -> None:
    assert told(lambda: ask(make(OURS))) == told(lambda: ask(make(REAL)))


@pytest.mark.parametrize(
    "work",
    [
        lambda made, tools: tools.replace(made.Version(1, 2, "x"), minor=9).note,
        lambda made, tools: tools.replace(made.Basket("a", [1]), things=[5]).total,
        lambda made, tools: tools.replace(made.Version(1), patch=9),
        lambda made, tools: tools.replace(made.Basket("a"), total=9),
        lambda made, tools: dataclasses.replace(made.Derived(1), b=9).b,
        lambda made, _: setattr(made.Version(1), "major", 2),
        lambda made, _: delattr(made.Version(1), "major"),
        lambda made, _: setattr(made.Basket("a"), "name", "b"),
        lambda made, _: setattr(made.Basket("a"), "other", "b"),
        lambda made, _: hash(made.Basket("a")),
        lambda made, _: hash(made.One([1])),
        lambda made, _: hash(made.Version(1, note="x")) == hash(made.Version(1)),
        lambda made, _: hash(made.Empty()) == hash(made.Empty()),
        lambda made, _: made.Version(1) < made.Derived(1),
        lambda made, _: made.Version(1) == made.Derived(1),
        lambda made, _: made.Derived(1) == made.Derived(1, 2),
        lambda made, _: made.One(float("nan")) == made.One(float("nan")),
        lambda made, _: isinstance(made.Derived(1), made.Derived.__mro__[1]),
        lambda made, _: dataclasses.is_dataclass(made.One),
        lambda made, _: hash(made.Odd(1)) == hash(made.Odd(1)),
        lambda made, _: made.Odd(1) == made.Odd(1),
    ],
)
def test_they_behave_alike(work: Callable[[Made, object], object]) -> None:
    assert told(lambda: work(OURS, record_making)) == told(lambda: work(REAL, dataclasses))


@given(st.tuples(st.integers(), st.integers(), st.text()), st.tuples(st.integers(), st.integers()))
def test_order_and_equality_are_alike(a: tuple[int, int, str], b: tuple[int, int]) -> None:
    for compare in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"):
        found = [getattr(made.Version(*a), compare)(made.Version(*b)) for made in (REAL, OURS)]
        assert found[0] == found[1]


@records.dataclass(slots=True, frozen=True)
class Pickled:
    value: int


def test_they_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(3))) == Pickled(3)


def test_a_dataclass_of_the_library_may_inherit_from_one() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class More(Pickled):
        other: int = 5

    assert More(1) == More(1, 5)
    assert [each.name for each in dataclasses.fields(More)] == ["value", "other"]


def test_a_default_that_all_would_share_is_refused() -> None:
    with pytest.raises(ValueError, match="mutable default of things"):

        @record_making.dataclass(slots=True)
        class Shared:
            things: list[int] = []  # noqa: RUF012


def test_the_agent_needs_no_module_that_it_names_for_its_types() -> None:
    names = [name.removesuffix(".py").replace("/", ".") for name in zipapp.modules()]
    absent = dict.fromkeys(needs.TYPING_MODULES)
    code = (
        "import sys, importlib; sys.modules |= {}; [importlib.import_module(name) for name in {}]"
    )
    run(sys.executable, "-I", "-c", code.format(absent, names))
