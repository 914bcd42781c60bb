"""Contents that rest in a pack are contents of the device as well, until the pack goes.

A pack is mounted on a device. Here a folder stands for what is mounted there, as the code sees it.
"""

from pathlib import Path

import pytest
from tests.cuts import states
from tests.placed import LIBRARY, numbered, root_of

from reconix.nix.install import install
from reconix.store.collect import Collected, collect
from reconix.store.images.verity import digest
from reconix.store.pool import BadContent, Pack, Pool
from reconix.store.registry import Registry

CONTENT, OTHER = b"of the first image" * 99, b"of an update" * 99
DIGEST = digest(CONTENT)
SIZE = len(CONTENT)


def put(folder: Path, content: bytes, *, name: bytes = b"") -> Path:
    """Put a content below a folder, as a pool and a pack have it."""
    path = Pool(folder).place(name or digest(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """A pack with one content."""
    file = tmp_path / "packs" / ("0" * 64)
    file.parent.mkdir()
    file.write_bytes(b"compressed")
    pack = Pack(file, tmp_path / "run" / file.name)
    put(pack.folder, CONTENT)
    return pack


@pytest.fixture
def pool(tmp_path: Path, pack: Pack) -> Pool:
    return Pool(tmp_path / "pool", [pack])


def test_what_rests_in_a_pack_is_found_and_read_and_verified(pool: Pool, pack: Pack) -> None:
    assert pool.has(DIGEST, SIZE) and not pool.has(DIGEST, SIZE - 1)
    assert pool.path(DIGEST).is_relative_to(pack.folder)
    assert pool.read(DIGEST, SIZE) == CONTENT
    pool.verify(DIGEST, SIZE)


def test_what_is_new_is_put_into_the_pool(pool: Pool) -> None:
    assert pool.path(digest(OTHER)) == pool.place(digest(OTHER))
    assert pool.place(DIGEST).is_relative_to(pool.folder)


def test_only_what_was_put_into_the_pool_can_be_removed_from_it(pool: Pool) -> None:
    put(pool.folder, OTHER)
    assert list(pool.digests()) == [digest(OTHER)]
    assert list(pool.strangers()) == []


def test_the_pool_comes_before_the_pack_as_in_the_store(pool: Pool, pack: Pack) -> None:
    """So a content that was damaged in a pack can be brought again."""
    put(pack.folder, b"altered", name=DIGEST)
    with pytest.raises(BadContent, match="was altered"):
        pool.verify(DIGEST, SIZE)
    put(pool.folder, CONTENT)
    pool.verify(DIGEST, SIZE)
    put(pool.folder, b"cut", name=DIGEST)
    assert not pool.has(DIGEST, SIZE)


def test_a_pack_whose_file_is_gone_has_nothing_although_it_is_mounted(
    pool: Pool, pack: Pack
) -> None:
    """With the next start it would be missing."""
    pack.file.unlink()
    assert not pool.has(DIGEST, SIZE)
    assert pool.path(DIGEST) == pool.place(DIGEST)
    with pytest.raises(BadContent, match="is missing"):
        pool.verify(DIGEST, SIZE)


# -- when a pack goes ------------------------------------------------------------------------------

ONE, TWO = root_of(1), root_of(2)
NAME = "0" * 64


@pytest.fixture
def device(tmp_path: Path) -> Registry:
    """A device that was flashed with one generation, and has got another one."""
    system, mounts = tmp_path / "device", tmp_path / "packs-of-device"
    install(numbered(tmp_path / "source", 1), Registry(system))
    for folder in (mounts, system / "packs"):
        folder.mkdir()
    (system / "pool").rename(mounts / NAME)
    (system / "packs" / NAME).write_bytes(b"compressed")
    device = Registry(system, mounts)
    install(numbered(tmp_path / "source", 2), device)
    return device


def packs(device: Registry) -> list[str]:
    return [path.name for path in device.packs_dir.iterdir()]


def test_what_a_pack_has_is_not_written_again(device: Registry) -> None:
    device.expect_whole(device.manifests()[1])
    assert list(device.pool.digests()) == [digest(b"2" * 999)]


def test_a_pack_stays_as_long_as_a_content_that_is_needed_rests_only_there(
    device: Registry,
) -> None:
    device.remove(ONE)
    assert collect(device).packs == 0
    assert packs(device) == [NAME]
    device.expect_whole(device.manifests()[0])


def test_a_pack_goes_when_all_that_is_needed_is_in_the_pool(device: Registry) -> None:
    put(device.pool.folder, LIBRARY)
    assert collect(device).packs == 0, "the first generation is still there"
    device.remove(ONE)
    collected = collect(device)
    assert (collected.packs, collected.contents) == (1, 0)
    assert packs(device) == []
    device.expect_whole(device.manifests()[0])
    assert collect(device) == Collected()


def test_a_cut_leaves_a_whole_generation_and_the_next_collection_goes_on(
    device: Registry, tmp_path: Path
) -> None:
    put(device.pool.folder, LIBRARY)
    device.remove(ONE)
    mounted = device.mounted_packs

    def work() -> None:
        collect(Registry(device.system_root, mounted))

    for state in states(device.system_root, work, at_least=3):
        cut = Registry(state, mounted)
        cut.expect_whole(cut.manifests()[0])
        collect(cut)
        Registry(state).expect_whole(cut.manifests()[0])  # when nothing is mounted any more
        assert packs(cut) == []


def test_without_generations_a_pack_goes(device: Registry) -> None:
    device.remove(ONE)
    device.remove(TWO)
    assert collect(device).packs == 1
    assert packs(device) == []


def test_a_pack_that_is_not_mounted_stays(device: Registry, tmp_path: Path) -> None:
    """Nobody can say what is in it."""
    device.remove(ONE)
    device.remove(TWO)
    assert collect(Registry(device.system_root, tmp_path / "nothing")).packs == 0
    assert packs(device) == [NAME]


def test_a_registry_that_is_opened_afresh_knows_the_packs(device: Registry) -> None:
    assert device.afresh().pool.packs == device.pool.packs != ()
