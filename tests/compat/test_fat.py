"""Slot images against fsck.fat and mtools."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconix.base.process import run
from reconix.boot import fat
from reconix.boot.tree import BadBootTree, BootTree

Need = Callable[..., None]
MIB = 1 << 20

NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), max_codepoint=0xFFFF),
    min_size=1,
    max_size=40,
) | st.from_regex(r"[A-Za-z0-9~._+-]{1,14}", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(PATHS, st.binary(max_size=3000), max_size=12)


def write(image: fat.FatImage, path: Path) -> None:
    with path.open("wb") as file:
        for chunk in image:
            file.write(chunk)
        assert file.tell() == image.size_bytes
        file.truncate(image.slot_size_bytes)


def check(files: Mapping[str, bytes], image: fat.FatImage, folder: Path) -> None:
    """fsck.fat finds nothing, and mcopy takes out exactly what went in."""
    slot, out = folder / "slot", folder / "out"
    write(image, slot)
    assert f"/{image.geometry.clusters} clusters" in run("fsck.fat", "-n", slot).decode()
    out.mkdir()
    if files:
        run("mcopy", "-s", "-n", "-m", "-i", slot, "::", out)
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == files


def test_a_boot_tree_is_read_back_by_mtools(tmp_path: Path, need: Need) -> None:
    need("fsck.fat", "mcopy")
    noise = random.Random(4).randbytes
    files = {
        "EFI/BOOT/BOOTX64.EFI": noise(123_456),
        "loader/loader.conf": b"timeout 0\n",
        "loader/entries/default.conf": b"title default\n",
        "reconix/0123456789abcdfghijklmnpqrsvwxyz-linux-6.12.1-amd64-vmlinuz": noise(9 * MIB + 1),
        "empty": b"",
    }
    check(files, fat.image(BootTree.of(files), 64 * MIB), tmp_path)


@pytest.mark.parametrize("size", [34, 66, 67, 128, 256, 260, 512, 1024, 4096], ids="{}M".format)
def test_every_size_of_slot_is_fat32_in_the_eyes_of_fsck(
    size: int, tmp_path: Path, need: Need
) -> None:
    need("fsck.fat", "mcopy")
    files = {"loader/loader.conf": b"timeout 0\n", "big": bytes(70_000)}
    check(files, fat.image(BootTree.of(files), size * MIB), tmp_path)
    assert b"2 FATs, 32 bit entries" in run("fsck.fat", "-n", "-v", tmp_path / "slot")


@pytest.mark.parametrize("count", [1, 300, 3000])
def test_many_files_in_one_folder(count: int, tmp_path: Path, need: Need) -> None:
    need("fsck.fat", "mcopy")
    files = {f"entries/system number {n}.conf": str(n).encode() for n in range(count)}
    check(files, fat.image(BootTree.of(files), 40 * MIB), tmp_path)


def test_aliases_that_look_like_names_do_not_clash(tmp_path: Path, need: Need) -> None:
    need("fsck.fat", "mcopy")
    names = ["LONGNA~1", "longname one", "longname two", "LONGNA~2.TXT", "longname.text", "a.b.c"]
    files = {name: name.encode() for name in names}
    check(files, fat.image(BootTree.of(files), 40 * MIB), tmp_path)


def test_a_slot_filled_to_the_last_cluster(tmp_path: Path, need: Need) -> None:
    need("fsck.fat", "mcopy")
    empty = fat.image(BootTree.of({"f": b""}), 34 * MIB)
    room = (empty.geometry.clusters - 1) * empty.geometry.cluster_bytes
    files = {"f": bytes(room)}
    image = fat.image(BootTree.of(files), 34 * MIB)
    assert image.slot_size_bytes - image.size_bytes < image.geometry.cluster_bytes
    check(files, image, tmp_path)
    with pytest.raises(fat.SlotTooSmall):
        fat.image(BootTree.of({"f": bytes(room + 1)}), 34 * MIB)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=TREES)
def test_any_boot_tree_is_read_back(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, need: Need
) -> None:
    need("fsck.fat", "mcopy")
    try:
        tree = BootTree.of(files)
    except BadBootTree:
        return
    check(files, fat.image(tree, 34 * MIB), tmp_path_factory.mktemp("fat"))
