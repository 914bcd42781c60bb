"""The cheapest chain through a folder of streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.documents import BadDocument
from reconix.store.paths import StorePath
from reconix.transfer.format.catalog import Offer, cheapest, newest, parse_index, print_index

PATHS = [StorePath("0" * 32, f"generation-{number}") for number in range(6)]


def offer(begin: int | None, end: int, size: int) -> Offer:
    bases = () if begin is None else (PATHS[begin],)
    return Offer(f"{begin}-{end}", size, "gw", "amd64", bases, PATHS[end], end)


def chain(offers: list[Offer], installed: list[int], target: int) -> list[str] | None:
    found = cheapest(offers, [PATHS[number] for number in installed], PATHS[target])
    return None if found is None else [each.file for each in found]


CHAIN = [offer(1, 2, 10), offer(2, 3, 10), offer(1, 3, 15), offer(None, 3, 100)]


def test_one_stream_is_taken_if_it_is_cheaper_than_a_chain() -> None:
    assert chain(CHAIN, [1], 3) == ["1-3"]


def test_a_chain_is_taken_if_it_is_cheaper() -> None:
    assert chain([*CHAIN[:2], offer(1, 3, 25)], [1], 3) == ["1-2", "2-3"]


def test_what_is_installed_beside_it_helps() -> None:
    assert chain(CHAIN, [1, 2], 3) == ["2-3"]


def test_a_full_stream_is_the_last_resort() -> None:
    assert chain(CHAIN, [0], 3) == ["None-3"]
    assert chain(CHAIN[:3], [0], 3) is None


def test_what_is_there_costs_nothing() -> None:
    assert chain(CHAIN, [3], 3) == []


def test_any_of_several_bases_will_do() -> None:
    many = Offer("many", 5, "gw", "amd64", (PATHS[0], PATHS[4]), PATHS[5], 5)
    assert chain([many], [4], 5) == ["many"]


def test_the_newest_has_the_highest_number() -> None:
    assert newest(CHAIN) == CHAIN[2]
    assert newest([]) is None


steps = st.tuples(st.none() | st.integers(0, 5), st.integers(0, 5), st.integers(0, 9))


@given(st.lists(steps, max_size=12), st.sets(st.integers(0, 5), max_size=2), st.integers(0, 5))
def test_no_chain_is_cheaper_than_the_one_that_is_found(
    edges: list[tuple[int | None, int, int]], installed: set[int], target: int
) -> None:
    offers = [offer(*edge) for edge in edges]
    found = cheapest(offers, [PATHS[number] for number in installed], PATHS[target])
    cost = {number: 0 for number in installed}
    for _ in range(7):
        for begin, end, size in edges:
            before = 0 if begin is None else cost.get(begin)
            if before is not None:
                cost[end] = min(cost.get(end, 1 << 30), before + size)
    assert (found is None) == (target not in cost)
    if found is not None:
        assert sum(each.size_bytes for each in found) == cost[target]
        have = {PATHS[number] for number in installed}
        for each in found:
            assert not each.bases or have & set(each.bases)
            have.add(each.target)


def test_an_index_comes_back_whatever_the_order() -> None:
    printed = print_index(CHAIN)
    assert printed == print_index(reversed(CHAIN))
    assert sorted(parse_index(printed, source="x"), key=lambda o: o.file) == sorted(
        CHAIN, key=lambda o: o.file
    )


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0", "-x", "x" * 200]
)
def test_s5_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    printed = print_index([Offer(name, 1, "gw", "amd64", (), PATHS[1], 1)])
    with pytest.raises(BadDocument):
        parse_index(printed, source="x")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": 2, "streams": []}', b"[]"])
def test_something_else_is_no_index(content: bytes) -> None:
    with pytest.raises(BadDocument):
        parse_index(content, source="x")
