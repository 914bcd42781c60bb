"""ext4 images: right by e2fsck, and the same whenever they are made."""

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from reconix.base.process import run
from reconix.image.ext4 import DoesNotFit, make_ext4
from reconix.image.populate import populate

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


def test_every_shape_of_a_tree_is_as_the_kernel_and_debugfs_expect(
    content: Path, tmp_path: Path
) -> None:
    (content / "empty").touch(mode=0o600)
    (content / "hollow").mkdir(mode=0o700)
    (content / "raw").symlink_to("./a//b/")
    (content / "long").symlink_to("x" * 200)
    (content / ("n" * 255)).write_bytes(b"name")
    for number in range(3000):
        (content / f"deep/{number:052}").hardlink_to(content / "empty")
    with (content / "large").open("wb") as file:
        for at in range(0, 80, 9):
            file.seek(at << 20)
            file.write(os.urandom(1 << 20))
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=128 << 20, block_bytes=1024)
    run("e2fsck", "-f", "-n", image)
    assert "(ETB0)" in run("debugfs", "-R", "stat /large", image).decode(), "it has many extents"
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", image)
    (out / "lost+found").rmdir()
    run("cmp", tar(out), tar(content))
    assert "Links: 3001" in run("debugfs", "-R", "stat /empty", image).decode()


def tar(folder: Path) -> Path:
    """Names, kinds, modes and contents; hard links are compared by what they contain."""
    archive = folder.with_suffix(".tar")
    words = ("--sort=name", "--mtime=@1", "--owner=0", "--group=0", "--hard-dereference")
    run("tar", *words, "-C", folder, "-cf", archive, ".")
    return archive


def test_ten_times_the_names_of_one_folder_take_ten_times_the_steps(tmp_path: Path) -> None:
    """Searching the folder for each name would take a hundred times."""
    few, many = (steps_to_fill(tmp_path / str(count), count) for count in (500, 5_000))
    assert 5_000 < many < 12 * few


def steps_to_fill(place: Path, count: int) -> int:
    """The calls that it takes to fill a new file system with a folder of so many names."""
    folder = place / "content/folder"
    folder.mkdir(parents=True)
    (folder / "first").touch()
    for number in range(count):
        (folder / f"{number:052}").hardlink_to(folder / "first")
    make_ext4(place / "image", None, label="system", size_bytes=64 << 20, block_bytes=1024)
    steps = 0

    def count_one(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count_one)
    try:
        populate(place / "image", place / "content")
    finally:
        sys.setprofile(before)
    return steps


def test_a_file_with_more_names_than_an_inode_counts_is_there_twice(
    need: Need, tmp_path: Path
) -> None:
    """The file system of the build machine may count further than ext4: this one does."""
    need("mkfs.ext4", "debugfs", "e2fsck")
    image = tmp_path / "image"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        first = Path(folder, "0")
        first.write_bytes(b"x")
        for number in range(1, 65_002):
            Path(folder, str(number)).hardlink_to(first)
        make_ext4(image, Path(folder), label="system", size_bytes=64 << 20)
    run("e2fsck", "-f", "-n", image)
    assert "Links: 65000" in run("debugfs", "-R", "stat /0", image).decode()
    assert "Links: 2 " in run("debugfs", "-R", "stat /9999", image).decode()
