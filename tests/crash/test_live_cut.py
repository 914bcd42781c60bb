"""A change of containers without a restart is cut before each step that reaches the disk.

``tests/cuts.py`` gives the device as each cut leaves it. What is in ``/run`` is gone at the boot
that follows, and the programs with it: the old containers run with the old generation, or the new
ones with the new one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_cuts import Work, cut_everywhere, do_collect
from tests.device_model import Machine, expect_whole
from tests.live_containers import changed, with_containers
from tests.unit.device.conftest import Units

from reconix.boot.trial import print_state, read_state
from reconix.device.device import Device
from reconix.device.state.current_containers import current
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.device.update.live import ContainersNotKept, change_containers
from reconix.nix.chroot import ChrootStore

NEW = ("broker 2", "logger 1", "cache 1")


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Units(folder)


@pytest.fixture
def device(tmp_path: Path, units: Units) -> Iterator[Machine]:
    with ChrootStore(tmp_path / "build") as store:
        yield with_containers(Machine.make(tmp_path / "device", store), units)


def do_change(machine: Machine, name: str) -> Work:
    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            change_containers(device, machine.generations[name])

    return work


def rest(found: Machine) -> None:
    """Boot, whatever comes up, and see that it is what the disk selects, with its containers."""
    started = found.settle()
    generation = found.check_committed()
    assert started.booted.generation == generation.path
    assert started.booted.toplevel == generation.system("default").toplevel
    assert current(found.paths) is None
    for manifest in found.registry.manifests():
        expect_whole(found.registry, manifest)


def test_p14_a_change_cut_anywhere_leaves_old_or_new_and_can_be_repeated(device: Machine) -> None:
    changed(device, "three", *NEW)
    selected, ends = set(), set()
    for found in cut_everywhere(device, do_change(device, "three")):
        selected.add(found.selected)
        rest(found)
        do_change(found, "three")(found.device)
        do_collect(found.device)
        assert found.boot().booted.generation == found.generations["three"]
        ends.add(print_state(read_state(found.paths.state)))
    assert selected == {1, 2}
    assert len(ends) == 1


def test_a_change_that_is_not_kept_cut_at_any_step_leaves_old(
    device: Machine, units: Units
) -> None:
    three = changed(device, "three", *NEW)

    def work(one: Device) -> None:
        units.break_down("container-cache.service")
        with exclusive_rw(one.paths), pytest.raises(ContainersNotKept):
            change_containers(one, three)

    for found in cut_everywhere(device, work):
        assert str(found.check_committed().path) == str(device.generations["base"])
        rest(found)


def test_an_ordinary_trial_takes_it_as_well(device: Machine) -> None:
    """As an agent does that knows nothing of changes without a restart."""
    three = changed(device, "three", *NEW)
    with exclusive_rw(device.paths):
        apply(device.device, three)
    assert device.boot().booted.toplevel == device.read(three).system("default").toplevel
    with exclusive_rw(device.paths):
        confirm(device.device)
    rest(device)
