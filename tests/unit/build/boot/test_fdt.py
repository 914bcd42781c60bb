"""Device trees, read to the letter, and what contradicts itself."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fdt_trees import Nodes, cells, print_tree, texts

from reconix.build.boot.fdt import DamagedTree, parse_tree

BOARD: Nodes = {
    "model": texts("a board"),
    "aliases": {"mmc0": texts("/soc/mmc@10")},
    "soc": {
        "clock": {"phandle": cells(7), "status": texts("disabled")},
        "mmc@10": {"clocks": cells(7, 1), "compatible": texts("a,mmc", "b,mmc"), "odd": b"abc"},
    },
}
WHOLE = print_tree(BOARD)


def test_nodes_have_names_properties_and_places() -> None:
    tree = parse_tree(WHOLE)
    node = tree.find("/soc/mmc@10")
    assert node is not None and node is tree.find("mmc0")
    assert (node.path, node.texts("compatible")) == ("/soc/mmc@10", ("a,mmc", "b,mmc"))
    assert (node.cells("clocks"), node.cells("odd"), node.cells("none")) == ((7, 1), (), ())
    assert [each.name for each in node.ancestors()] == ["soc"]
    assert tree.by_handle[7].path == "/soc/clock"
    assert node.is_used and not tree.by_handle[7].is_used


@pytest.mark.parametrize("name", ["mmc1", "/soc/mmc@11", "/soc/mmc@10/x", "soc"])
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert parse_tree(WHOLE).find(name) is None


def changed(at: int, value: int) -> bytes:
    made = bytearray(WHOLE)
    struct.pack_into(">I", made, at, value)
    return bytes(made)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "too short"),
        (changed(0, 1), "another format"),
        (changed(24, 18), "another format"),
        (changed(8, len(WHOLE)), "its structure lies outside"),
        (changed(12, len(WHOLE)), "names of its properties lie outside"),
        (WHOLE[:-1], "its structure lies outside"),
        (changed(36, 8), "has no end"),
        (print_tree({"a": {"b": {}}}).replace(cells(2, 9), cells(9, 9)), "a node does not end"),
        (WHOLE.replace(cells(3, 8), cells(3, 1 << 30), 1), "is not where it may be"),
        (WHOLE.replace(cells(3, 8), cells(5, 8), 1), "token 5"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(DamagedTree, match=said):
        parse_tree(content)


def test_a_tree_that_is_too_deep_is_refused() -> None:
    deep: Nodes = {}
    for _ in range(70):
        deep = {"a": deep}
    with pytest.raises(DamagedTree, match="too many nodes"):
        parse_tree(print_tree(deep))


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_changed_byte_ends_in_a_tree_or_in_this_error(at: int, value: int) -> None:
    made = WHOLE[:at] + bytes([value]) + WHOLE[at + 1 :]
    try:
        parse_tree(made)
    except DamagedTree:
        return
