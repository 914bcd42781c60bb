"""An update that does not touch what runs is cut before each step that reaches the disk.

``tests/cuts.py`` gives the device as each cut leaves it; then it boots, and the update is repeated.
What was running boots after every cut: it is the same in both generations.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_cuts import Work, cut_everywhere, do_collect, do_rollback
from tests.device_model import Machine, expect_whole

from reconix.boot.trial import Phase, print_state, read_state
from reconix.device.device import Device
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.receive import receive
from reconix.device.update.untouched import adopt
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "build") as store:
        yield store


@pytest.fixture
def machine(tmp_path: Path, store: ChrootStore) -> Machine:
    """A device that runs its default system; generation two changes another one."""
    machine = Machine.make(tmp_path / "device", store)
    machine.generation("two", only=["mqtt"])
    machine.boot()
    return machine


def do_adopt(machine: Machine, name: str) -> Work:
    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            adopt(device, machine.generations[name])

    return work


def arrive(device: Machine, name: str) -> bytes:
    """Boot, and repeat the update; gives what is remembered at its end."""
    runs = device.read(device.generations["one"]).system("default").toplevel
    started = device.settle()
    assert started.booted.toplevel == runs
    assert started.booted.slot == device.selected
    generation = device.check_committed()
    assert read_state(device.paths.state).committed.generation == str(generation.path)
    do_adopt(device, name)(device.device)
    do_collect(device.device)
    assert device.boot().booted.generation == device.generations[name]
    for manifest in device.registry.manifests():
        expect_whole(device.registry, manifest)
    return print_state(read_state(device.paths.state))


def test_p14_adopting_cut_anywhere_leaves_old_or_new_and_can_be_repeated(machine: Machine) -> None:
    machine.install("two")
    selected, ends = set(), set()
    for device in cut_everywhere(machine, do_adopt(machine, "two")):
        selected.add(device.selected)
        ends.add(arrive(device, "two"))
    assert selected == {1, 2}
    assert len(ends) == 1
    assert b'"untried": [\n    "mqtt"\n  ]' in ends.pop()


def test_going_back_without_a_restart_cut_at_any_step_leaves_new_or_old(machine: Machine) -> None:
    machine.install("two")
    do_adopt(machine, "two")(machine.device)
    machine.boot()
    selected, ends = set(), set()
    for device in cut_everywhere(machine, do_rollback):
        selected.add(device.selected)
        ends.add(arrive(device, "one"))
    assert selected == {1, 2}
    assert len(ends) == 1


def test_one_on_top_of_another_cut_at_any_step_keeps_what_was_tried(machine: Machine) -> None:
    machine.install("two")
    do_adopt(machine, "two")(machine.device)
    machine.generation("three", only=["mqtt"])
    machine.install("three")
    ends = set()
    for device in cut_everywhere(machine, do_adopt(machine, "three")):
        assert read_state(device.paths.state).previous == str(machine.generations["one"])
        ends.add(arrive(device, "three"))
    assert len(ends) == 1


def test_a_stream_that_is_received_and_adopted_cut_at_any_step_can_be_repeated(
    machine: Machine,
) -> None:
    stream = machine.stream("one", "two").getvalue()

    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            adopt(device, receive(device, io.BytesIO(stream).read))

    for device in cut_everywhere(machine, work):
        device.settle()
        work(device.device)
        arrive(device, "two")


def test_an_agent_that_knows_nothing_of_it_goes_on_after_a_cut(machine: Machine) -> None:
    """Cut between the sector and the record: for an older agent somebody has selected the slot."""
    machine.install("two")
    for device in cut_everywhere(machine, do_adopt(machine, "two")):
        state = device.paths.state
        forgetful = state.read_bytes().replace(b'"untried"', b'"unheard of"')
        state.write_bytes(forgetful)
        booted = device.settle().booted
        assert booted.slot == device.selected
        found = read_state(state)
        assert found.committed.slot == booted.slot
        assert found.phase in (Phase.IDLE, Phase.RECEIVED, Phase.WRITING, Phase.WRITTEN)
