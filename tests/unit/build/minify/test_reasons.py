"""Reasons are written and read back."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from reconix.build.minify.graph import Because
from reconix.build.minify.reasons import Reasons, parse_reasons, print_reasons, read_reasons

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
FOUND = st.dictionaries(TEXTS, st.builds(Because, TEXTS, TEXTS), max_size=6)


@given(FOUND, FOUND, st.booleans())
def test_what_is_printed_is_read(
    stays: dict[str, Because], goes: dict[str, Because], ours: bool
) -> None:
    reasons = Reasons(stays, goes, ours)
    assert parse_reasons(print_reasons(reasons)) == reasons


def test_a_line_for_each_path_sorted(tmp_path: Path) -> None:
    reasons = Reasons({"b\tc": Because("a", "runs b")}, {"a": Because("", "nothing reaches it")})
    (tmp_path / "x").write_bytes(print_reasons(reasons))
    assert (tmp_path / "x").read_text() == "-\ta\t\tnothing reaches it\n+\tb\\tc\ta\truns b\n"
    assert read_reasons(tmp_path / "x") == reasons
