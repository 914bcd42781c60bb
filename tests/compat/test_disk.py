"""Disk images against the programs that others use to look at disks."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.device_model import MIB, SLOT_BYTES, Machine
from tests.project_files import enough

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import SlotTables
from reconix.boot.trial import parse_state
from reconix.image.disk import Layout, make_disk
from reconix.image.ext4 import DoesNotFit
from reconix.image.layout import Sizes, needed_bytes, plan
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.links import LINKS
from reconix.store.paths import StorePath
from reconix.store.tree import File
from reconix.store.verify import ContentChanged, verify_object

Need = Callable[..., None]
SIZES = Sizes(slots=3, slot_bytes=SLOT_BYTES, system_bytes=32 * MIB, data_bytes=16 * MIB)
PROGRAMS = ("sgdisk", "fsck.fat", "mcopy", "mkfs.ext4", "debugfs", "e2fsck")


@pytest.fixture
def store(tmp_path: Path, need: Need) -> Iterator[ChrootStore]:
    need(*PROGRAMS)
    with ChrootStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def machine(store: ChrootStore, tmp_path: Path) -> Machine:
    return Machine.make(tmp_path / "device", store)


@pytest.fixture
def generation(machine: Machine) -> StorePath:
    return machine.generations["one"]


@pytest.fixture
def image(store: ChrootStore, generation: StorePath, tmp_path: Path) -> Path:
    path = tmp_path / "gateway.img"
    make_disk(store, generation, Layout(SIZES), path)
    return path


def tables() -> SlotTables:
    return plan("gateway", size_bytes=needed_bytes(SIZES), sizes=SIZES)


def part(image: Path, name: str, into: Path) -> Path:
    """Copy a partition out of the image."""
    found = tables().named(name)
    with image.open("rb") as file:
        file.seek(found.first * SECTOR)
        into.write_bytes(file.read(found.size_bytes))
    return into


def test_the_tables_are_right_and_slot_1_is_selected(image: Path) -> None:
    assert "No problems found" in run("sgdisk", "--verify", image).decode()
    lines = run("sgdisk", "--print", image).decode().splitlines()
    rows = [line.split() for line in lines if line[:4].strip().isdecimal()]
    assert [(row[5], row[-1]) for row in rows] == [
        ("EF00", "slot-1"),
        ("FFFF", "slot-2"),
        ("FFFF", "slot-3"),
        ("8300", "system"),
        ("8300", "data"),
    ]


def test_slot_1_holds_the_boot_tree_and_the_promised_hash(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    slot = part(image, "slot-1", tmp_path / "slot")
    run("fsck.fat", "-n", slot)
    described = read_generation(store.store_dir, generation)
    content = slot.read_bytes()[: described.slot.size_bytes]
    assert Digest.of(content) == described.slot.digest
    out = tmp_path / "out"
    out.mkdir()
    run("mcopy", "-s", "-i", slot, "::*", out)
    tree = store.path(described.boot)
    files = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    for path in enough(files, at_least=3, what="files of the boot tree"):
        assert (out / path.relative_to(tree)).read_bytes() == path.read_bytes()


def test_the_system_partition_holds_the_whole_closure_and_the_state(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    system = part(image, "system", tmp_path / "system")
    run("e2fsck", "-f", "-n", system)
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", system)
    names = sorted(path.name for path in (out / "nix/store").iterdir())
    assert names == sorted([LINKS, *(path.basename for path in store.closure(generation))])
    for item in store.closure_of(generation).objects:
        dumped = run("nix-store", "--dump", out / "nix/store" / item.path.basename)
        assert Digest.of(dumped) == item.nar
    state = parse_state((out / "reconix/state.json").read_bytes(), source="state")
    assert (state.committed.slot, state.committed.generation) == (1, str(generation))


def test_the_data_partition_holds_what_one_device_has_of_its_own_and_nothing_else_differs(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.img"
    make_disk(store, generation, Layout(SIZES, data={"identity.json": b"{}"}), own)
    data = part(own, "data", tmp_path / "data")
    run("e2fsck", "-f", "-n", data)
    assert run("debugfs", "-R", "cat /identity.json", data) == b"{}"
    for name in ("slot-1", "system"):
        one, other = part(image, name, tmp_path / "one"), part(own, name, tmp_path / "other")
        assert Digest.of(one.read_bytes()) == Digest.of(other.read_bytes())


def test_a_changed_byte_on_the_system_partition_is_found_and_its_file_named(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    run("debugfs", "-R", f"rdump / {out}", part(image, "system", tmp_path / "system"))
    toplevel = read_generation(store.store_dir, generation).systems[0].toplevel
    page = out / "nix/store" / toplevel.basename / "page"
    page.chmod(0o644)
    page.write_bytes(bytes([page.read_bytes()[0] ^ 1]) + page.read_bytes()[1:])
    page.chmod(0o444)
    item = store.info(toplevel)
    with pytest.raises(ContentChanged, match=r"changed: page$"):
        verify_object(out / "nix/store", item)


def test_the_data_partition_is_empty_and_clean(image: Path, tmp_path: Path) -> None:
    data = part(image, "data", tmp_path / "data")
    run("e2fsck", "-f", "-n", data)
    listed = run("debugfs", "-R", "ls -p /", data).decode().split()
    assert sorted(line.split("/")[5] for line in listed) == [".", "..", "lost+found"]


def test_the_same_generation_gives_the_same_bytes(
    store: ChrootStore, generation: StorePath, image: Path, tmp_path: Path
) -> None:
    time.sleep(1.1)
    other = tmp_path / "elsewhere/other.img"
    other.parent.mkdir()
    before = os.umask(0o077)
    try:
        make_disk(store, generation, Layout(SIZES), other)
    finally:
        os.umask(before)
    assert Digest.of_file(image) == Digest.of_file(other)
    assert image.stat().st_blocks * 512 < image.stat().st_size / 2


def test_a_store_that_is_too_large_is_refused_and_nothing_is_left(
    store: ChrootStore, machine: Machine, tmp_path: Path
) -> None:
    large = machine.generation("large", extra={"blob": File(os.urandom(2 * MIB))})
    small = Sizes(slots=2, slot_bytes=SLOT_BYTES, system_bytes=1 * MIB, data_bytes=1 * MIB)
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(DoesNotFit, match="system"):
        make_disk(store, large, Layout(small), folder / "gateway.img")
    assert list(folder.iterdir()) == []
