"""The control sector: what is asked for is written whole, or not asked for."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.u_boot_disks import make_disk

from reconix.boot.control import (
    NOTHING,
    PARTITION,
    BadRequest,
    Request,
    parse_request,
    print_request,
    read_request,
    write_request,
)
from reconix.boot.disk import SECTOR, DiskFile, NotKept
from reconix.boot.tables import Slot, SlotTables

SLOTS = st.none() | st.integers(1, 8).map(Slot)
SYSTEMS = st.none() | st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
REQUESTS = st.tuples(SLOTS, SYSTEMS).filter(any).map(lambda each: Request(*each))
MAYBE = st.none() | REQUESTS


def checked(data: bytes) -> bytes:
    """A sector of some words, with its checksum."""
    padded = data.ljust(SECTOR - 4, b"\0")
    return zlib.crc32(padded).to_bytes(4, "little") + padded


@given(MAYBE)
def test_what_is_printed_is_parsed_again(request_: Request | None) -> None:
    assert len(print_request(request_)) == SECTOR
    assert parse_request(print_request(request_)) == request_


def test_the_bytes_are_those_of_the_specification() -> None:
    """A change here is a change of the format: scripts in slots out there read it."""
    words = b"reconix_version=1\0reconix_slot=slot-2\0reconix_system=mqtt\0"
    assert print_request(Request(Slot(2), "mqtt")) == checked(words)
    assert print_request(Request(None, "mqtt")) == checked(words.replace(words[18:38], b""))
    assert print_request(None) == NOTHING == bytes(512)


@given(MAYBE, REQUESTS, st.integers(0, SECTOR))
def test_a_torn_write_asks_for_what_was_or_what_shall_be_or_nothing(
    before: Request | None, after: Request, at: int
) -> None:
    """Nor does the script's own write of zeros, if it is torn."""
    for old, new in ((before, after), (after, None)):
        torn = print_request(new)[:at] + print_request(old)[at:]
        assert parse_request(torn) in (None, old, new)


@given(st.binary(min_size=SECTOR, max_size=SECTOR))
def test_what_is_no_request_asks_for_nothing(sector: bytes) -> None:
    assert parse_request(sector) is None


@pytest.mark.parametrize(
    "words",
    [
        b"reconix_version=2\0reconix_slot=slot-2\0",
        b"reconix_slot=slot-2\0",
        b"reconix_version=1\0reconix_slot=slot-9\0",
        b"reconix_version=1\0reconix_slot=../x\0reconix_system=a/b\0",
        b"reconix_version=1\0bootcmd=run x\0",
    ],
)
def test_another_version_or_other_words_ask_for_nothing(words: bytes) -> None:
    assert parse_request(checked(words)) is None


@pytest.mark.parametrize(("slot", "system"), [(None, None), (None, "../x"), (Slot(1), "")])
def test_what_cannot_be_asked_for_is_refused(slot: Slot | None, system: str | None) -> None:
    with pytest.raises(BadRequest):
        Request(slot, system)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
def tables(disk: Path) -> SlotTables:
    return make_disk(disk, {})


class Counted(DiskFile):
    """A disk that counts what is written, and may lose it."""

    def __init__(self, path: Path, *, loses: bool = False) -> None:
        super().__init__(path)
        self.writes: list[tuple[int, int]] = []
        self.loses = loses

    def write(self, offset: int, content: bytes) -> None:
        self.writes.append((offset, len(content)))
        if not self.loses:
            super().write(offset, content)


def test_slot_and_system_are_asked_for_by_one_write_of_one_sector(
    disk: Path, tables: SlotTables
) -> None:
    control = tables.named(PARTITION)
    with Counted(disk) as counted:
        for _ in range(2):  # what is there already is not written
            write_request(counted, control, Request(Slot(2), "mqtt"))
        assert counted.writes == [(control.first * SECTOR, SECTOR)]
        assert read_request(counted, control) == Request(Slot(2), "mqtt")


def test_a_request_that_is_not_kept_is_told(disk: Path, tables: SlotTables) -> None:
    with Counted(disk, loses=True) as counted, pytest.raises(NotKept, match="control sector"):
        write_request(counted, tables.named(PARTITION), Request(Slot(2), None))
