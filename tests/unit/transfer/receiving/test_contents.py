"""Contents get their names whole, durable and compared, many at a time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.files import sync_file_system
from reconix.store.images.nodes import READ_ONLY, ImageFile
from reconix.store.images.verity import digest
from reconix.store.pool import Pool
from reconix.transfer.receiving.contents import HELD_BYTES, Contents, WrittenDifferently, pieces

PAGE = b"more than the few bytes that stand in an image\n" * 9


@pytest.fixture
def contents(tmp_path: Path) -> Iterator[Contents]:
    made = Contents(Pool(tmp_path / "pool"), tmp_path / "staging")
    yield made
    made.close()


def take(contents: Contents, content: bytes) -> bytes:
    made = contents.begin(len(content))
    for at in range(0, len(content), 1000):
        made.write(content[at : at + 1000])
    return made.finish()


def staged(contents: Contents) -> list[str]:
    folder = contents.staging_dir
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def read(contents: Contents, file: ImageFile) -> bytes:
    descriptor = contents.open(file)
    try:
        return b"".join(pieces(descriptor))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("size", [65, 4096, HELD_BYTES, HELD_BYTES + 1, 5 * HELD_BYTES + 77])
def test_a_content_of_any_size_is_found_under_its_digest(contents: Contents, size: int) -> None:
    content = os.urandom(size)
    assert take(contents, content) == digest(content)
    contents.finish()
    place = contents.pool.path(digest(content))
    assert place.read_bytes() == content
    assert place.stat().st_mode & 0o7777 == 0o400
    assert {folder.stat().st_mode & 0o777 for folder in place.parents[:2]} == {0o700}
    assert staged(contents) == []


@pytest.mark.parametrize("size", [0, 1, 64])
def test_a_small_content_stays_what_it_is_and_nothing_is_written(
    contents: Contents, size: int
) -> None:
    content = bytes(range(size))
    assert take(contents, content) == content
    contents.finish()
    assert not contents.staging_dir.exists() and not contents.pool.folder.exists()
    assert read(contents, ImageFile(READ_ONLY, size, content)) == content


@pytest.mark.parametrize("size", [500, HELD_BYTES + 500])
def test_what_is_in_the_pool_is_not_written_again(contents: Contents, size: int) -> None:
    content = os.urandom(size)
    take(contents, content)
    contents.finish()
    before = contents.pool.path(digest(content)).stat()
    again = Contents(contents.pool, contents.staging_dir)
    assert take(again, content) == digest(content)
    again.finish()
    assert contents.pool.path(digest(content)).stat() == before
    assert again.added == [] and staged(again) == []


def test_a_content_that_comes_twice_is_written_once(contents: Contents) -> None:
    assert take(contents, PAGE) == take(contents, PAGE)
    assert len(staged(contents)) == 1
    contents.finish()
    assert contents.added == [digest(PAGE)]


def test_a_content_can_be_read_before_it_has_its_name(contents: Contents) -> None:
    file = ImageFile(READ_ONLY, len(PAGE), take(contents, PAGE))
    assert not contents.pool.has(file.content, len(PAGE))
    assert read(contents, file) == PAGE
    contents.finish()
    assert contents.pool.has(file.content, len(PAGE))
    assert read(contents, file) == PAGE


def test_a_batch_is_made_durable_at_once(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        sync_file_system(descriptor)
        synced.append(len(staged(contents)))

    monkeypatch.setattr("reconix.transfer.receiving.contents.sync_file_system", sync)
    for number in range(130):
        take(contents, b"%d" % number + PAGE)
    contents.finish()
    assert synced == [64, 64, 2, 0], "the last one makes names durable"
    assert len(list(contents.pool.digests())) == 130


def test_large_contents_fill_a_batch_by_their_size(contents: Contents) -> None:
    for number in range(3):
        take(contents, bytes([number]) * (12 << 20))
    assert len(list(contents.pool.digests())) == 3 and staged(contents) == []


def test_v1_what_the_disk_changed_gets_no_name(
    contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync_and_harm(descriptor: int) -> None:
        sync_file_system(descriptor)
        with Path(f"/proc/self/fd/{descriptor}").open("r+b") as file:
            file.seek(70)
            file.write(b"X")

    monkeypatch.setattr("reconix.transfer.receiving.contents.sync_file_system", sync_and_harm)
    take(contents, PAGE)
    with pytest.raises(WrittenDifferently, match=digest(PAGE).hex()):
        contents.finish()
    assert list(contents.pool.digests()) == []


def test_what_was_added_is_taken_back_and_nothing_else(contents: Contents) -> None:
    take(contents, PAGE)
    contents.finish()
    second = Contents(contents.pool, contents.staging_dir)
    for number in range(70):
        take(second, b"%d" % number + PAGE)
    take(second, PAGE)
    second.close()
    second.take_back()
    assert list(contents.pool.digests()) == [digest(PAGE)]
    assert len(list(contents.pool.folder.iterdir())) == 1


def test_a_content_of_another_size_is_replaced_and_not_taken_back(contents: Contents) -> None:
    place = contents.pool.path(digest(PAGE))
    place.parent.mkdir(parents=True)
    place.write_bytes(PAGE[:-1])
    take(contents, PAGE)
    contents.finish()
    contents.take_back()
    assert place.read_bytes() == PAGE


def test_a_content_that_is_given_up_leaves_nothing(contents: Contents) -> None:
    made = contents.begin(3 * HELD_BYTES)
    made.write(bytes(2 * HELD_BYTES))
    assert len(staged(contents)) == 1
    made.discard()
    assert staged(contents) == []
