"""From merged values to dataclasses: what is missing is told, all at once and once only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from reconix.config.construct import make, make_complete
from reconix.config.merge import List, Priority, Scalar, Setting, Table, Value
from reconix.config.options import Option
from reconix.config.problems import Place
from reconix.config.shapes import shape_of

PLACE = Place(Path("pump.toml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Valve:
    """A part of a pump."""

    width: Annotated[int, Option("How wide.", "5")]
    is_open: Annotated[bool, Option("Whether it is open.", "true")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Motor:
    """What drives a pump."""

    name: Annotated[str, Option("How it is called.", '"m1"')]
    stages: Annotated[tuple[int, ...], Option("Its speeds.", "[1, 2]")] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """Something with parts."""

    motor: Motor
    valves: Annotated[Mapping[str, Valve], Option("Its valves.", "{}")] = field(
        default_factory=dict
    )


PUMP = shape_of(Pump)


def scalar(value: object) -> Scalar:
    return Scalar(Priority.PLAIN, (Setting(value, PLACE),))


def items(*values: object) -> List:
    return List(Priority.PLAIN, tuple(Setting(value, PLACE) for value in values), (), PLACE)


def table(**entries: Value) -> Table:
    return Table(entries, PLACE)


MOTOR = table(name=scalar("m1"), stages=items(1, 2))


def test_values_become_a_dataclass_with_its_parts() -> None:
    valves = table(b=table(width=scalar(2)), a=table(width=scalar(1), is_open=scalar(True)))
    made, problems = make(PUMP, table(motor=MOTOR, valves=valves), PLACE)
    expected = {"a": Valve(width=1, is_open=True), "b": Valve(width=2)}
    assert made == Pump(motor=Motor(name="m1", stages=(1, 2)), valves=expected)
    assert isinstance(made, Pump)
    assert (list(made.valves), problems) == (["a", "b"], []), "sorted, whoever wrote them first"


def test_what_nobody_set_is_the_default() -> None:
    made, problems = make(PUMP, table(motor=table(name=scalar("m1"))), PLACE)
    assert (made, problems) == (Pump(motor=Motor(name="m1")), [])


def test_everything_that_is_missing_is_told_at_once_with_an_example() -> None:
    made, problems = make(PUMP, table(valves=table(a=table(), b=table())), PLACE, "pump")
    assert made is None
    assert [(each.key, each.place, each.fact) for each in problems] == [
        ("pump.motor.name", PLACE, "is missing"),
        ("pump.valves.a.width", PLACE, "is missing"),
        ("pump.valves.b.width", PLACE, "is missing"),
    ]
    assert problems[0].hint == 'for example pump.motor.name = "m1"'


def test_a_value_that_was_refused_is_not_told_a_second_time() -> None:
    refused = Scalar(Priority.PLAIN, ())
    made, problems = make(PUMP, table(motor=table(name=refused)), PLACE)
    assert (made, problems) == (None, [])


def test_what_was_taken_out_of_a_list_is_not_in_it() -> None:
    stages = List(Priority.PLAIN, items(1, 2).added, items(1).added, PLACE)
    made, _ = make(PUMP, table(motor=table(name=scalar("m1"), stages=stages)), PLACE)
    assert isinstance(made, Pump)
    assert made.motor.stages == (2,)


def test_options_of_others_in_the_table_are_left_alone() -> None:
    made, problems = make(PUMP, table(motor=MOTOR, boot=table()), PLACE)
    assert (made, problems) == (Pump(motor=Motor(name="m1", stages=(1, 2))), [])


def test_a_table_that_was_checked_as_a_whole_is_made_without_problems() -> None:
    assert make_complete(shape_of(Valve), table(width=scalar(3))) == Valve(width=3)
