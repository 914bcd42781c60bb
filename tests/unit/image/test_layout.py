import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.firmware import FirmwareKind
from reconix.boot.gpt import LINUX, SECTOR
from reconix.boot.tables import IDLE_SLOT
from reconix.image.layout import MIB, BadLayout, DiskTooSmall, Sizes, needed_bytes, plan

SIZES = st.builds(
    Sizes,
    st.integers(2, 8),
    slot_bytes=st.integers(1, 600 * MIB),
    system_bytes=st.integers(1, 4096 * MIB),
    data_bytes=st.none() | st.integers(1, 4096 * MIB),
    firmware=st.sampled_from(FirmwareKind),
)


@given(sizes=SIZES, spare_sectors=st.integers(0, 10_000))
def test_partitions_are_as_large_as_asked_and_aligned(sizes: Sizes, spare_sectors: int) -> None:
    tables = plan("h", size_bytes=needed_bytes(sizes) + spare_sectors * SECTOR, sizes=sizes)
    parts = tables.slots + tables.others
    assert [p.name for p in parts][-2:] == ["system", "data"]
    assert all(p.first % 2048 == 0 == (p.last + 1) % 2048 for p in parts)
    control = [MIB] if sizes.firmware is FirmwareKind.U_BOOT else []
    assert ("control" in [p.name for p in parts]) == bool(control)
    slots = [sizes.slot_bytes] * sizes.slots
    wanted = [*slots, *control, sizes.system_bytes, sizes.data_bytes or 1]
    assert all(p.size_bytes >= size for p, size in zip(parts, wanted, strict=True))
    if sizes.data_bytes:
        assert all(p.size_bytes < size + MIB for p, size in zip(parts, wanted, strict=True))
    else:
        assert parts[-1].last == tables.last_usable


@given(sizes=SIZES)
def test_one_mib_less_is_too_small(sizes: Sizes) -> None:
    with pytest.raises(DiskTooSmall, match="MiB") as caught:
        plan("h", size_bytes=needed_bytes(sizes) - MIB, sizes=sizes)
    assert caught.value.needed_bytes == needed_bytes(sizes)


def test_guids_follow_from_the_host() -> None:
    sizes = Sizes(2, slot_bytes=64 * MIB, system_bytes=100 * MIB)
    one, again, other = (plan(h, size_bytes=1 << 30, sizes=sizes) for h in ("a", "a", "b"))
    assert one == again
    assert {p.guid for p in one.slots}.isdisjoint(p.guid for p in other.slots)
    assert {p.type for p in one.slots} == {IDLE_SLOT} and one.others[0].type == LINUX


@pytest.mark.parametrize("slots", [0, 1, 9])
def test_a_disk_has_two_to_eight_slots(slots: int) -> None:
    with pytest.raises(BadLayout, match=f"{slots} slots"):
        Sizes(slots, slot_bytes=MIB, system_bytes=MIB)


def test_a_partition_without_size_is_refused() -> None:
    with pytest.raises(BadLayout):
        Sizes(2, slot_bytes=0, system_bytes=MIB)
