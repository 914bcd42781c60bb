import random
import struct
import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.boot.gpt import (
    ARRAY_BYTES,
    EFI_SYSTEM,
    LINUX,
    SECTOR,
    BadPartitionTable,
    DamagedPartitionTable,
    Guid,
    Header,
    Lba,
    Partition,
    check_partitions,
    parse_array,
    parse_header,
    print_array,
    print_header,
)

GUIDS = st.binary(min_size=16, max_size=16).filter(any).map(Guid)
LBAS = st.integers(1, (1 << 63) - 1).map(Lba)
NAMES = st.text(st.characters(codec="utf-16-le", exclude_characters="\0"), min_size=1, max_size=18)
HEADERS = st.builds(
    lambda at, twin, usable, disk, array, crc: Header(
        at, twin, min(usable), max(usable), disk, array, crc
    ),
    LBAS,
    LBAS,
    st.tuples(LBAS, LBAS),
    GUIDS,
    LBAS,
    st.integers(0, 0xFFFF_FFFF),
)
PARTITIONS = st.builds(
    lambda kind, guid, bounds, name, attributes: Partition(
        kind, guid, min(bounds), max(bounds), name, attributes
    ),
    GUIDS,
    GUIDS,
    st.tuples(LBAS, LBAS),
    NAMES,
    st.integers(0, (1 << 64) - 1),
)
HEADER = Header(Lba(1), Lba(999), Lba(34), Lba(900), Guid.derive("disk"), Lba(64), 5)


@given(raw=st.binary(min_size=16, max_size=16))
def test_a_guid_is_spelled_as_python_spells_it(raw: bytes) -> None:
    assert str(Guid(raw)).lower() == str(uuid.UUID(bytes_le=raw))
    assert Guid.parse(str(Guid(raw)).lower()) == Guid(raw)


@given(seed=st.text())
def test_a_derived_guid_is_a_custom_one(seed: str) -> None:
    derived = uuid.UUID(str(Guid.derive(seed)))
    assert (derived.version, derived.variant) == (8, uuid.RFC_4122)


@pytest.mark.parametrize("text", ["", "C12A7328F81F11D2BA4B00A0C93EC93B", "x" * 36])
def test_what_is_no_guid_is_refused(text: str) -> None:
    with pytest.raises(BadPartitionTable, match="is no GUID"):
        Guid.parse(text)


@given(header=HEADERS)
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    assert parse_header(print_header(header), at=header.at) == header


@given(partitions=st.lists(PARTITIONS, max_size=128).map(tuple))
def test_an_array_is_read_as_it_was_written(partitions: tuple[Partition, ...]) -> None:
    content = print_array(partitions)
    assert len(content) == ARRAY_BYTES and parse_array(content) == partitions


@given(at=st.integers(0, 91), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_header_is_damage(at: int, bit: int) -> None:
    block = bytearray(print_header(HEADER))
    block[at] ^= 1 << bit
    with pytest.raises(DamagedPartitionTable):
        parse_header(bytes(block), at=Lba(1))


def test_a_header_somewhere_else_is_damage() -> None:
    with pytest.raises(DamagedPartitionTable, match="stands in LBA 1"):
        parse_header(print_header(HEADER), at=Lba(2))


@pytest.mark.parametrize(
    ("at", "field"),
    [(8, 0x20000), (12, 96), (20, 1), (80, 64), (84, 256)],
    ids=["revision", "header size", "reserve", "number of entries", "size of an entry"],
)
def test_a_valid_header_that_is_not_ours_is_refused_but_no_damage(at: int, field: int) -> None:
    block = bytearray(print_header(HEADER))
    struct.pack_into("<I", block, at, field)
    block[16:20] = bytes(4)
    size = struct.unpack_from("<I", block, 12)[0]
    struct.pack_into("<I", block, 16, zlib.crc32(block[:size]))
    with pytest.raises(BadPartitionTable) as caught:
        parse_header(bytes(block), at=Lba(1))
    assert not isinstance(caught.value, DamagedPartitionTable)


@given(noise=st.binary(max_size=2 * SECTOR))
def test_noise_is_never_a_header(noise: bytes) -> None:
    with pytest.raises(BadPartitionTable):
        parse_header(noise, at=Lba(1))


def test_noise_is_never_an_array() -> None:
    for seed in range(50):
        with pytest.raises(BadPartitionTable):
            parse_array(random.Random(seed).randbytes(ARRAY_BYTES))


def test_a_gap_in_an_array_is_refused() -> None:
    part = Partition(LINUX, Guid.derive("a"), Lba(40), Lba(50), "a")
    content = bytes(128) + print_array((part,))[:-128]
    with pytest.raises(BadPartitionTable, match="gaps"):
        parse_array(content)


def partition(name: str, first: int, last: int) -> Partition:
    return Partition(EFI_SYSTEM, Guid.derive(name), Lba(first), Lba(last), name)


def test_partitions_may_touch_but_not_overlap() -> None:
    check_partitions((partition("b", 20, 30), partition("a", 10, 19)), first=Lba(10), last=Lba(30))
    with pytest.raises(BadPartitionTable, match="overlap"):
        check_partitions(
            (partition("b", 20, 30), partition("a", 10, 20)), first=Lba(10), last=Lba(30)
        )


@pytest.mark.parametrize("bounds", [(9, 15), (15, 31)])
def test_a_partition_outside_of_the_usable_sectors_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(BadPartitionTable, match="outside"):
        check_partitions((partition("a", *bounds),), first=Lba(10), last=Lba(30))


def test_two_partitions_with_one_guid_are_refused() -> None:
    twin = Partition(LINUX, Guid.derive("a"), Lba(20), Lba(21), "b")
    with pytest.raises(BadPartitionTable, match="same GUID"):
        check_partitions((partition("a", 10, 11), twin), first=Lba(1), last=Lba(30))


@pytest.mark.parametrize("bounds", [(0, 5), (6, 5), (1, 1 << 63)])
def test_a_partition_with_impossible_bounds_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(BadPartitionTable, match="goes from"):
        partition("a", *bounds)


@pytest.mark.parametrize("name", ["", "n" * 37, "a\0b"])
def test_a_name_that_no_entry_holds_is_refused(name: str) -> None:
    with pytest.raises(BadPartitionTable, match="is no name"):
        partition(name, 1, 2)
