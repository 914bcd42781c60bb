from hypothesis import given
from hypothesis import strategies as st

from reconix.boot.fat_names import ENTRY_BYTES, Named, aliased
from reconix.boot.tree import casefold

NAMES = st.lists(
    st.from_regex(r"[A-Za-z0-9 _+.=\u00e4\u20ac-]{0,29}[A-Za-z0-9_]", fullmatch=True),
    unique_by=casefold,
    max_size=60,
).map(sorted)


def aliases(*names: str) -> list[str]:
    return [named.alias.decode() for named in aliased(sorted(names))]


def test_a_short_name_stays_what_it_is() -> None:
    assert aliases("A", "BOOTX64.EFI", "X.Y") == ["A          ", "BOOTX64 EFI", "X       Y  "]
    assert [named.count for named in aliased(["A", "BOOTX64.EFI"])] == [1, 1]


def test_small_letters_take_a_long_name_but_no_number() -> None:
    (named,) = aliased(["loader"])
    assert (named.alias, named.count) == (b"LOADER     ", 2)


def test_long_names_are_numbered_in_their_order() -> None:
    assert aliases("long name.conf", "long names.conf", "longna~1.con") == [
        "LONGNA~2CON",
        "LONGNA~3CON",
        "LONGNA~1CON",
    ]


def test_names_without_letters_for_a_short_one_get_one() -> None:
    assert aliases(".a.b.c", "€", "+", "a+b", ".hidden") == [
        "_~1        ", "AB~1    C  ", "HIDDEN~1   ", "A_B~1      ", "_~2        ",
    ]  # fmt: skip


def test_a_long_name_is_spelled_as_in_the_example_of_the_specification() -> None:
    assert Named("The quick brown.fox", b"THEQUI~1FOX").long_entries() == bytes.fromhex(
        "42 77006e002e0066006f00 0f 00 07 78000000ffffffffffffffff 0000 ffffffff"
        "01 54006800650020007100 0f 00 07 7500690063006b0020006200 0000 72006f00"
    )


@given(names=NAMES)
def test_no_two_short_names_are_the_same(names: list[str]) -> None:
    found = aliased(names)
    assert [named.name for named in found] == names
    assert len({named.alias for named in found}) == len(names)
    assert all(len(named.alias) == 11 and named.alias[0] != 0x20 for named in found)
    assert all(len(named.long_entries()) == ENTRY_BYTES * (named.count - 1) for named in found)
