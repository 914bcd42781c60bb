"""A content is under its digest, or it is not there."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.store.images.verity import digest
from reconix.store.pool import BadContent, Pool

CONTENT = bytes(range(256)) * 33  # more than two blocks
DIGEST = digest(CONTENT)
SIZE = len(CONTENT)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """A pool with one content."""
    pool = Pool(tmp_path / "pool")
    path = pool.path(DIGEST)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return pool


def test_a_content_has_the_name_of_its_digest(pool: Pool) -> None:
    assert pool.path(bytes([0xAB, 0xCD, *bytes(30)])) == pool.folder / "ab" / f"cd{'00' * 30}"
    assert pool.has(DIGEST, SIZE)
    assert pool.read(DIGEST, SIZE) == CONTENT
    pool.verify(DIGEST, SIZE)
    assert list(pool.digests()) == [DIGEST]
    assert list(pool.strangers()) == []


def test_a_pool_that_was_never_filled_has_nothing(tmp_path: Path) -> None:
    pool = Pool(tmp_path / "pool")
    assert not pool.has(DIGEST, SIZE)
    assert list(pool.digests()) == []
    assert list(pool.strangers()) == []


def test_every_flipped_byte_is_found(pool: Pool) -> None:
    path = pool.path(DIGEST)
    for at in (0, 4095, 4096, 8192, SIZE - 1):
        path.write_bytes(CONTENT[:at] + bytes([CONTENT[at] ^ 1]) + CONTENT[at + 1 :])
        with pytest.raises(BadContent, match=f"{DIGEST.hex()} was altered"):
            pool.verify(DIGEST, SIZE)
    path.write_bytes(CONTENT)
    pool.verify(DIGEST, SIZE)


def shorten(path: Path) -> None:
    path.write_bytes(CONTENT[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(CONTENT + b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    """To what would be right."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def pipe(path: Path) -> None:
    """It would keep a reader waiting for ever."""
    path.unlink()
    os.mkfifo(path)


def file_for_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [shorten, lengthen, empty, remove, folder, link, pipe, file_for_folder]
)
def test_what_is_no_whole_file_is_no_content(damage: Callable[[Path], None], pool: Pool) -> None:
    damage(pool.path(DIGEST))
    assert not pool.has(DIGEST, SIZE)
    with pytest.raises(BadContent) as caught:
        pool.verify(DIGEST, SIZE)
    assert caught.value.digest == DIGEST
    with pytest.raises(BadContent, match=DIGEST.hex()):
        pool.read(DIGEST, SIZE)


def test_what_is_missing_is_told_from_what_was_altered(pool: Pool) -> None:
    pool.path(DIGEST).unlink()
    with pytest.raises(BadContent, match="is missing"):
        pool.verify(DIGEST, SIZE)
    with pytest.raises(BadContent, match="is missing"):
        pool.read(DIGEST, SIZE)


def test_a_content_under_another_name_is_found(pool: Pool) -> None:
    other = digest(b"another")
    pool.path(other).parent.mkdir()
    pool.path(DIGEST).rename(pool.path(other))
    with pytest.raises(BadContent, match="was altered"):
        pool.verify(other, SIZE)


def test_what_the_medium_does_not_give_is_told(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(BadContent, match=f"cannot be read.*{os.strerror(errno.EIO)}"):
        pool.verify(DIGEST, SIZE)
    with pytest.raises(BadContent, match=f"cannot be read.*{os.strerror(errno.EIO)}"):
        pool.read(DIGEST, SIZE)


def test_what_is_no_content_is_a_stranger_and_no_content(pool: Pool, tmp_path: Path) -> None:
    """Neither is what a link leads to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / DIGEST.hex()[2:]).write_bytes(CONTENT)
    strange = [
        pool.folder / "0",
        pool.folder / DIGEST.hex()[:3],
        pool.folder / "zz",
        pool.path(DIGEST).with_name("x"),
        pool.path(DIGEST).with_name(DIGEST.hex()[2:].upper() + "0"),
        pool.path(DIGEST).with_name(DIGEST.hex()[2:-2]),
    ]
    (pool.folder / "zz").symlink_to(tmp_path / "outside")
    (pool.folder / DIGEST.hex()[:3]).mkdir()
    (pool.folder / DIGEST.hex()[:3] / DIGEST.hex()[3:]).write_bytes(CONTENT)
    for path in strange:
        if not os.path.lexists(path):
            path.write_bytes(b"")
    assert sorted(pool.strangers()) == sorted(strange)
    assert list(pool.digests()) == [DIGEST]
