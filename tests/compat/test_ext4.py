"""ext4 images: right by e2fsck, and the same whenever they are made."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.image.ext4 import DoesNotFit, make_ext4

Need = Callable[..., None]


SIZE = 32 << 20


@pytest.fixture
def content(need: Need, tmp_path: Path) -> Path:
    need("mkfs.ext4", "debugfs", "e2fsck")
    folder = tmp_path / "content"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/file").write_bytes(b"x" * 100_000)
    (folder / "twin").hardlink_to(folder / "deep/er/file")
    (folder / "link").symlink_to("deep/er/file")
    return folder


def test_the_file_system_is_clean_and_has_the_content(content: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=SIZE)
    run("e2fsck", "-f", "-n", image)
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", image)
    assert (out / "deep/er/file").read_bytes() == b"x" * 100_000
    assert (out / "link").readlink() == Path("deep/er/file")
    said = run("debugfs", "-R", "stat /twin", image).decode()
    assert "Links: 2" in said


def test_the_same_content_gives_the_same_bytes_at_any_time(content: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in content.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    os.utime(content, (1, 1))
    make_ext4(one, content, label="system", size_bytes=SIZE)
    time.sleep(1.1)
    (content / "twin").chmod(0o600)
    (content / "twin").chmod(0o644)  # a new change time, nothing else
    make_ext4(other, content, label="system", size_bytes=SIZE)
    assert one.read_bytes() == other.read_bytes()


def test_blocks_are_as_small_as_one_asks_for(content: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=2 << 30, block_bytes=1024)
    assert re.search(r"Block size: +1024$", run("dumpe2fs", "-h", image).decode(), re.MULTILINE)


def test_content_that_does_not_fit_is_refused_by_name(content: Path, tmp_path: Path) -> None:
    (content / "large").write_bytes(os.urandom(SIZE))
    with pytest.raises(DoesNotFit, match="system"):
        make_ext4(tmp_path / "image", content, label="system", size_bytes=SIZE)


def test_no_superblock_has_a_checksum_that_a_power_cut_between_its_sectors_breaks(
    content: Path, tmp_path: Path
) -> None:
    """P3. The kernel refuses a superblock with a wrong checksum, and looks at no copy of it."""
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=SIZE)
    said = run("dumpe2fs", "-h", image).decode()
    assert "has_journal" in said
    assert "metadata_csum" not in said
