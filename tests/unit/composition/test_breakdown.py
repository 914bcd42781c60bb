"""Sizes put together."""

from hypothesis import given
from hypothesis import strategies as st

from reconix.composition.breakdown import Row, Share, groups, of_system, rows
from reconix.composition.parts import Content, Part

ONE, OTHER = Part("one", "1"), Part("other", "2")


def content(size: int, part: Part, *systems: str, area: str = "usr") -> Content:
    return Content(size, part, area, frozenset(systems))


FOUND = [
    content(5, ONE, "a"),
    content(7, ONE, "a", "b", area="etc"),
    content(7, ONE, "a", "b"),
    content(20, OTHER, "b"),
    content(1, OTHER),
]


def test_a_row_says_how_much_and_how_much_is_alone() -> None:
    assert rows(FOUND) == [Row(OTHER, 21, 21, ("b",)), Row(ONE, 19, 5, ("a", "b"))]
    assert rows(of_system(FOUND, "a")) == [Row(ONE, 19, 5, ("a", "b"))]


def test_a_group_has_what_the_same_systems_have() -> None:
    assert groups(FOUND) == {
        ("b",): [Share(OTHER, 20, (("usr", 20),))],
        ("a", "b"): [Share(ONE, 14, (("etc", 7), ("usr", 7)))],
        ("a",): [Share(ONE, 5, (("usr", 5),))],
        (): [Share(OTHER, 1, (("usr", 1),))],
    }
    assert list(groups(FOUND)) == [("b",), ("a", "b"), ("a",), ()]


CONTENTS = st.lists(
    st.builds(
        content,
        st.integers(1, 10**9),
        st.sampled_from([ONE, OTHER, Part("third")]),
        st.sampled_from("abc"),
        st.sampled_from("abc"),
    )
)


@given(found=CONTENTS)
def test_nothing_is_lost_or_counted_twice(found: list[Content]) -> None:
    whole = sum(each.size_bytes for each in found)
    assert sum(row.size_bytes for row in rows(found)) == whole
    assert sum(share.size_bytes for shares in groups(found).values() for share in shares) == whole
    sizes = [sum(share.size_bytes for share in shares) for shares in groups(found).values()]
    assert sizes == sorted(sizes, reverse=True)
