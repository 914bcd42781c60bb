"""What runs is found out and noted."""

import shlex
import subprocess

import pytest
from tests.device_model import Machine

from reconix.boot.oneshots.load_option import print_text
from reconix.boot.oneshots.variables import LOADER
from reconix.device.select.start import start
from reconix.device.state.running import UnknownBoot, read_running


def test_the_note_can_be_read_by_a_shell(machine: Machine) -> None:
    booted = machine.boot().booted
    note = shlex.quote(str(machine.paths.run / "booted"))
    said = subprocess.run(
        ["sh", "-c", f". {note}; echo $GENERATION $SYSTEM $SLOT $TOPLEVEL"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert said == f"{booted.generation} default 1 {booted.toplevel}\n"


def test_a_command_line_without_a_system_is_refused(machine: Machine) -> None:
    machine.firmware()
    (machine.paths.proc / "cmdline").write_text("root=/dev/sda1 quiet\n")
    with pytest.raises(UnknownBoot):
        start(machine.device)


def test_an_init_outside_of_the_store_is_refused(machine: Machine) -> None:
    machine.firmware()
    (machine.paths.proc / "cmdline").write_text("init=/bin/sh\n")
    with pytest.raises(UnknownBoot):
        start(machine.device)


def test_a_firmware_that_does_not_tell_leaves_the_selected_slot(machine: Machine) -> None:
    machine.firmware()
    machine.variables.remove("LoaderDevicePartUUID", LOADER)
    assert start(machine.device).booted.slot == 1


def test_a_partition_that_is_no_slot_leaves_the_selected_slot(machine: Machine) -> None:
    machine.firmware()
    guid = "11111111-2222-3333-4444-555555555555"
    machine.variables.set("LoaderDevicePartUUID", LOADER, print_text(guid))
    assert start(machine.device).booted.slot == 1


def test_without_a_note_it_is_said_where_to_look(machine: Machine) -> None:
    with pytest.raises(UnknownBoot) as caught:
        read_running(machine.paths.booted)
    assert "reconix-start" in caught.value.hint
