"""Our reader of ext4 sees what mkfs, the kernel and debugfs put there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.image.ext4 import make_ext4
from reconix.image.new_files import read_folder
from reconix.prove.blocks import Disk
from reconix.prove.ext4 import ROOT_INODE, BadFileSystem, Ext4, Geometry, Inode

MIB = 1 << 20


@pytest.fixture(params=[32 * MIB, 600 * MIB], ids=["1 KiB blocks", "4 KiB blocks"])
def files(request: pytest.FixtureRequest, need: Callable[..., None], tmp_path: Path) -> Ext4:
    need("mkfs.ext4", "debugfs")
    image, content = tmp_path / "image", tmp_path / "content"
    fill(content)
    make_ext4(image, read_folder(content), label="system", size_bytes=request.param)
    return opened(image)


def fill(content: Path) -> None:
    (content / "many").mkdir(parents=True)
    for number in range(700):
        (content / "many" / f"{number:060}").write_bytes(b"%d" % number)
    (content / "large").write_bytes(os.urandom(3 * MIB + 17))
    with (content / "sparse").open("wb") as file:
        file.seek(2 * MIB)
        file.write(b"end")
    (content / "empty").touch()
    (content / "short").symlink_to("a" * 59)
    (content / "long").symlink_to("b" * 61)


def opened(image: Path) -> Ext4:
    raw = image.read_bytes()
    size = Geometry.read(Disk(raw, b"", 1024), 0).super.block_bytes
    disk = Disk(raw, b"", size)
    return Ext4(disk, Geometry.read(disk, 0))


def found(files: Ext4, *names: str) -> Inode:
    inode = files.lookup(*names)
    assert inode is not None
    return inode


def test_names_and_contents_are_those_that_were_put_there(files: Ext4, tmp_path: Path) -> None:
    many = found(files, "many")
    assert [name for name, _ in files.names(many)] == [b"%060d" % number for number in range(700)]
    for name in ("large", "sparse", "empty"):
        content = b"".join(files.content(found(files, name)))
        assert content == (tmp_path / "content" / name).read_bytes()
    assert b"".join(files.content(found(files, "many", f"{699:060}"))) == b"699"


def test_short_and_long_links_lead_where_they_should(files: Ext4) -> None:
    assert files.target(found(files, "short")) == b"a" * 59
    assert files.target(found(files, "long")) == b"b" * 61


def test_what_is_not_there_is_not_found(files: Ext4) -> None:
    assert files.lookup("nothing") is None
    assert files.lookup("large", "below") is None
    assert files.inode(ROOT_INODE).is_folder
    with pytest.raises(BadFileSystem):
        files.inode(1 << 30)


def test_a_fragmented_file_is_read_whole(need: Callable[..., None], tmp_path: Path) -> None:
    need("mkfs.ext4", "debugfs")
    image, content = tmp_path / "image", tmp_path / "content"
    content.mkdir()
    for number in range(24 * 1024):
        (content / f"{number}").write_bytes(b"x" * 1024) if number < 2000 else None
    make_ext4(image, read_folder(content), label="system", size_bytes=16 * MIB)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(6 * MIB))
    holes = "".join(f"rm {number}\n" for number in range(0, 2000, 2))
    script = tmp_path / "script"
    script.write_text(f"{holes}write {large} large\n")
    run("debugfs", "-w", "-f", script, image)
    files = opened(image)
    inode = found(files, "large")
    assert len(files.runs(inode)) > 100  # more than an inode holds
    assert b"".join(files.content(inode)) == large.read_bytes()


def test_what_is_no_file_system_is_refused() -> None:
    with pytest.raises(BadFileSystem):
        Geometry.read(Disk(bytes(65536), b"", 1024), 0)
