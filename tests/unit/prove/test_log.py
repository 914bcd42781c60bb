"""The log of a recorded disk is read as QEMU writes it."""

import struct

import pytest

from reconix.prove.log import BadLog, Flag, entries, print_super

SECTOR = 512


def entry(sector: int, data: bytes, flags: int = 0, *, count: int | None = None) -> bytes:
    sectors = len(data) // SECTOR if count is None else count
    return struct.pack("<QQQQ", sector, sectors, flags, 0).ljust(SECTOR, b"\0") + data


def test_writes_flushes_and_discards_come_in_their_order() -> None:
    log = print_super(3) + entry(7, b"x" * 1024) + entry(0, b"", 1) + entry(9, b"", 4, count=8)
    write, flush, discard = entries(log)
    assert (write.offset, write.size_bytes, write.flags) == (7 * 512, 1024, Flag(0))
    assert log[write.data_at : write.data_at + 1024] == b"x" * 1024
    assert flush.flushes and not flush.size_bytes
    assert discard.is_zeros and discard.size_bytes == 4096


def test_a_log_of_large_sectors_is_read_too() -> None:
    header = struct.pack("<QQQQ", 2, 1, 0, 0).ljust(4096, b"\0")
    (write,) = entries(print_super(1, 4096) + header + b"y" * 4096)
    assert (write.offset, write.size_bytes) == (8192, 4096)


@pytest.mark.parametrize("cut", [1, 100, 512, 1000])
def test_a_log_that_ends_within_an_entry_is_refused(cut: int) -> None:
    whole = print_super(1) + entry(7, b"x" * 1024)
    with pytest.raises(BadLog, match="ends within"):
        list(entries(whole[:-cut]))


def test_what_is_no_log_is_refused() -> None:
    for content in (b"", bytes(512), print_super(0)[:8] + bytes(504)):
        with pytest.raises(BadLog):
            list(entries(content))
    with pytest.raises(BadLog, match="flags"):
        list(entries(print_super(1) + entry(0, b"", 64)))
