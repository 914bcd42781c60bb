"""Archives of GNU tar in all its formats, read as it reads them."""

import io
import os
from pathlib import Path

import pytest

from reconix.base.process import run
from reconix.containers.layers.tar import Kind, Member, Reader

HOLE = 200_000
SPARSE = b"begin" + bytes(HOLE) + b"middle" * 1000 + bytes(HOLE) + b"end" + bytes(HOLE)
LONG = "/".join(["folder-" + "x" * 60] * 3)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that needs what the formats have been extended for."""
    root = tmp_path / "tree"
    (root / LONG).mkdir(parents=True)
    (root / LONG / "file").write_bytes(b"content")
    (root / "link").symlink_to(f"{LONG}/file")
    os.link(root / LONG / "file", root / "other")
    os.mkfifo(root / "pipe")
    (root / "empty").write_bytes(b"")
    with (root / "sparse").open("wb") as file:
        for number in range(60):  # more than the header has room for
            file.seek(number * HOLE)
            file.write(b"%d" % number * 3000)
        file.truncate(60 * HOLE)
    return root


def read(archive: bytes) -> dict[bytes, tuple[Member, bytes]]:
    reader = Reader(io.BytesIO(archive).read)
    return {
        member.name.removeprefix(b"./").rstrip(b"/"): (member, b"".join(reader.content()))
        for member in reader
    }


def check(root: Path, found: dict[bytes, tuple[Member, bytes]]) -> None:
    for path in sorted(root.rglob("*")):
        member, content = found[os.fsencode(path.relative_to(root))]
        assert member.mtime == int(path.lstat().st_mtime), path
        if path.is_symlink():
            assert (member.kind, member.target) == (Kind.LINK, os.fsencode(path.readlink()))
        elif path.is_dir():
            assert member.kind is Kind.FOLDER
        elif path.is_fifo():
            assert member.kind is Kind.PIPE
        else:
            if member.kind is Kind.HARD_LINK:
                member, content = found[member.target.removeprefix(b"./")]
            assert member.kind is Kind.FILE and member.size_bytes == len(content)
            assert content == path.read_bytes()
            assert member.mode == path.stat().st_mode & 0o7777


FORMATS = (
    *("--format=gnu", "--format=oldgnu", "--format=pax", "--format=gnu --sparse"),
    *(f"--format=pax --sparse --sparse-version={version}" for version in ("0.0", "0.1", "1.0")),
)


@pytest.mark.parametrize("words", FORMATS)
def test_an_archive_in_each_format_is_what_was_packed(tree: Path, words: str) -> None:
    numbers = ("--owner=:4294967294", "--group=:3000000000")
    found = read(run("tar", *words.split(), *numbers, "-cC", tree, ".", limit_bytes=1 << 26))
    check(tree, found)
    assert {(member.user, member.group) for member, _ in found.values()} == {
        (4_294_967_294, 3_000_000_000)
    }


@pytest.mark.parametrize("words", ["--format=v7", "--format=ustar"])
def test_an_archive_in_an_old_format_is_what_was_packed(tmp_path: Path, words: str) -> None:
    root = tmp_path / "tree"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").write_bytes(b"content")
    (root / "link").symlink_to("folder")
    check(root, read(run("tar", words, "-cC", root, ".")))


def test_attributes_are_those_that_were_packed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.setxattr(tmp_path / "file", "user.name", b"\xff\0\n=value")
    found = read(run("tar", "--format=pax", "--xattrs", "-cC", tmp_path, "file"))
    assert found[b"file"][0].attributes[b"user.name"] == b"\xff\0\n=value"
