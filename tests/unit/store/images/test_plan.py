"""Few images for a system, and none that two systems change."""

from hypothesis import given
from hypothesis import strategies as st

from reconix.store.images.plan import LARGE_NODES, MOST_LARGE, MOST_TOGETHER, groups
from reconix.store.paths import StorePath

PATHS = [StorePath(f"{number:032d}", "object") for number in range(40)]
SIZES = st.dictionaries(
    st.sampled_from(PATHS),
    st.one_of(
        st.integers(1, LARGE_NODES * 2),
        st.integers(1, MOST_TOGETHER * 2),
        st.sampled_from([LARGE_NODES - 1, LARGE_NODES, MOST_TOGETHER]),
    ),
)


def test_a_system_has_an_image_for_what_is_large_and_one_for_the_rest() -> None:
    root, kernel, etc, toplevel = PATHS[:4]
    sizes = {toplevel: 12, etc: 300, kernel: 4200, root: 6500}
    assert groups(sizes) == ((root,), (kernel,), (etc, toplevel))


def test_what_is_just_large_stands_alone() -> None:
    one, two, three = PATHS[:3]
    assert groups({one: LARGE_NODES, two: LARGE_NODES - 1, three: 1}) == ((one,), (two, three))


def test_of_many_large_objects_the_largest_stand_alone_and_of_equal_ones_the_first() -> None:
    sizes = {path: LARGE_NODES + number for number, path in enumerate(PATHS[:9])}
    assert groups(sizes) == (tuple(PATHS[:3]), *((path,) for path in PATHS[3:9]))
    equal = dict.fromkeys(PATHS[:9], LARGE_NODES)
    assert groups(equal) == (*((path,) for path in PATHS[:6]), tuple(PATHS[6:9]))
    assert MOST_LARGE == 6


def test_what_would_be_too_much_for_one_image_is_split_in_order() -> None:
    sizes = dict.fromkeys(PATHS, LARGE_NODES - 1) | dict.fromkeys(PATHS[:6], MOST_TOGETHER)
    sizes |= dict.fromkeys(PATHS[6:9], MOST_TOGETHER - 1)
    found = groups(sizes)
    assert found[:8] == tuple((path,) for path in PATHS[:8])
    assert found[8][0] == PATHS[8] and sum(map(len, found)) == len(PATHS)


def test_a_change_of_a_small_object_touches_one_image() -> None:
    before = {PATHS[0]: 6500, PATHS[1]: 4200, PATHS[2]: 300, PATHS[3]: 12}
    after = {PATHS[0]: 6500, PATHS[1]: 4200, PATHS[2]: 301, PATHS[4]: 12}
    assert len(set(groups(before)) & set(groups(after))) == 2


def test_nothing_needs_no_image() -> None:
    assert groups({}) == ()


@given(SIZES)
def test_every_object_stands_in_one_image_and_no_image_is_too_large(
    sizes: dict[StorePath, int],
) -> None:
    found = groups(sizes)
    assert sorted(path for group in found for path in group) == sorted(sizes)
    assert list(found) == sorted(found) and all(list(group) == sorted(group) for group in found)
    for group in found:
        assert len(group) == 1 or sum(sizes[path] for path in group) <= MOST_TOGETHER


@given(SIZES)
def test_the_order_in_which_sizes_are_told_does_not_matter(sizes: dict[StorePath, int]) -> None:
    turned = dict(reversed(sizes.items()))
    assert groups(turned) == groups(sizes)
