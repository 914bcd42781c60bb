"""Whatever was altered is found and named."""

from tests.device_model import Machine

from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot
from reconix.device.update.verify import verify


def test_a_device_as_it_was_installed_has_nothing_wrong(machine: Machine) -> None:
    machine.boot()
    assert verify(machine.device) == []


def test_an_altered_object_is_named(machine: Machine) -> None:
    toplevel = machine.boot().booted.toplevel
    page = machine.registry.path(toplevel) / "page"
    page.chmod(0o644)
    page.write_text("another")
    page.chmod(0o444)
    (wrong,) = verify(machine.device)
    assert str(toplevel) in wrong and "altered" in wrong


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
