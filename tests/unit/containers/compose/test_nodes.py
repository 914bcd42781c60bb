"""YAML is read as it stands there, and nothing that is in it can cost more than its bounds."""

import time
from pathlib import Path

import pytest

from reconix.base.files import TooLarge
from reconix.containers.compose.nodes import (
    MAX_BYTES,
    BadCompose,
    Fields,
    Items,
    Node,
    Scalar,
    parse_nodes,
    read_nodes,
)

FILE = Path("compose.yaml")


def plain(node: Node) -> object:
    """A tree without its places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [plain(each) for each in node.items]
    return {name: plain(each) for name, each in node.entries.items()}


def parsed(text: str) -> object:
    return plain(parse_nodes(text, FILE))


def refused(text: str) -> str:
    with pytest.raises(BadCompose) as caught:
        parse_nodes(text, FILE)
    return str(caught.value)


def test_scalars_are_their_texts_and_no_numbers_or_truth_values() -> None:
    text = "{a: 22:22, b: no, c: 0x10, d: 1e3, e: 2026-01-01, f: 010, g: !!str 5}"
    assert parsed(text) == dict(
        zip("abcdefg", ["22:22", "no", "0x10", "1e3", "2026-01-01", "010", "5"], strict=True)
    )


def test_each_value_knows_the_line_of_its_key() -> None:
    top = parse_nodes(
        "services:\n  web:\n    image:\n      x\n    ports:\n    - a\n    - b\n", FILE
    )
    services = top.entries["services"]
    assert isinstance(services, Fields)
    web = services.entries["web"]
    assert isinstance(web, Fields)
    ports = web.entries["ports"]
    assert isinstance(ports, Items)
    assert [web.place.line, web.entries["image"].place.line, ports.place.line] == [2, 3, 5]
    assert [each.place.line for each in ports.items] == [6, 7]


def test_nothing_is_meant_by_an_empty_value_and_something_by_an_empty_text() -> None:
    found = parse_nodes("{a: , b: ~, c: null, d: '', e: 'null'}", FILE).entries.values()
    assert [isinstance(each, Scalar) and each.is_null for each in found] == [True] * 3 + [False] * 2


def test_aliases_and_merges_are_what_they_stand_for() -> None:
    text = """
x-one: &one {a: 1, b: 1}
x-two: &two {b: 2, c: 2}
from_one: {<<: *one, b: 3}
from_both: {<<: [*one, *two]}
word: {'<<': 1}
"""
    found = parsed(text)
    assert isinstance(found, dict)
    assert found["from_one"] == {"a": "1", "b": "3"}
    assert found["from_both"] == {"a": "1", "b": "1", "c": "2"}
    assert found["word"] == {"<<": "1"}


def bomb(levels: int, width: int = 9) -> str:
    lines = ["a0: &a0 [x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


def test_aliases_of_aliases_are_refused_before_they_cost_anything() -> None:
    began = time.process_time()
    assert "aliases of aliases" in refused(bomb(20))
    merges = "\n".join(
        f"m{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}'] * 9)}]}}" for i in range(1, 20)
    )
    assert "aliases of aliases" in refused(f"m0: &m0 {{k: v}}\n{merges}")
    long = f"t: &t {'x' * 100_000}\nl: [{', '.join(['*t'] * 1000)}]"
    assert "aliases of aliases" in refused(long)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}"])
def test_an_alias_of_itself_is_refused(text: str) -> None:
    refused(text)


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "[" * 5000, "{a: " * 40 + "}" * 40])
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    assert "nested too deep" in refused(text)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("a: 1\na: 2", "a stands twice", 2),
        ("a: 1\n---\nb: 2", "not YAML", 2),
        ("a: !!python/object/apply:os.system [ls]", "python/object", 1),
        ("a: !reset null", "!reset", 1),
        ("a:\n  ? [x]\n  : y", "no text", 2),
        ("a: {<<: 5}", "merges mappings", 1),
        ("a: *nowhere", "not YAML", 1),
        ('a: "\\ud800"', "half a character", 1),
        ("a: 'x", "not YAML", 1),
        ("a: b\n\t- c: d", "not YAML", 2),
        ("%YAML 9.9\n---\na: 1", "not YAML", 1),
        ("a: \x00", "not YAML", 0),
    ],
)
def test_what_is_no_compose_file_is_refused_at_its_line(text: str, why: str, line: int) -> None:
    with pytest.raises(BadCompose, match=why) as caught:
        parse_nodes(text, FILE)
    (problem,) = caught.value.problems
    assert problem.place.line == line


@pytest.mark.parametrize("text", ["", "# nothing", "[a, b]", "word"])
def test_a_file_without_a_mapping_is_none(text: str) -> None:
    assert "no mapping" in refused(text)


def test_no_message_quotes_the_line(tmp_path: Path) -> None:
    assert "hunter2" not in refused("password: hunter2\npassword: hunter3")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(TooLarge):
        read_nodes(file)


def test_the_largest_file_takes_seconds() -> None:
    began = time.process_time()
    text = "\n".join(f"k{number}: [a, b, c, d]" for number in range(12_000))[:MAX_BYTES]
    assert "too much" in refused(text.rpartition("\n")[0])
    assert time.process_time() - began < 30
