import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.boot.gpt import Guid
from reconix.boot.oneshots.load_option import (
    ForeignLoadOption,
    LoadOption,
    parse_load_option,
    print_load_option,
)

TEXT = st.text(st.characters(codec="utf-16-le", exclude_characters="\0\\"), min_size=1, max_size=40)
OPTIONS = st.builds(
    LoadOption,
    TEXT,
    st.integers(0, 128),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 64) - 1),
    st.binary(min_size=16, max_size=16).map(Guid),
    TEXT.filter(lambda path: not path.startswith("/")),
)
SHIM = LoadOption(
    "debian", 1, 2048, 1048576, Guid.parse("F0C1D5A3-2B8E-474C-9D1E-5F60718293A4"),
    "EFI/debian/shimx64.efi",
)  # fmt: skip
SHIM_FIELDS = (
    ("attributes", "01000000"),
    ("length of the path", "6200"),
    ("description", "640065006200690061006e000000"),
    ("hard drive node", "04012a00"),
    ("number", "01000000"),
    ("first sector", "0008000000000000"),
    ("sectors", "0000100000000000"),
    ("GUID", "a3d5c1f08e2b4c479d1e5f60718293a4"),
    ("GPT, GUID", "0202"),
    ("file node", "04043400"),
    ("\\EFI\\debian", "5c004500460049005c00640065006200690061006e00"),
    ("\\shimx64.efi", "5c007300680069006d007800360034002e006500660069000000"),
    ("end node", "7fff0400"),
)


def test_an_option_is_spelled_as_in_the_specification() -> None:
    assert print_load_option(SHIM) == bytes.fromhex("".join(raw for _, raw in SHIM_FIELDS))


@given(option=OPTIONS)
def test_an_option_is_read_as_it_was_written(option: LoadOption) -> None:
    assert parse_load_option(print_load_option(option)) == option


@given(noise=st.binary(max_size=300))
def test_noise_is_never_an_option(noise: bytes) -> None:
    with pytest.raises(ForeignLoadOption):
        parse_load_option(noise)


def test_an_option_cut_off_or_with_more_behind_it_is_not_ours() -> None:
    content = print_load_option(SHIM)
    for size in range(len(content)):
        with pytest.raises(ForeignLoadOption):
            parse_load_option(content[:size])
    with pytest.raises(ForeignLoadOption):
        parse_load_option(content + b"options")


def test_an_inactive_option_is_not_ours() -> None:
    with pytest.raises(ForeignLoadOption):
        parse_load_option(bytes(4) + print_load_option(SHIM)[4:])
