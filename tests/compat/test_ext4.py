"""ext4 images: right by e2fsck, and the same whenever they are made."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import pytest
from tests.heard import Heard

from reconix.base import progress
from reconix.base.process import run
from reconix.image.ext4 import GROWING, DoesNotFit, Format, make_ext4, system_format
from reconix.image.new_files import NewFile, NewFolder, NewLink, new_folder, read_folder
from reconix.image.populate import populate
from reconix.store.generation import Integrity

Need = Callable[..., None]


SIZE = 32 << 20


@pytest.fixture
def source(need: Need, tmp_path: Path) -> Path:
    """A file that lies somewhere, under another name."""
    need("mkfs.ext4", "debugfs", "e2fsck")
    path = tmp_path / "source"
    path.write_bytes(b"x" * 100_000)
    return path


@pytest.fixture
def content(source: Path) -> NewFolder:
    return new_folder(
        {
            "deep": new_folder({"er": new_folder({"file": NewFile(source, 0o400)}, mode=0o700)}),
            "twin": NewFile(source),
            "bytes": NewFile(b"bytes"),
            "link": NewLink(b"deep/er/file"),
        }
    )


def test_the_file_system_is_clean_and_has_the_content(content: NewFolder, tmp_path: Path) -> None:
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=SIZE)
    run("e2fsck", "-f", "-n", image)
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", image)
    for name in ("deep/er/file", "twin"):
        assert (out / name).read_bytes() == b"x" * 100_000
    assert (out / "bytes").read_bytes() == b"bytes"
    assert (out / "link").readlink() == Path("deep/er/file")


def test_writing_goes_on_to_its_total(content: NewFolder, tmp_path: Path) -> None:
    progress.listen(heard := Heard())
    make_ext4(tmp_path / "image", content, label="system", size_bytes=SIZE)
    assert heard.stages == {"write files": (200_005, 200_005)}


def test_the_same_content_gives_the_same_bytes_whoever_makes_it_and_when(
    content: NewFolder, source: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    make_ext4(one, content, label="system", size_bytes=SIZE)
    time.sleep(1.1)
    source.chmod(0o600)
    os.utime(source, (7, 7))
    before = os.umask(0o077)
    try:
        make_ext4(other, content, label="system", size_bytes=SIZE)
    finally:
        os.umask(before)
    assert one.read_bytes() == other.read_bytes()


def facts(image: Path) -> Mapping[str, str]:
    """What dumpe2fs says of a file system."""
    lines = run("dumpe2fs", "-h", image).decode().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_a_system_partition_has_the_blocks_inodes_and_journal_that_it_needs(
    content: NewFolder, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    form = system_format(content, 2 << 30)
    make_ext4(image, content, label="system", size_bytes=2 << 30, form=form)
    run("e2fsck", "-f", "-n", image)
    found = facts(image)
    assert found["Block size"] == "1024"
    assert found["Total journal size"] == "8M"
    assert 3 * 8144 + 1024 < int(found["Inode count"]) <= (2 << 30) // (48 << 10)
    features = found["Filesystem features"].split()
    assert "has_journal" in features
    assert not {"metadata_csum", "resize_inode", "verity"} & set(features)
    tables = (int(found["Block count"]) - int(found["Free blocks"])) * 1024
    assert tables < 22_000_000, "by itself mkfs takes 54 MB"


@pytest.mark.parametrize("size_bytes", [8 << 20, 64 << 20, 1 << 30])
def test_contents_may_come_three_times_on_a_partition_of_any_size(
    need: Need, tmp_path: Path, size_bytes: int
) -> None:
    need("mkfs.ext4", "dumpe2fs")
    files = new_folder({str(number): NewFile(b"") for number in range(700)})
    form = system_format(files, size_bytes)
    image = tmp_path / "image"
    make_ext4(image, files, label="system", size_bytes=size_bytes, form=form)
    found = facts(image)
    assert int(found["Free inodes"]) >= 2 * 700
    assert int(found["Inode count"]) * 256 < size_bytes // 8
    assert found["Total journal size"] == ("8M" if size_bytes == 1 << 30 else "1024k")


def test_a_kernel_that_compares_contents_has_the_blocks_that_it_needs_for_it(
    content: NewFolder, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    form = system_format(content, SIZE * 4, Integrity.VERITY)
    make_ext4(image, content, label="system", size_bytes=SIZE * 4, form=form)
    run("e2fsck", "-f", "-n", image)
    found = facts(image)
    assert (found["Block size"], found["Total journal size"]) == ("4096", "4096k")
    assert "verity" in found["Filesystem features"].split()


def test_content_that_does_not_fit_is_refused_by_name(content: NewFolder, tmp_path: Path) -> None:
    large = new_folder({"large": NewFile(os.urandom(SIZE)), "content": content})
    with pytest.raises(DoesNotFit, match="system"):
        make_ext4(tmp_path / "image", large, label="system", size_bytes=SIZE)


def test_no_superblock_has_a_checksum_that_a_power_cut_between_its_sectors_breaks(
    content: NewFolder, tmp_path: Path
) -> None:
    """P3. The kernel refuses a superblock with a wrong checksum, and looks at no copy of it."""
    image = tmp_path / "image"
    make_ext4(image, content, label="system", size_bytes=SIZE)
    said = run("dumpe2fs", "-h", image).decode()
    assert "has_journal" in said
    assert "metadata_csum" not in said


def test_every_shape_of_a_tree_is_as_the_kernel_and_debugfs_expect(
    need: Need, tmp_path: Path
) -> None:
    need("mkfs.ext4", "debugfs", "e2fsck")
    content = tmp_path / "content"
    (content / "deep/er").mkdir(parents=True)
    (content / "deep/er/file").write_bytes(b"x" * 100_000)
    (content / "empty").touch(mode=0o600)
    (content / "hollow").mkdir(mode=0o700)
    (content / "raw").symlink_to("./a//b/")
    (content / "long").symlink_to("x" * 200)
    (content / ("n" * 255)).write_bytes(b"name")
    for number in range(3000):
        (content / f"deep/{number:052}").write_bytes(b"%d" % number)
    with (content / "large").open("wb") as file:
        for at in range(0, 80, 9):
            file.seek(at << 20)
            file.write(os.urandom(1 << 20))
    image = tmp_path / "image"
    described = read_folder(content)
    make_ext4(image, described, label="system", size_bytes=128 << 20, form=Format(1024))
    run("e2fsck", "-f", "-n", image)
    assert "(ETB0)" in run("debugfs", "-R", "stat /large", image).decode(), "it has many extents"
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", image)
    (out / "lost+found").rmdir()
    run("cmp", tar(out), tar(content))


def tar(folder: Path) -> Path:
    """Names, kinds, modes and contents."""
    archive = folder.with_suffix(".tar")
    words = ("--sort=name", "--mtime=@1", "--owner=0", "--group=0")
    run("tar", *words, "-C", folder, "-cf", archive, ".")
    return archive


def test_ten_times_the_names_of_one_folder_take_ten_times_the_steps(tmp_path: Path) -> None:
    """Searching the folder for each name would take a hundred times."""
    few, many = (steps_to_fill(tmp_path / str(count), count) for count in (500, 5_000))
    assert 5_000 < many < 12 * few


def steps_to_fill(place: Path, count: int) -> int:
    """The calls that it takes to fill a new file system with a folder of so many names."""
    place.mkdir()
    files = {f"{number:052}": NewFile(b"") for number in range(count)}
    content = new_folder({"folder": new_folder(files)})
    make_ext4(place / "image", None, label="system", size_bytes=64 << 20, form=Format(1024))
    steps = 0

    def count_one(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count_one)
    try:
        populate(place / "image", content)
    finally:
        sys.setprofile(before)
    return steps


def test_a_file_system_that_will_grow_has_room_for_its_descriptors(
    content: NewFolder, tmp_path: Path, need: Need
) -> None:
    need("resize2fs")
    image = tmp_path / "image"
    make_ext4(image, content, label="data", size_bytes=64 << 20, form=GROWING)
    with image.open("r+b") as file:
        file.truncate(3 << 30)
    run("resize2fs", image)
    run("e2fsck", "-f", "-n", image)
    said = run("dumpe2fs", "-h", image).decode()
    found = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    assert "meta_bg" not in found["Filesystem features"]
    assert found["Inode count"].strip() == str(24 * 2048)
