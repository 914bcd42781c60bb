import tracemalloc
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.boot import fat
from reconix.boot.tree import BadBootTree, BootTree

MIB = 1 << 20
TREE = BootTree.of(
    {
        "EFI/BOOT/BOOTX64.EFI": b"MZ loader",
        "loader/loader.conf": b"timeout 0\n",
        "loader/entries/default.conf": b"title default\n",
        "reconix/0123456789abcdfghijklmnpqrsvwxyz-linux-6.12": bytes(range(256)) * 40,
    }
)


def test_same_tree_and_slot_give_the_same_bytes_for_ever() -> None:
    """A change of this value is a change of the format: every slot of every device is rewritten."""
    image = fat.image(TREE, 128 * MIB)
    assert image.digest() == Digest.parse(
        "32d8a743024f28660535f59026648ae94b93fec3d7272ec3684927f606ef47a9"
    )
    assert image.size_bytes == sum(map(len, image))


def test_where_the_content_comes_from_does_not_matter(tmp_path: Path) -> None:
    TREE.write(tmp_path)
    from_files = fat.image(BootTree.read(tmp_path), 64 * MIB)
    assert from_files.digest() == fat.image(TREE, 64 * MIB).digest()


@pytest.mark.parametrize("size", [34, 40, 64, 100, 128, 255, 256, 300, 512, 1000, 8192, 2 << 20])
def test_clusters_are_the_largest_that_are_still_fat32(size: int) -> None:
    size_bytes = min(size * MIB, fat.MAX_SECTORS * fat.SECTOR)
    found = fat.Geometry.of(size_bytes)
    assert fat.MIN_CLUSTERS <= found.clusters <= fat.MAX_CLUSTERS
    assert found.first_data % found.per_cluster == 0
    assert found.fat * fat.SECTOR // 4 >= found.clusters + 2
    assert found.first_data + found.clusters * found.per_cluster <= found.total
    if found.per_cluster < 64:
        assert fat.Geometry._with_clusters(found.total, 2 * found.per_cluster).clusters < (
            fat.MIN_CLUSTERS
        )


@pytest.mark.parametrize("size_bytes", [0, 511, 32 * MIB, 40 * MIB + 1, 1 << 41])
def test_a_slot_that_cannot_be_fat32_is_refused(size_bytes: int) -> None:
    with pytest.raises(fat.SlotUnfit, match=str(size_bytes)):
        fat.image(TREE, size_bytes)


def test_a_tree_that_does_not_fit_names_all_sizes() -> None:
    tree = BootTree.of({"kernel": bytes(40 * MIB)})
    with pytest.raises(fat.SlotTooSmall) as caught:
        fat.image(tree, 36 * MIB)
    error = caught.value
    assert error.exit_code == 31
    assert error.available_bytes < 36 * MIB == error.slot_bytes < error.needed_bytes
    assert all(str(n) in str(error) for n in (error.available_bytes, error.needed_bytes))


def test_the_smallest_slot_holds_the_tree_and_one_mib_less_does_not() -> None:
    tree = BootTree.of({"kernel": bytes(40 * MIB)})
    size_bytes = fat.smallest_slot_bytes(tree)
    fat.image(tree, size_bytes)
    with pytest.raises(fat.SlotTooSmall):
        fat.image(tree, size_bytes - MIB)


def test_a_folder_with_too_many_names_is_refused() -> None:
    tree = BootTree.of(
        {f"folder/{n:x}-with a name that takes three entries": b"" for n in range(22_000)}
    )
    with pytest.raises(BadBootTree, match="folder has too many names"):
        fat.image(tree, 256 * MIB)


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(200 * MIB)
    image = fat.image(BootTree.of({"big": big}), 1024 * MIB)
    tracemalloc.start()
    try:
        image.digest()
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


def test_an_empty_tree_is_a_file_system_with_a_label() -> None:
    image = fat.image(BootTree.of({}), 34 * MIB)
    content = b"".join(image)
    assert content[image.geometry.first_data * fat.SECTOR :].startswith(b"RECONIX    \x08")
