"""Hashes behind contents: as ``fsverity`` computes them, and where ext4 looks for them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.image.ext4 import make_ext4, system_format
from reconix.image.new_files import NewFile, NewFolder, new_folder
from reconix.image.populate import BlocksTooSmall
from reconix.image.verity_blocks import begin_of_hashes, print_hashes
from reconix.store.generation import Integrity
from reconix.store.images.verity import BLOCK_BYTES, VerityHash, tree_bytes

Need = Callable[..., None]

SIZES = (
    1,
    BLOCK_BYTES,
    BLOCK_BYTES + 1,
    65_536,
    65_537,
    128 * BLOCK_BYTES,
    128 * BLOCK_BYTES + 1,
    128 * 128 * BLOCK_BYTES + 1,
)
"""Around a block, the alignment, one level of hashes and two."""
DISK_BYTES = 160 << 20


def content(size_bytes: int) -> bytes:
    return (bytes(range(251)) * (size_bytes // 251 + 1))[:size_bytes]


@pytest.mark.parametrize("size_bytes", [0, *SIZES])
def test_hashes_and_descriptor_are_those_of_fsverity(
    need: Need, tmp_path: Path, size_bytes: int
) -> None:
    need("fsverity")
    file, tree, descriptor = (tmp_path / name for name in ("file", "tree", "descriptor"))
    file.write_bytes(content(size_bytes))
    run("fsverity", "digest", f"--out-merkle-tree={tree}", f"--out-descriptor={descriptor}", file)
    ours = VerityHash(content(size_bytes))
    assert ours.tree() == tree.read_bytes()
    assert ours.descriptor() == descriptor.read_bytes()
    assert len(ours.tree()) == tree_bytes(size_bytes)


@pytest.fixture
def image(need: Need, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file system with a file of each size, and one that has no hashes."""
    need("mkfs.ext4", "debugfs", "e2fsck")
    folder = tmp_path_factory.mktemp("verity")
    path, source = folder / "image", folder / "source"
    source.write_bytes(content(SIZES[-1]))
    files = {f"{size}": NewFile(content(size), 0o400, has_verity=True) for size in SIZES[:-1]}
    files["large"] = NewFile(source, 0o400, has_verity=True)
    described = new_folder({**files, "plain": NewFile(content(5000))})
    make(path, described)
    return path


def make(path: Path, described: NewFolder) -> None:
    form = system_format(described, DISK_BYTES, Integrity.VERITY)
    make_ext4(path, described, label="system", size_bytes=DISK_BYTES, form=form)


def test_the_file_system_is_clean_and_the_contents_are_there(image: Path, tmp_path: Path) -> None:
    run("e2fsck", "-f", "-n", image)
    run("debugfs", "-R", f"rdump / {tmp_path}", image)
    for size in SIZES[:-1]:
        assert (tmp_path / str(size)).read_bytes() == content(size)
    assert (tmp_path / "large").read_bytes() == content(SIZES[-1])


@pytest.mark.parametrize("size_bytes", SIZES)
def test_behind_the_content_lies_what_the_kernel_looks_for(
    image: Path, tmp_path: Path, size_bytes: int
) -> None:
    """The last block that a file has ends with the size of the descriptor."""
    name = "large" if size_bytes == SIZES[-1] else str(size_bytes)
    assert flags(image, name) == 0x180000
    blocks = blocks_of(image, name)
    begin = begin_of_hashes(size_bytes) // BLOCK_BYTES
    behind = {at: block for at, block in blocks.items() if at >= begin}
    assert sorted(behind) == list(range(begin, begin + len(behind)))
    assert len(blocks) == len(behind) + -(-size_bytes // BLOCK_BYTES)
    with image.open("rb") as file:
        found = b"".join(
            os.pread(file.fileno(), BLOCK_BYTES, behind[at] * BLOCK_BYTES) for at in sorted(behind)
        )
    assert found == print_hashes(VerityHash(content(size_bytes)))


def flags(image: Path, name: str) -> int:
    said = run("debugfs", "-R", f"stat /{name}", image).decode()
    return int(said.partition("Flags: ")[2].split()[0], 16)


def blocks_of(image: Path, name: str) -> dict[int, int]:
    """The blocks of a file, by their place in it."""
    said = run("debugfs", "-R", f"dump_extents -l /{name}", image).decode()
    found: dict[int, int] = {}
    for line in said.splitlines()[1:]:
        _, _, _, _, first, last, physical, *_ = map(int, re.findall(r"\d+", line))
        found |= {first + at: physical + at for at in range(last - first + 1)}
    return found


def test_what_shall_not_be_compared_has_no_hashes(image: Path) -> None:
    assert flags(image, "plain") == 0x80000


def test_the_same_files_give_the_same_bytes(need: Need, tmp_path: Path) -> None:
    need("mkfs.ext4")
    described = new_folder({"file": NewFile(content(70_000), has_verity=True)})
    for name in ("one", "other"):
        make(tmp_path / name, described)
    run("cmp", tmp_path / "one", tmp_path / "other")


def test_smaller_blocks_cannot_have_hashes(need: Need, tmp_path: Path) -> None:
    need("mkfs.ext4")
    described = new_folder({"file": NewFile(b"content", has_verity=True)})
    form = system_format(described, DISK_BYTES)
    with pytest.raises(BlocksTooSmall):
        make_ext4(tmp_path / "image", described, label="system", size_bytes=DISK_BYTES, form=form)
