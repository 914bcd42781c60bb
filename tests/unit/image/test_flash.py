"""An image is written so that a disk is whole or none, wherever it is cut."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.crash.test_gpt_select import RecordedDisk, firmware_choice

from reconix.base.digests import Digest
from reconix.boot.disk import NotKept
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Copy, Slot
from reconix.image.block_map import BlockMap, Extent, map_of
from reconix.image.flash import flash
from reconix.image.layout import MIB, Sizes, plan
from reconix.image.target_disk import TargetDisk

SIZES = Sizes(slots=2, slot_bytes=MIB, system_bytes=MIB, data_bytes=MIB)
TABLES = plan("gateway", size_bytes=8 * MIB, sizes=SIZES)
SYSTEM = TABLES.named("system").first * SECTOR
OLD = plan("old", size_bytes=9 * MIB, sizes=SIZES)


class Cut(Exception):
    """The power is gone."""


class Memory:
    """A disk that loses power after a number of sectors, and may not keep one of them."""

    def __init__(self, disk: RecordedDisk, *, writes: int = 1 << 30, forgets: int = -1) -> None:
        self.disk, self._writes, self._forgets = disk, writes, forgets
        self.written: list[int] = []

    def write(self, pieces: Iterable[tuple[Extent, Iterable[bytes]]]) -> None:
        for extent, content in pieces:
            self._put(extent.offset, b"".join(content))

    def _put(self, offset: int, content: bytes) -> None:
        for at in range(0, len(content), SECTOR):
            if len(self.written) == self._writes:
                raise Cut
            self.written.append(offset + at)
            if offset + at != self._forgets:
                self.disk.put(offset + at, content[at : at + SECTOR])

    def digests(self, extents: Sequence[Extent]) -> Iterator[Digest]:
        for extent in extents:
            yield Digest.of(self.disk.read(extent.offset, extent.size_bytes))

    def finish(self) -> None:
        pass


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BlockMap]:
    file = tmp_path_factory.mktemp("image") / "disk.img"
    with file.open("wb") as opened:
        opened.truncate(8 * MIB)
        for write in TABLES.writes(Slot(1)):
            opened.seek(write.offset)
            opened.write(write.content)
        opened.seek(SYSTEM)
        opened.write(b"content " * 1024)
    end = (TABLES.last_usable + 1) * SECTOR
    needed = [Extent(0, MIB), Extent(SYSTEM, 8192), Extent(end, 8 * MIB - end)]
    return file, map_of(file, needed)


def old_disk() -> RecordedDisk:
    """A disk that was another host's, a little larger than the image."""
    disk = RecordedDisk(OLD.sectors, {})
    for write in OLD.writes(Slot(1)):
        disk.put(write.offset, write.content)
    return disk


def fact(disk: RecordedDisk) -> TargetDisk:
    return TargetDisk("/dev/sdb", disk.size_bytes, SECTOR, "", ())


def is_whole(disk: RecordedDisk, block_map: BlockMap) -> bool:
    """Whether everything is there but for the backup header, which is made again from the rest."""
    lost = 8 * MIB - SECTOR
    other = disk.copy()
    header = TABLES.header(Slot(1), Copy.BACKUP)
    assert header.offset == lost
    other.put(lost, header.content)
    return all(
        Digest.of(other.read(*block_map.extent(each))) == each.digest for each in block_map.ranges
    )


def test_p3_wherever_it_is_cut_no_firmware_takes_what_is_not_whole(
    image: tuple[Path, BlockMap],
) -> None:
    file, block_map = image
    whole = Memory(old_disk())
    flash(whole, fact(whole.disk), file, block_map)
    assert is_whole(whole.disk, block_map) and firmware_choice(whole.disk) == "slot-1"
    begun = next(n for n, at in enumerate(whole.written) if at == SYSTEM)
    ends = len(whole.written)
    taken = 0
    for writes in {*range(begun - 3, begun + 20), *range(ends - 5, ends + 1)}:
        cut = Memory(old_disk(), writes=writes)
        with contextlib.suppress(Cut):
            flash(cut, fact(cut.disk), file, block_map)
        is_taken = firmware_choice(cut.disk) != "nothing"
        assert not is_taken or is_whole(cut.disk, block_map), writes
        taken += is_taken
    assert 1 <= taken <= 3, "only the last writes make it a disk"


def test_only_what_the_map_names_is_written(image: tuple[Path, BlockMap]) -> None:
    file, block_map = image
    target = Memory(old_disk())
    flash(target, fact(target.disk), file, block_map)
    named = {
        at
        for extent in (*block_map.extents, Extent(9 * MIB - (64 << 10), 64 << 10))
        for at in range(extent.offset, extent.end, SECTOR)
    }
    assert set(target.written) == named
    assert target.written[-2:] == [SECTOR, 8 * MIB - SECTOR], "the headers come last"


@pytest.mark.parametrize("at", [SYSTEM, 0, SECTOR, 64 * SECTOR, 8 * MIB - SECTOR])
def test_v1_what_the_medium_does_not_keep_is_noticed(at: int, image: tuple[Path, BlockMap]) -> None:
    file, block_map = image
    target = Memory(old_disk(), forgets=at)
    target.disk.put(at, b"\xa5" * SECTOR)
    with pytest.raises(NotKept):
        flash(target, fact(target.disk), file, block_map)
    if at not in (SECTOR, 8 * MIB - SECTOR):
        assert firmware_choice(target.disk) == "nothing"


def test_a_second_time_gives_the_same_disk(image: tuple[Path, BlockMap]) -> None:
    file, block_map = image
    target = Memory(old_disk())
    flash(target, fact(target.disk), file, block_map)
    once = target.disk.copy()
    flash(target, fact(target.disk), file, block_map)
    assert target.disk == once
