"""A guest that is only firmware: start, reset, switch off, cut the power."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.vm.console import NotSaid
from reconix.vm.firmware import prepare
from reconix.vm.machine import GuestNotReady, GuestNotStarted, running
from reconix.vm.qemu import PROGRAM, Accelerator, Disk, Guest

NO_DISK_STARTS = 'failed to load Boot0001 "UEFI Misc Device"'
SECONDS = 90.0


@pytest.fixture
def guest(tmp_path: Path, need: Callable[..., None]) -> Guest:
    """UEFI firmware before an empty disk."""
    need(PROGRAM)
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(8 << 20)
    return Guest(prepare(tmp_path / "variables"), disks=(Disk(disk),), memory_mib=256)


def test_firmware_starts_resets_and_loses_its_power(guest: Guest, tmp_path: Path) -> None:
    with running(guest, tmp_path, Accelerator.TCG) as machine:
        machine.console.wait(NO_DISK_STARTS, seconds=SECONDS)
        machine.reset()
        machine.console.wait(NO_DISK_STARTS, seconds=SECONDS)
        machine.cut_power()
        assert not machine.is_running()
        with pytest.raises(NotSaid, match="the guest has stopped"):
            machine.console.wait("anything", seconds=SECONDS)


def test_a_guest_that_may_not_restart_is_off_after_a_reset(guest: Guest, tmp_path: Path) -> None:
    with running(replace(guest, restarts=False), tmp_path, Accelerator.TCG) as machine:
        with pytest.raises(GuestNotReady, match="still running"):
            machine.wait_until_off(seconds=0.1)
        machine.reset()
        machine.wait_until_off(seconds=SECONDS)


def test_a_guest_whose_memory_is_read_stands_still_before_each_restart(
    guest: Guest, tmp_path: Path
) -> None:
    memory = tmp_path / "memory"
    with running(replace(guest, memory=memory), tmp_path, Accelerator.TCG) as machine:
        for _ in range(2):
            machine.console.wait(NO_DISK_STARTS, seconds=SECONDS)
            assert machine.stopped_by() is None
            machine.reset()
            assert machine.stopped_by() == "host-qmp-system-reset"
            machine.go_on()
        machine.console.wait(NO_DISK_STARTS, seconds=SECONDS)
        assert memory.stat().st_size == guest.memory_mib << 20


def test_each_forwarded_port_has_a_free_port_of_its_own(guest: Guest, tmp_path: Path) -> None:
    other = replace(guest, disks=(), firmware=prepare(tmp_path / "other"))
    with (
        running(guest, tmp_path, Accelerator.TCG) as one,
        running(other, tmp_path, Accelerator.TCG) as two,
    ):
        assert one.port(22) != two.port(22)
        with pytest.raises(GuestNotReady, match="port 80"):
            one.port(80)


def test_qemu_is_gone_after_the_block_even_when_it_fails(guest: Guest, tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        running(guest, tmp_path, Accelerator.TCG) as machine,
    ):
        raise ZeroDivisionError
    assert not machine.is_running()


def test_a_guest_that_qemu_refuses_says_why(guest: Guest, tmp_path: Path) -> None:
    absent = replace(guest, disks=(Disk(tmp_path / "absent.img"),))
    with (
        pytest.raises(GuestNotStarted, match=r"absent\.img"),
        running(absent, tmp_path, Accelerator.TCG),
    ):
        pass
