"""The agent is cut before each step that reaches the disk or the firmware.

``tests/cuts.py`` gives the device as each cut leaves it; nothing that the agent still wants to do
afterwards, not even tidying up, has happened. Then the device boots, as the model of the firmware
does it from what is there, and the same work is done again. This tests the order of the steps; that
they are durable when they should be, is tested by the tests of ``base/files.py``, ``boot/`` and
``store/``.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_cuts import (
    arrive,
    cut_everywhere,
    do_apply,
    do_collect,
    do_confirm,
    do_rollback,
    do_update,
)
from tests.device_model import Machine, expect_whole

from reconix.boot.trial import print_state
from reconix.device.device import Device
from reconix.device.select.start import start
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.scrubbed import read_scrubbed
from reconix.device.update.receive import receive
from reconix.device.update.scrub import scrub
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "build") as store:
        yield store


@pytest.fixture
def machine(tmp_path: Path, store: ChrootStore) -> Machine:
    """A device that runs its first generation; the second one is built and not installed."""
    machine = Machine.make(tmp_path / "device", store)
    machine.generation("two")
    machine.boot()
    return machine


def test_p5_apply_cut_at_any_step_leaves_the_old_generation_and_can_be_repeated(
    machine: Machine,
) -> None:
    machine.install("two")
    ends = set()
    for device in cut_everywhere(machine, do_apply(machine, "two")):
        assert device.selected == 1
        ends.add(print_state(arrive(device, "two")))
    assert len(ends) == 1


def test_p5_no_slot_boots_while_it_is_written(machine: Machine) -> None:
    """Another generation takes the place of one whose trial is armed."""
    machine.install("two")
    do_apply(machine, "two")(machine.device)
    machine.generation("three")
    machine.install("three")
    for device in cut_everywhere(machine, do_apply(machine, "three")):
        arrive(device, "three")  # notices if a slot that boots holds no whole generation


def test_p8_confirm_cut_at_any_step_leaves_old_or_new(machine: Machine) -> None:
    machine.install("two")
    do_apply(machine, "two")(machine.device)
    machine.boot()
    selected, ends = set(), set()
    for device in cut_everywhere(machine, do_confirm):
        selected.add(device.selected)
        ends.add(print_state(arrive(device, "two")))
    assert selected == {1, 2}
    assert len(ends) == 1


def test_p8_rollback_cut_at_any_step_leaves_new_or_old(machine: Machine) -> None:
    do_update(machine, "two")
    ends = set()
    for device in cut_everywhere(machine, do_rollback):
        assert device.selected == 2
        ends.add(print_state(arrive(device, "one")))
    assert len(ends) == 1


def test_p4_collect_cut_at_any_step_keeps_what_boots_and_what_was_before(machine: Machine) -> None:
    do_update(machine, "two")
    machine.generation("three")
    machine.install("three")
    installed = set()
    for device in cut_everywhere(machine, do_collect):
        do_collect(device.device)
        kept = {machine.generations["one"], machine.generations["two"]}
        assert {manifest.root for manifest in device.registry.manifests()} == kept
        images = sorted(path.name for path in device.registry.images_dir.iterdir())
        installed.add((tuple(images), tuple(device.registry.pool.digests())))
        for manifest in device.registry.manifests():
            expect_whole(device.registry, manifest)
    assert len(installed) == 1


def test_b8_start_cut_at_any_step_does_not_keep_the_device_from_coming_back(
    machine: Machine,
) -> None:
    machine.install("two")
    do_apply(machine, "two")(machine.device)
    machine.boot()  # and the power goes: the next start arms the trial again
    machine.firmware()
    for device in cut_everywhere(machine, start):
        assert device.selected == 1
        arrive(device, "two")


def test_p1_receive_cut_at_any_step_can_be_repeated(machine: Machine) -> None:
    stream = machine.stream("one", "two").getvalue()

    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            receive(device, io.BytesIO(stream).read)

    for device in cut_everywhere(machine, work):
        assert device.settle().booted.generation == machine.generations["one"]
        work(device.device)
        arrive(device, "two")


def test_scrub_cut_at_any_step_knows_the_place_before_or_behind(machine: Machine) -> None:
    def work(device: Device) -> None:
        scrub(device, limit_bytes=1)

    machine.boot()
    work(machine.device)
    machine.boot()  # so that it is written to the disk again
    before, places = read_scrubbed(machine.paths), set[bytes]()
    assert before is not None
    for device in cut_everywhere(machine, work):
        device.boot()
        found = read_scrubbed(device.paths)
        assert found is not None and found.place >= before.place
        places.add(found.place)
        work(device.device)
        further = read_scrubbed(device.paths)
        assert further is not None and further.place > found.place
    assert len(places) == 2
