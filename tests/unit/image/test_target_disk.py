import pytest

from reconix.image.target_disk import TargetDisk, TargetTooSmall, UnfitTarget, parse_facts

SAID = """\
ro=0
size=31268536320
sector=512
vendor=Generic
model=SD/MMC
serial=0042
part=131072 sdb1 slot-1
part=2048 sdb2
"""


def facts(*more: str, said: str = SAID) -> TargetDisk:
    return parse_facts((said + "".join(f"{line}\n" for line in more)).encode(), "/dev/sdb")


def test_a_disk_is_told_with_all_by_which_it_is_known() -> None:
    disk = facts()
    assert str(disk) == "/dev/sdb: Generic SD/MMC 0042, 29.1 GiB (31268536320 bytes)"
    assert disk.on_it == "sdb1 'slot-1' (64.0 MiB), sdb2 (1.0 MiB)"
    assert facts(said="size=1024\nsector=512\n").on_it == "no partitions that the kernel knows"


def test_many_partitions_are_counted() -> None:
    disk = facts(*(f"part=1 sdb{number} x" for number in range(3, 13)))
    assert disk.on_it.endswith("sdb8 'x' (512 B), and 4 more")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("absent=yes", "is no disk"),
        ("unnamed=yes", "is no disk"),
        ("link=yes", "is a link"),
        ("part-of=yes", "is a partition"),
        ("missing=dd", "dd is missing"),
        ("ro=1", "is read-only"),
        ("mounted=/media/stick", "is mounted: /media/stick"),
        ("used-by=dm-0", "is in use by dm-0"),
        ("used-by=swap", "is in use by swap"),
        ("sector=4096", "has sectors of 4096 bytes, we need 512"),
        ("size=", "is no size"),
        ("size=-1", "is no size"),
        ("size=" + "9" * 30, "is no size"),
        ("part=many sdb3", "is no size"),
    ],
)
def test_what_must_not_be_written_is_refused_with_the_reason(line: str, why: str) -> None:
    with pytest.raises(UnfitTarget, match=why) as caught:
        facts(line)
    assert caught.value.exit_code == 33


def test_what_a_disk_is_called_is_spelt_out() -> None:
    disk = facts("model=\x1b[2J", "part=8 sdb3 \x1b]0;x")
    assert "\x1b" not in f"{disk}{disk.on_it}"


def test_a_disk_that_is_too_small_by_a_sector_is_refused() -> None:
    disk = facts()
    disk.expect_room(disk.size_bytes)
    with pytest.raises(TargetTooSmall, match="has 31268536320 bytes") as caught:
        disk.expect_room(disk.size_bytes + 512)
    assert caught.value.exit_code == 35
