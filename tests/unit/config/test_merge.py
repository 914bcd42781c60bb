"""The laws of the merge, on values drawn at random."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.config.merge import (
    List,
    Priority,
    Scalar,
    Setting,
    Table,
    Value,
    conflicts,
    dotted,
    merge,
)
from reconix.config.problems import Place

PLACE = Place(Path("a.toml"), 1, 1)

priorities = st.sampled_from(Priority)
settings_ = st.integers(0, 3).map(lambda number: Setting(number, PLACE, str(number)))
distinct = st.lists(settings_, max_size=4, unique_by=lambda setting: setting.value).map(tuple)
scalars = st.builds(lambda priority, one: Scalar(priority, (one,)), priorities, settings_)
lists = st.builds(List, priorities, distinct, distinct, st.just(PLACE))


def leaves_only(scalar: Scalar | None, items: List | None, inner: Table | None) -> Table:
    given_ = {"scalar": scalar, "list": items, "table": inner}
    return Table({key: value for key, value in given_.items() if value is not None}, PLACE)


flat = st.builds(leaves_only, st.none() | scalars, st.none() | lists, st.none())
nested = st.builds(leaves_only, st.none() | scalars, st.none() | lists, st.none() | flat)


def unordered(value: Value) -> object:
    """A value without the order in which its parts were written."""
    if isinstance(value, Table):
        return {key: unordered(child) for key, child in value.entries.items()}
    if isinstance(value, Scalar):
        return value.priority, {setting.value for setting in value.settings}
    return (
        value.priority,
        {setting.value for setting in value.added},
        {setting.value for setting in value.removed},
    )


@given(nested, nested, nested)
def test_it_does_not_matter_how_files_are_grouped(one: Table, two: Table, three: Table) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


def test_it_is_known_of_an_item_wherever_it_was_written() -> None:
    def items(line: int, *values: int) -> List:
        place = Place(Path("a.toml"), line, 1)
        added = tuple(Setting(value, place) for value in values)
        return List(Priority.PLAIN, added, (), place)

    one, two, three = items(1, 5, 6), items(2, 6), items(3, 6)
    for merged in (merge(merge(one, two), three), merge(one, merge(two, three))):
        assert isinstance(merged, List)
        places = [[each.line for each in (item.place, *item.also)] for item in merged.items]
        assert places == [[1], [1, 2, 3]]
    again = merge(merge(one, two), merge(one, two))
    assert isinstance(again, List)
    assert [len(item.also) for item in again.items] == [0, 1]


@given(nested, nested)
def test_a_file_taken_in_twice_counts_once(one: Table, two: Table) -> None:
    assert merge(one, one) == one
    both = merge(one, two)
    assert merge(both, one) == both
    assert merge(both, two) == both


@given(nested, nested)
def test_the_order_of_files_changes_the_order_of_list_items_and_nothing_else(
    one: Table, two: Table
) -> None:
    assert unordered(merge(one, two)) == unordered(merge(two, one))


@given(scalars, lists)
def test_the_order_of_files_about_different_things_does_not_matter(
    scalar: Scalar, items: List
) -> None:
    one, two = Table({"scalar": scalar}, PLACE), Table({"list": items}, PLACE)
    assert merge(one, two) == merge(two, one)


@given(nested)
def test_an_empty_file_changes_nothing(one: Table) -> None:
    empty = Table({}, PLACE)
    assert merge(one, empty) == merge(empty, one) == one


@given(lists, lists)
def test_an_item_that_is_taken_out_is_out_wherever_it_comes_from(one: List, two: List) -> None:
    both = merge(one, two)
    assert isinstance(both, List)
    removed = {setting.value for setting in (*one.removed, *two.removed)}
    assert not removed & {setting.value for setting in both.items}


def scalar(value: object, priority: Priority = Priority.PLAIN, line: int = 1) -> Scalar:
    return Scalar(priority, (Setting(value, Place(Path("x.toml"), line, 1), str(value)),))


def items(*values: int, priority: Priority = Priority.PLAIN, removed: tuple[int, ...] = ()) -> List:
    def as_settings(numbers: tuple[int, ...]) -> tuple[Setting, ...]:
        return tuple(Setting(number, PLACE) for number in numbers)

    return List(priority, as_settings(values), as_settings(removed), PLACE)


def shown(value: Value) -> list[object]:
    assert isinstance(value, List)
    return [setting.value for setting in value.items]


def test_lists_add_in_order_and_keep_what_is_twice_once() -> None:
    assert shown(merge(items(1, 2), items(2, 3))) == [1, 2, 3]
    assert shown(merge(items(1, 2), items(removed=(1,), priority=Priority.DEFAULT))) == [2]
    assert shown(merge(items(1, 2, priority=Priority.DEFAULT), items(3))) == [3]
    assert shown(merge(items(1, 2), items(3, priority=Priority.FORCE))) == [3]


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        (scalar(1), scalar(1), 1),
        (scalar(1), scalar(2, Priority.FORCE), 2),
        (scalar(2, Priority.FORCE), scalar(1), 2),
        (scalar(1), scalar(2, Priority.DEFAULT), 1),
    ],
)
def test_the_heavier_scalar_counts(one: Scalar, other: Scalar, value: int) -> None:
    both = merge(one, other)
    assert isinstance(both, Scalar)
    assert [setting.value for setting in both.settings] == [value]
    assert not list(conflicts(both))


def test_two_scalars_that_differ_are_a_conflict_that_shows_both_places() -> None:
    one = Table({"disk": Table({"size": scalar("1G", line=3)}, PLACE)}, PLACE)
    two = Table({"disk": Table({"size": scalar("2G", line=8)}, PLACE)}, PLACE)
    (problem,) = conflicts(merge(one, two))
    assert problem.key == "disk.size"
    assert "x.toml:8:1" in str(problem)
    assert "x.toml:3:1" in str(problem)
    assert "force" in problem.hint


def test_two_that_are_forced_conflict_as_well() -> None:
    both = merge(scalar(1, Priority.FORCE), scalar(2, Priority.FORCE))
    (problem,) = conflicts(both)
    assert problem.hint == "only one value can be forced"


def test_names_that_toml_would_quote_are_quoted() -> None:
    assert dotted("files", "a/b.conf") == 'files."a/b.conf"'
    assert dotted("", "hosts-1_x") == "hosts-1_x"
