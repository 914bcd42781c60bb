"""What U-Boot boots, read by a second reader, is what we have written."""

from pathlib import Path

import pytest
from tests.u_boot_disks import ask, make_disk

from reconix.boot.control import Request
from reconix.boot.disk import DiskFile
from reconix.boot.tables import Slot, select_slot
from reconix.prove import u_boot, uefi
from reconix.prove.u_boot import Wanted


def seen(path: Path) -> tuple[str, Wanted | None]:
    """What boots, and what is asked for."""
    content = path.read_bytes()

    def read(at: int, size: int) -> bytes:
        return content[at : at + size]

    table = uefi.tables(read, len(content), u_boot.is_bootable).used
    assert table is not None
    control = u_boot.control_of(table)
    assert control is not None
    return table[0].name, u_boot.wanted(read, control)


@pytest.mark.parametrize("slot", [1, 2])
def test_the_selected_slot_boots_and_nothing_is_asked_for(tmp_path: Path, slot: int) -> None:
    make_disk(tmp_path / "disk", {})
    with DiskFile(tmp_path / "disk") as disk:
        select_slot(disk, Slot(slot))
    assert seen(tmp_path / "disk") == (f"slot-{slot}", None)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(Slot(2), "mqtt"), Wanted("slot-2", "mqtt")),
        (Request(Slot(2), None), Wanted("slot-2", "")),
        (Request(None, "mqtt"), Wanted("", "mqtt")),
    ],
)
def test_what_is_asked_for_is_read(tmp_path: Path, request_: Request, expected: Wanted) -> None:
    tables = make_disk(tmp_path / "disk", {})
    ask(tmp_path / "disk", tables, request_)
    assert seen(tmp_path / "disk") == ("slot-1", expected)
    ask(tmp_path / "disk", tables, b"\1" + bytes(511))
    assert seen(tmp_path / "disk")[1] is None
