"""Whole devices with 64-bit Arm: a system for one boot, a trial of slot and system, what is kept.

Both have the same root, which is built by emulation; they differ in their firmware.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.projects import booted
from tests.vm.device import Device, ssh_words
from tests.vm.project import FOR_ANY_BOARD, KEEPS_HOST_KEY, Project

from reconix.vm.hardware import VIRT_ARM64, VIRT_ARM64_U_BOOT
from reconix.vm.machine import BOOT_SECONDS, Machine

PROGRAMS = ("mmdebstrap", "qemu-aarch64-static", VIRT_ARM64.program, "ssh", "mkfs.ext4")
NOTE = '[files.note]\ntext = "{}"\n'
MACHINE = f"""\
board = "@board@"
{FOR_ANY_BOARD}\
[health]
timeout = "2min"
{KEEPS_HOST_KEY}"""


@pytest.mark.vm
@pytest.mark.archive
def test_a_trial_on_u_boot_is_kept_and_selects_its_slot(tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS)
    project = made(tmp_path, "qemu-arm64-uboot", {"default": "", "mqtt": NOTE.format("one")})
    with booted(project.image(), tmp_path / "vm", [22], hardware=VIRT_ARM64_U_BOOT) as machine:
        device = started(machine, project)
        one = committed(device)
        device.tell("reconix-device boot mqtt && systemctl reboot")
        device.wait_for("mqtt", soft_reboots=0)
        assert device.ask("cat /etc/note") == "one"
        assert booted_slot(device) == 1

        update(project, "mqtt", device)
        assert device.ask("cat /etc/note") == "two", "the trial was of the system that ran"
        assert booted_slot(device) == 2
        assert committed(device) != one

        machine.reset()
        device.wait_for("default", soft_reboots=0)
        assert booted_slot(device) == 2, "it is selected"
        assert device.status().object("last").text("result") == "confirmed"
        console = machine.console.log.read_text(errors="replace")
        assert console.count("reconix: slot-2 is tried") == 1


@pytest.mark.vm
@pytest.mark.archive
def test_a_trial_on_uefi_is_kept(tmp_path: Path, need: Need) -> None:
    """What follows from there is the firmware's, and is tested with that of a PC."""
    need(*PROGRAMS)
    project = made(tmp_path, "qemu-arm64-uefi", {"default": NOTE.format("one")})
    with booted(project.image(), tmp_path / "vm", [22], hardware=VIRT_ARM64) as machine:
        device = started(machine, project)
        one = committed(device)
        assert booted_slot(device) == 1

        update(project, "default", device)
        assert device.ask("cat /etc/note") == "two"
        assert booted_slot(device) == 2
        assert committed(device) != one


def made(folder: Path, board: str, systems: Mapping[str, str]) -> Project:
    project = Project.make(folder / "project", MACHINE.replace("@board@", board), systems)
    project.reconix("lock")
    return project


def started(machine: Machine, project: Project) -> Device:
    device = Device(machine, project.login)
    machine.wait_for_ssh(project.login, seconds=BOOT_SECONDS)
    device.wait_for("default", soft_reboots=0)
    return device


def update(project: Project, system: str, device: Device) -> None:
    """Give a system another note."""
    (project.folder / f"hosts/box/systems/{system}.toml").write_text(NOTE.format("two"))
    project.reconix("build")
    project.reconix("deploy", *ssh_words(device, project.folder / "key"))


def committed(device: Device) -> str:
    return device.status().object("committed").text("generation")


def booted_slot(device: Device) -> int:
    """The slot from whose loader the kernel was started, as the agent knows it."""
    return device.status().object("booted").number("slot")
