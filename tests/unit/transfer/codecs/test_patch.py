from hypothesis import given
from hypothesis import strategies as st

from reconix.transfer.codecs.patch import add, in_pieces, subtract


@st.composite
def pairs(draw: st.DrawFn) -> tuple[bytes, bytes]:
    size = draw(st.integers(0, 70))
    return draw(st.binary(min_size=size, max_size=size)), draw(
        st.binary(min_size=size, max_size=size)
    )


@given(pairs())
def test_every_byte_is_added_by_itself(pair: tuple[bytes, bytes]) -> None:
    old, difference = pair
    one_by_one = bytes((a + b) % 256 for a, b in zip(old, difference, strict=True))
    assert add(old, difference) == one_by_one


@given(pairs())
def test_subtracting_is_the_inverse(pair: tuple[bytes, bytes]) -> None:
    new, old = pair
    assert add(old, subtract(new, old)) == new


@given(pairs())
def test_it_is_the_same_where_nothing_is_compiled(pair: tuple[bytes, bytes]) -> None:
    assert in_pieces(*pair) == add(*pair)
