"""A device takes what is for it, in little memory."""

import io
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.device_model import SLOT_BYTES, Machine
from tests.project_files import ROOT, enough

from reconix.boot.slots import SlotSizeDiffers
from reconix.boot.trial import OnTrial
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.collect import collect
from reconix.device.update.receive import UpdatesForbidden, receive
from reconix.store.tree import File, Node
from reconix.transfer.format.stream import StreamReader

SOURCE = ROOT / "src"
MIB = 1 << 20
RECEIVE = """\
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.update.apply import apply
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.update.receive import receive

place = Path(sys.argv[2])
paths = Paths(system=place / "system", run=place / "run", sysfs=place / "sys",
    efivars=place / "efivars", proc=place / "proc", disk=place / "disk", shared=False)
device = Device(paths, Uefi(Variables(paths.efivars), "EFI/BOOT/BOOTX64.EFI"))
apply(device, receive(device, sys.stdin.buffer.read))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_an_update_is_taken_in_and_noted(machine: Machine) -> None:
    machine.boot()
    two = machine.generation("two")
    with exclusive_rw(machine.paths):
        assert receive(machine.device, machine.stream("one", "two").read) == two
    assert two in machine.device.installed()
    assert '"installed"' in machine.paths.log.read_text()


def test_taking_in_a_finished_update_again_changes_nothing(machine: Machine) -> None:
    """R4"""
    machine.boot()
    machine.generation("two")
    said = []
    for _ in range(2):
        with exclusive_rw(machine.paths):
            receive(machine.device, machine.stream("one", "two").read)
        said.append(machine.paths.log.read_bytes())
    assert said[0] == said[1]


@pytest.mark.parametrize("more", [MIB, -MIB], ids=["larger", "smaller"])
def test_r1_a_generation_for_other_boot_slots_is_refused_before_the_first_write(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """A kernel grows, so the slots of the description do; those of devices stay as they are."""
    machine.boot()
    monkeypatch.setattr("tests.device_model.SLOT_BYTES", SLOT_BYTES + more)
    two = machine.generation("two")
    stream, before = machine.stream("one", "two"), contents(machine.paths.system)
    link = Link(stream.getvalue())
    wanted = f"{SLOT_BYTES + more} bytes"
    with pytest.raises(SlotSizeDiffers, match=wanted), exclusive_rw(machine.paths):
        receive(machine.device, link.read)
    assert contents(machine.paths.system) == before
    assert two not in machine.device.installed()
    head = StreamReader(stream.read).read_head()
    assert link.given <= len(head.print()), "nothing behind the head is asked for"


class Link:
    """Counts what is taken from it."""

    def __init__(self, content: bytes) -> None:
        self._stream, self.given = io.BytesIO(content), 0

    def read(self, size_bytes: int) -> bytes:
        data = self._stream.read(size_bytes)
        self.given += len(data)
        return data


def contents(place: Path) -> dict[str, int]:
    """All that is on the system partition, but for the agent's lock."""
    found = {str(path): path.lstat() for path in place.rglob("*") if path.name != "lock"}
    times = {path: status.st_mtime_ns for path, status in found.items()}
    return enough(times, at_least=10, what="files and folders")


def test_nothing_is_received_during_a_trial(machine: Machine) -> None:
    """C1"""
    machine.boot()
    two = machine.generation("two")
    machine.generation("three")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, two)
    machine.boot()
    with pytest.raises(OnTrial), exclusive_rw(machine.paths):
        receive(machine.device, machine.stream("one", "three").read)


def test_a_system_that_may_not_take_updates_says_so(machine: Machine) -> None:
    machine = machine.saying(receive=False)
    machine.boot()
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


def test_collecting_gives_back_what_a_cut_left_behind(machine: Machine) -> None:
    machine.boot()
    staging = machine.device.registry.staging_dir
    staging.mkdir(parents=True)
    (staging / "0").write_bytes(b"half a content")
    with exclusive_rw(machine.paths):
        collect(machine.device, machine.device.recall())
    assert not any(staging.iterdir())
