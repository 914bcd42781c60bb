"""What a repair brings is listed first, within limits, and the header says the same."""

from dataclasses import replace

import pytest
from tests.unit.transfer.packed import packed

from reconix.store.images.image import MAX_IMAGE_BYTES
from reconix.store.paths import StorePath
from reconix.transfer.format.repairs import MAX_REPAIRED, Brought, Repairs, parse_repairs
from reconix.transfer.format.stream import (
    START_BYTES,
    BadStream,
    Header,
    is_repair,
    parse_header,
    print_header,
    varint,
)

ROOT = StorePath("1" * 32, "generation")
ONE, TWO = Brought(b"\1" * 32, 4096), Brought(b"\2" * 32, 65)
REPAIRS = Repairs((ONE,), (ONE, TWO))


def header(repairs: Repairs) -> Header:
    return repairs.header(ROOT, host="gateway", architecture="amd64", sequence=7)


def parse(content: bytes, found: Header) -> Repairs:
    return parse_repairs(packed(content), found)


@pytest.mark.parametrize("repairs", [REPAIRS, Repairs((ONE,)), Repairs((), (TWO,))])
def test_what_is_printed_is_read_again(repairs: Repairs) -> None:
    assert parse(repairs.print(), header(repairs)) == repairs


def test_a_header_says_what_it_takes_and_that_it_is_a_repair() -> None:
    found = header(REPAIRS)
    assert (found.bases, found.target, found.objects) == ((ROOT,), ROOT, 0)
    assert (found.content_bytes, found.space_bytes, found.inodes) == (8257, 12288, 3)
    assert parse_header(found.print()) == found
    assert is_repair(print_header(found)[:START_BYTES])
    assert not is_repair(print_header(replace(found, repaired=0))[:START_BYTES])
    assert not is_repair(b"") and not is_repair(b"\xff" * START_BYTES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bases": ()},
        {"objects": 1},
        {"content_bytes": 8256},
        {"space_bytes": 1 << 40},
        {"inodes": 2},
        {"repaired": 2},
    ],
)
def test_a_header_that_says_something_else_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadStream, match=next(iter(wrong))):
        parse(REPAIRS.print(), replace(header(REPAIRS), **wrong))  # type: ignore[arg-type]


def test_what_is_not_sorted_or_twice_is_refused() -> None:
    for listed in ((TWO, ONE), (ONE, ONE)):
        several = Repairs((), listed)
        with pytest.raises(BadStream, match="not sorted"):
            parse(several.print(), header(several))


@pytest.mark.parametrize(
    "repairs",
    [
        Repairs((), (Brought(b"\1" * 32, 64),)),
        Repairs((), (Brought(b"\1" * 32, 1 << 43),)),
        Repairs((Brought(b"\1" * 32, 0),)),
        Repairs((Brought(b"\1" * 32, MAX_IMAGE_BYTES + 1),)),
    ],
)
def test_sizes_that_nothing_has_are_refused(repairs: Repairs) -> None:
    with pytest.raises(BadStream, match="cannot be repaired"):
        parse(repairs.print(), header(repairs))


def test_s6_more_than_is_repaired_at_once_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadStream, match="more than"):
        parse(varint(MAX_REPAIRED + 1), header(REPAIRS))
