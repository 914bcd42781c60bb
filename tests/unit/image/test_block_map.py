import re
import tempfile
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.image.block_map import (
    BLOCK_BYTES,
    MAX_RANGE_BLOCKS,
    BlockMap,
    BlockRange,
    Extent,
    map_of,
    print_block_map,
)

SIZE = 40 * BLOCK_BYTES + 512
CONTENT = bytes(number % 251 for number in range(SIZE))
EXTENTS = st.builds(Extent, st.integers(0, SIZE - 600), st.integers(0, 600))


def image(folder: Path, content: bytes = CONTENT) -> Path:
    file = folder / "image"
    file.write_bytes(content)
    return file


@given(needed=st.lists(EXTENTS, max_size=9))
def test_each_byte_that_is_needed_is_in_one_range(needed: list[Extent]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = map_of(image(Path(folder)), needed)
    numbers = [n for each in found.ranges for n in range(each.first, each.last + 1)]
    assert numbers == sorted(set(numbers))
    wanted = {
        byte // BLOCK_BYTES for each in needed for byte in range(each.offset, each.offset + each[1])
    }
    assert set(numbers) == wanted


def test_ranges_that_touch_are_one_and_long_ones_are_divided(tmp_path: Path) -> None:
    file = tmp_path / "image"
    with file.open("wb") as opened:
        opened.truncate(2 * MAX_RANGE_BLOCKS * BLOCK_BYTES)
    half = MAX_RANGE_BLOCKS * BLOCK_BYTES
    found = map_of(file, [Extent(half - 1, half), Extent(0, half - 1)])
    spans = [(each.first, each.last) for each in found.ranges]
    assert spans == [(0, MAX_RANGE_BLOCKS - 1), (MAX_RANGE_BLOCKS, 2 * MAX_RANGE_BLOCKS - 1)]


def test_a_last_block_that_is_short_is_hashed_as_far_as_it_goes(tmp_path: Path) -> None:
    found = map_of(image(tmp_path), [Extent(SIZE - 1, 1)])
    assert found.ranges == (BlockRange(40, 40, Digest.of(CONTENT[40 * BLOCK_BYTES :])),)
    assert found.extents == (Extent(40 * BLOCK_BYTES, 512),)
    assert found.mapped_bytes == 512


def test_the_document_has_its_own_checksum() -> None:
    digest = Digest.of(b"")
    document = print_block_map(BlockMap(SIZE, (BlockRange(0, 0, digest), BlockRange(2, 5, digest))))
    root = ElementTree.fromstring(document)
    assert root.get("version") == "2.0"
    said = {each.tag: (each.text or "").strip() for each in root}
    assert said["ImageSize"] == str(SIZE) and said["BlocksCount"] == "41"
    assert said["MappedBlocksCount"] == "5" and said["ChecksumType"] == "sha256"
    ranges = [(each.text or "").strip() for each in root.iter("Range")]
    assert ranges == ["0", "2-5"]
    blank = re.sub(rb"(?<=BmapFileChecksum> )\w+", b"0" * 64, document)
    assert said["BmapFileChecksum"] == sha256(blank).hexdigest()
