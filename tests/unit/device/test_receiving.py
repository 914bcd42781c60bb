"""A device takes what is for it, in little memory."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.device.apply import OnTrial, apply
from reconix.device.receiving import UpdatesForbidden, receive
from reconix.device.work import working
from reconix.store.tree import File, Node

SOURCE = Path(__file__).parents[3] / "src"
MIB = 1 << 20
RECEIVE = """\
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.boot.firmware.uefi import Uefi
from reconix.boot.firmware.variables import Variables
from reconix.device.apply import apply
from reconix.device.device import Device
from reconix.device.places import Places
from reconix.device.receiving import receive

place = Path(sys.argv[2])
places = Places(system=place / "system", run=place / "run", sysfs=place / "sys",
    efivars=place / "efivars", proc=place / "proc", disk=place / "disk", shared=False)
device = Device(places, Uefi(Variables(places.efivars), "EFI/BOOT/BOOTX64.EFI"))
apply(device, receive(device, sys.stdin.buffer.read))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_an_update_is_taken_in_and_noted(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    with working(machine.places):
        assert receive(machine.device, machine.stream("one", "two").read) == two
    assert two in machine.device.installed()
    assert '"installed"' in machine.places.log.read_text()


def test_taking_in_a_finished_update_again_changes_nothing(machine: Machine) -> None:
    """R4"""
    machine.boot()
    machine.generation("two")
    said = []
    for _ in range(2):
        with working(machine.places):
            receive(machine.device, machine.stream("one", "two").read)
        said.append(machine.places.log.read_bytes())
    assert said[0] == said[1]


def test_nothing_is_received_during_a_trial(machine: Machine) -> None:
    """C1"""
    machine.boot()
    two = machine.generation("two")
    machine.generation("three")
    machine.install("two")
    with working(machine.places):
        apply(machine.device, two)
    machine.boot()
    with pytest.raises(OnTrial), working(machine.places):
        receive(machine.device, machine.stream("one", "three").read)


def test_a_system_that_may_not_take_updates_says_so(machine: Machine) -> None:
    toplevel = machine.registry.path(machine.boot().booted.toplevel)
    toplevel.chmod(0o755)
    (toplevel / "update.json").write_text('{"receive": false, "trial_timeout_seconds": 9}')
    with pytest.raises(UpdatesForbidden):
        receive(machine.device, machine.stream(None, "one").read)


def test_receiving_takes_less_than_64_mib(machine: Machine) -> None:
    """R3: large files, many files and a whole generation without a base."""
    machine.boot()
    noise = random.Random(1).randbytes(12 * MIB)
    extra: dict[str, Node] = {"large": File(noise)}
    extra |= {f"many/{number}": File(noise[number : number + 100]) for number in range(1000)}
    machine.generation("two", extra=extra)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RECEIVE, SOURCE, machine.place],
        input=machine.stream(None, "two").getvalue(),
        capture_output=True,
        check=True,
    )
    assert int(done.stdout) < 64 << 10, "KiB"
