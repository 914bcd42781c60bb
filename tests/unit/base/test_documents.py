from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.documents import BadDocument, Fields, Json, parse_json, print_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_printed_is_read_back(value: Json) -> None:
    assert parse_json(print_json(value), source="test") == value


def test_there_is_one_spelling() -> None:
    assert print_json({"b": [1, None], "a": "ä"}) == (
        b'{\n  "a": "\xc3\xa4",\n  "b": [\n    1,\n    null\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"1 2", "Extra data"),
        (b"1.5", "not an integer"),
        (b"1e3", "not an integer"),
        (b"NaN", "not an integer"),
        (b"-Infinity", "not an integer"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff", "decode"),
        (b"[" * 40 + b"]" * 40, "nested too deep"),
        (b"[" * 100_000, ""),
        (b"1" * 5000, "digits"),
        (b'"\\ud800"', "surrogates"),
        (b'{"a": [{"\\udc9b": 1}]}', "surrogates"),
        (b"\xed\xa0\x80", "decode"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested too deep"),
    ],
)
def test_what_we_would_not_write_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadDocument, match=rf"the source is not acceptable JSON: .*{reason}"):
        parse_json(content, source="the source")


FIELDS = Fields.parse(
    b'{"text": "a", "number": 7, "flag": true, "null": null, "texts": ["a", "b"],'
    b' "object": {"x": 1}, "objects": [{"x": 1}, {"x": 2}], "mixed": ["a", 1], "negative": -1,'
    b' "large": 9223372036854775808}',
    source="boot.json",
)


def test_each_field_is_taken_out_by_its_type() -> None:
    assert FIELDS.text("text") == "a"
    assert FIELDS.number("number") == 7
    assert FIELDS.flag("flag") is True
    assert FIELDS.texts("texts") == ["a", "b"]
    assert FIELDS.object("object").number("x") == 1
    assert [each.number("x") for each in FIELDS.objects("objects")] == [1, 2]


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (lambda: FIELDS.text("absent"), "boot.json: 'absent' is missing"),
        (lambda: FIELDS.text("number"), "'number' must be a string, found a number"),
        (lambda: FIELDS.number("flag"), "'flag' must be an integer .*, found true or false"),
        (lambda: FIELDS.number("negative"), "'negative' must be an integer"),
        (lambda: FIELDS.number("large"), "'large' must be an integer"),
        (lambda: FIELDS.flag("null"), "'null' must be true or false, found null"),
        (lambda: FIELDS.texts("mixed"), "'mixed' must be a list of strings, found a list"),
        (lambda: FIELDS.items("object"), "'object' must be a list, found an object"),
        (lambda: FIELDS.object("text"), "boot.json: text: expected an object, found a string"),
        (lambda: FIELDS.objects("texts"), r"boot.json: texts\[0\]: expected an object"),
        (lambda: FIELDS.objects("objects")[1].text("y"), r"objects\[1\]: 'y' is missing"),
    ],
)
def test_a_wrong_field_is_named_with_its_document(take: Callable[[], object], message: str) -> None:
    with pytest.raises(BadDocument, match=message):
        take()


def test_null_counts_as_absent() -> None:
    assert FIELDS.has("text")
    assert not FIELDS.has("null")
    assert not FIELDS.has("absent")


def test_a_document_of_another_version_is_refused() -> None:
    fields = Fields.parse(b'{"version": 2}', source="x.json")
    fields.expect_version(2)
    with pytest.raises(BadDocument, match=r"x\.json has version 2, expected 1"):
        fields.expect_version(1)
