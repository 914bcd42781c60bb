"""Whatever was altered is found and named."""

import errno
import functools
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.heard import Heard

from reconix.base import progress
from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot
from reconix.device.update.verify import verify
from reconix.store.images.verity import digest
from reconix.store.intact import a_few
from reconix.store.tree import File


def test_a_device_as_it_was_installed_has_nothing_wrong(machine: Machine) -> None:
    machine.boot()
    assert verify(machine.device) == []


def test_where_the_kernel_can_compare_it_must_do_so_with_everything(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.boot()
    paths = [*machine.registry.pool.folder.glob("*/*"), *machine.registry.images_dir.iterdir()]
    monkeypatch.setattr("fcntl.ioctl", functools.partial(measured, ""))
    assert verify(machine.device) == []
    for path in (paths[0], paths[-1]):
        name = path.name if path in machine.registry.images_dir.iterdir() else path.parent.name
        monkeypatch.setattr("fcntl.ioctl", functools.partial(measured, path))
        (wrong,) = verify(machine.device)
        assert wrong.startswith("the kernel does not compare the ")
        assert name in wrong


def measured(but: Path | str, descriptor: int, _request: int, _argument: bytes) -> bytes:
    """As Linux answers: of each file what it compares it with, of one that it does not."""
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    if path.is_dir() or path == but:
        raise OSError(errno.ENODATA, "no data")
    return b"\x01\0\x20\0" + digest(path.read_bytes()) + bytes(32)


def alter(path: Path) -> None:
    path.chmod(0o600)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def cut(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])


def remove(path: Path) -> None:
    path.unlink()


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = pytest.mark.parametrize("damage", [alter, cut, remove, put_a_folder])


@DAMAGES
def test_of_a_damaged_content_each_file_that_has_it_is_named(
    machine: Machine, damage: Callable[[Path], None]
) -> None:
    toplevel = machine.boot().booted.toplevel
    damage(machine.place_of(toplevel, "boot.json"))
    (wrong,) = verify(machine.device)
    assert wrong.endswith(f"; it is that of {toplevel}/boot.json")


@DAMAGES
def test_of_a_damaged_image_the_objects_are_named(
    machine: Machine, damage: Callable[[Path], None]
) -> None:
    machine.boot()
    manifest = machine.registry.manifests()[0]
    entry = next(each for each in manifest.images if manifest.root not in each.objects)
    damage(machine.registry.image_path(entry.sha256))
    (wrong,) = verify(machine.device)
    assert entry.sha256.hex() in wrong and f"it has {a_few(entry.objects)}" in wrong


def test_a_content_that_many_files_have_is_told_once_with_some_of_them(machine: Machine) -> None:
    content = File(b"the same in all of these files, and more than what stands in an image\n" * 9)
    machine = Machine.make(
        machine.place.with_name("many"), machine.store, extra={f"same/{n}": content for n in "abcd"}
    )
    alter(machine.place_of(machine.boot().booted.toplevel, "same", "a"))
    (wrong,) = verify(machine.device)
    assert " was altered; it is that of /nix/store/" in wrong and wrong.endswith(" and 5 more")


def test_everything_that_is_wrong_is_told_at_once(machine: Machine) -> None:
    booted = machine.boot().booted
    alter(machine.place_of(booted.toplevel, "boot.json"))
    remove(
        machine.place_of(
            machine.read(machine.generations["one"]).boot, "loader", "entries", "mqtt.conf"
        )
    )
    two = machine.generation("two")
    machine.install("two")
    entry = machine.registry.get(two)
    assert entry is not None
    alter(machine.registry.image_path(entry.images[0].sha256))
    assert len(verify(machine.device)) == 3


def test_a_damaged_manifest_is_told_and_the_other_generations_are_read(machine: Machine) -> None:
    toplevel = machine.boot().booted.toplevel
    two = machine.generation("two")
    machine.install("two")
    (machine.paths.manifests / f"{two.basename}.manifest").write_bytes(b"{}")
    alter(machine.place_of(toplevel, "boot.json"))
    manifest, content = verify(machine.device)
    assert two.basename in manifest and f"{toplevel}/boot.json" in content


def test_what_nobody_needs_is_no_damage_and_is_told(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    machine.install("two")
    machine.registry.remove(two)
    (machine.paths.pool / "stranger").write_bytes(b"")
    told = Heard()
    progress.listen(told)
    assert verify(machine.device) == []
    first, second = told.notes
    assert "no generation needs" in first and "stranger" in second


def test_reading_says_how_far_it_is(machine: Machine) -> None:
    machine.boot()
    told = Heard()
    progress.listen(told)
    verify(machine.device)
    images = sum(entry.size_bytes for entry in machine.registry.manifests()[0].images)
    pool = machine.registry.pool
    contents = sum(pool.path(digest).stat().st_size for digest in pool.digests())
    assert told.stages["images"] == (images, images) and images > 0
    assert told.stages["contents"] == (contents, contents) and contents > 0


def test_an_altered_slot_is_named(machine: Machine) -> None:
    machine.boot()
    with DiskFile(machine.place / "disk") as disk:
        offset = machine.tables.slot(Slot(1)).first * 512
        disk.write(offset, bytes(512))
    (wrong,) = verify(machine.device)
    assert wrong.startswith("slot-1 does not hold the image of")


def test_an_altered_partition_table_is_named(machine: Machine) -> None:
    machine.boot()
    with DiskFile(machine.place / "disk") as disk:
        disk.write((machine.tables.sectors - 1) * 512, bytes(512))
    assert any(
        "backup" in fact or f"LBA {machine.tables.sectors - 1}" in fact
        for fact in verify(machine.device)
    )


def test_the_next_start_repairs_the_table_and_says_so(machine: Machine) -> None:
    """B2"""
    machine.boot()
    with DiskFile(machine.place / "disk") as disk:
        disk.write((machine.tables.sectors - 1) * 512, bytes(512))
    machine.boot()
    assert verify(machine.device) == []
    assert '"repaired"' in machine.paths.log.read_text()
