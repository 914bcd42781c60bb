"""What every memory of a trial promises: variables, the control sector, the disk's one-shot."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconix.base.firmware import FirmwareKind
from reconix.boot.disk import DiskFile
from reconix.boot.oneshots.disk import BEGUN, DiskOneShot
from reconix.boot.oneshots.oneshot import OneShots
from reconix.boot.oneshots.u_boot import UBoot
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.boot.tables import Selection, Slot, read_selection, select_slot
from reconix.image.layout import Sizes, plan

TABLES = plan(
    "gateway", size_bytes=120 << 20, sizes=Sizes(3, 34 << 20, 1 << 20, 1 << 20, FirmwareKind.U_BOOT)
)
ONE, TWO, THREE = Slot(1), Slot(2), Slot(3)


class Disk:
    """A disk with slot 1 selected, and its one-shot."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        with self.path.open("wb") as file:
            file.truncate(TABLES.sectors * 512)
        with self.opened() as disk:
            for write in TABLES.writes(ONE):
                disk.write(write.offset, write.content)
        self.one_shot = DiskOneShot(folder / "way-back", self.opened)

    @contextmanager
    def opened(self) -> Iterator[DiskFile]:
        with DiskFile(self.path) as disk:
            yield disk

    def selection(self) -> Selection:
        """What the table selects when a trial is over."""
        with self.opened() as disk:
            return self.one_shot.seen_through(read_selection(disk))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture(params=["variables", "control", "disk"])
def one_shots(request: pytest.FixtureRequest, disk: Disk, tmp_path: Path) -> OneShots:
    if request.param == "disk":
        return disk.one_shot
    if request.param == "control":
        return UBoot(disk.opened, tmp_path / "cmdline")
    (tmp_path / "efivars").mkdir()
    return Uefi(Variables(tmp_path / "efivars"), "EFI/BOOT/BOOTX64.EFI")


def test_nothing_is_armed_at_first(one_shots: OneShots, disk: Disk) -> None:
    assert one_shots.next_slot(disk.selection()) is None
    assert one_shots.knows(disk.selection(), TWO) == isinstance(one_shots, UBoot)


def test_what_is_armed_is_next_and_selected_is_what_was(one_shots: OneShots, disk: Disk) -> None:
    one_shots.arm(disk.selection(), TWO, "default")
    assert one_shots.next_slot(disk.selection()) == TWO
    assert one_shots.knows(disk.selection(), TWO)
    assert disk.selection().slot == ONE


def test_the_last_that_was_armed_counts(one_shots: OneShots, disk: Disk) -> None:
    for slot in (TWO, THREE, TWO, THREE):
        one_shots.arm(disk.selection(), slot, "default")
        assert one_shots.next_slot(disk.selection()) == slot
    assert disk.selection().slot == ONE


def test_what_is_disarmed_is_not_next(one_shots: OneShots, disk: Disk) -> None:
    one_shots.arm(disk.selection(), TWO, "default")
    for _ in range(2):
        one_shots.disarm(None)
        assert one_shots.next_slot(disk.selection()) is None
        assert disk.selection().slot == ONE


def test_it_leads_back_to_the_slot_that_was_selected(one_shots: OneShots, disk: Disk) -> None:
    with disk.opened() as opened:
        select_slot(opened, THREE)
    one_shots.arm(disk.selection(), ONE, "default")
    assert (one_shots.next_slot(disk.selection()), disk.selection().slot) == (ONE, THREE)
    one_shots.disarm(None)
    assert disk.selection().slot == THREE


def test_a_trial_of_the_disk_that_has_begun_is_not_next_once_more(disk: Disk) -> None:
    disk.one_shot.arm(disk.selection(), TWO, "default")
    (disk.one_shot.folder / BEGUN).touch()
    assert disk.one_shot.next_slot(disk.selection()) is None
    assert disk.one_shot.knows(disk.selection(), TWO)


def test_what_leads_back_from_a_slot_that_is_not_selected_arms_nothing(disk: Disk) -> None:
    """A cut between the folder and the selection."""
    disk.one_shot.leave(disk.selection(), TWO)
    assert disk.one_shot.next_slot(disk.selection()) is None
    assert disk.selection().slot == ONE


def test_a_trial_of_the_disk_that_is_kept_is_selected(disk: Disk) -> None:
    disk.one_shot.arm(disk.selection(), TWO, "default")
    disk.one_shot.keep()
    assert disk.selection().slot == TWO
    assert not disk.one_shot.knows(disk.selection(), TWO)
