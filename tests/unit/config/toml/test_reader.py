import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.config.toml.reader import (
    InvalidToml,
    Raw,
    RawList,
    RawScalar,
    RawTable,
    parse_toml,
    read_toml,
)

FILE = Path("hosts/x/machine.toml")

DOCUMENT = '''\
# a comment with a = "b"
title = "[not a table]"  # and = here
[boot]
slots = 2
  slot_size = "64M"
[users.operator]
groups = [
  "adm",   # ] is no end
  "sudo",
]
[files."a.b/c d"]
text = """
[fake]
key = "value" \\"""
"""
source = \'\'\'it's\'\'\'
[health]
checks = [{ unit = "a]b" }, { tcp = 80 }]
kernel.package . name = 'x'
[[list]]
one = 1979-05-27 07:32:00
[[list]]
two = { three.four = [1, [2]] }
[list.sub]
five = """a""""
'''


def places(raw: Raw, path: str = "") -> dict[str, str]:
    found = {path: f"{raw.place.line}:{raw.place.column}"}
    if isinstance(raw, RawTable):
        for key, child in raw.entries.items():
            found |= places(child, f"{path}/{key}")
    if isinstance(raw, RawList):
        for index, child in enumerate(raw.items):
            found |= places(child, f"{path}/{index}")
    return found


def test_every_key_and_every_item_knows_its_place() -> None:
    found = places(parse_toml(DOCUMENT, FILE))
    assert found == {
        "": "0:0",
        "/title": "2:1",
        "/boot": "3:2",
        "/boot/slots": "4:1",
        "/boot/slot_size": "5:3",
        "/users": "6:2",
        "/users/operator": "6:8",
        "/users/operator/groups": "7:1",
        "/users/operator/groups/0": "8:3",
        "/users/operator/groups/1": "9:3",
        "/files": "11:2",
        "/files/a.b/c d": "11:8",
        "/files/a.b/c d/text": "12:1",
        "/files/a.b/c d/source": "16:1",
        "/health": "17:2",
        "/health/checks": "18:1",
        "/health/checks/0": "18:11",
        "/health/checks/0/unit": "18:13",
        "/health/checks/1": "18:29",
        "/health/checks/1/tcp": "18:31",
        "/health/kernel": "19:1",
        "/health/kernel/package": "19:8",
        "/health/kernel/package/name": "19:18",
        "/list": "20:3",
        "/list/0": "20:1",
        "/list/0/one": "21:1",
        "/list/1": "22:1",
        "/list/1/two": "23:1",
        "/list/1/two/three": "23:9",
        "/list/1/two/three/four": "23:15",
        "/list/1/two/three/four/0": "23:23",
        "/list/1/two/three/four/1": "23:26",
        "/list/1/two/three/four/1/0": "23:27",
        "/list/1/sub": "24:7",
        "/list/1/sub/five": "25:1",
    }


def plain(raw: Raw) -> object:
    if isinstance(raw, RawTable):
        return {key: plain(child) for key, child in raw.entries.items()}
    if isinstance(raw, RawList):
        return [plain(child) for child in raw.items]
    return raw.value


def test_values_are_those_of_the_standard_library() -> None:
    assert plain(parse_toml(DOCUMENT, FILE)) == tomllib.loads(DOCUMENT)


keys = st.sampled_from(["a", "b-c", '"d.e"', "'f #'", '"g\\"h"', "i.j", 'k . "l"'])
scalars = st.sampled_from(
    [
        "1",
        "true",
        '"x"',
        '"a, ] } # \\" b"',
        "'c\\'",
        "1.5",
        "2020-01-01",
        '"""m\n"n"\n"""',
        "''''o''''",
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ " + " ,# c\n ".join(items) + "\n]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{n} = {v}" for n, v in enumerate(items)) + " }"
        ),
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(keys, values), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_each_key_is_found_where_it_stands(pairs: list[tuple[str, str]], newline: str) -> None:
    text = "".join(f"[t{n}]\n{key} = {value}\n" for n, (key, value) in enumerate(pairs))
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    raw = parse_toml(text.replace("\n", newline), FILE)
    assert plain(raw) == expected
    for number, (key, _) in enumerate(pairs):
        table = raw.entries[f"t{number}"]
        assert isinstance(table, RawTable)
        assert table.place.text == f"[t{number}]"
        (first,) = table.entries.values()
        assert first.place.text[first.place.column - 1 :].startswith(key.split(" ")[0][:2])


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\nb = = 2\n", 2, 5), ("a = 1\na = 2", 2, 6), ('a = "', 1, 6), ("[a]\n[a]\n", 2, 3)],
)
def test_invalid_toml_is_reported_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(InvalidToml) as failure:
        parse_toml(text, FILE)
    place = failure.value.problem.place
    assert (place.file, place.line, place.column) == (FILE, line, column)
    assert "invalid TOML" in str(failure.value.problem)


def test_a_bottomless_document_is_refused() -> None:
    with pytest.raises(InvalidToml, match="nested too deeply"):
        parse_toml("a = " + "[" * 100_000, FILE)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b'a = "\xff"')
    with pytest.raises(InvalidToml, match="not UTF-8"):
        read_toml(tmp_path / "a.toml")


def test_a_scalar_is_a_scalar() -> None:
    raw = parse_toml("a = 1", FILE).entries["a"]
    assert isinstance(raw, RawScalar)
    assert raw.value == 1
