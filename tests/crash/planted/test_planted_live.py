"""The prover finds bugs in changes of containers: each test replaces one function by a wrong one.

With each of them the change itself succeeds, and its containers run.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.early_selection import select_before_it_is_recorded
from tests.small_device import SmallDevice, device_with_containers, need_recording

from reconix.boot.tables import Slot
from reconix.boot.transitions import Untouched
from reconix.boot.trial import State
from reconix.device.device import Device
from reconix.device.state.record import record as record_event
from reconix.device.trial.monitor import Unhealthy
from reconix.device.update import live
from reconix.device.update.confirm import select
from reconix.device.update.live import Change
from reconix.prove.prover import prove
from reconix.prove.record import record
from reconix.prove.rig import Rig
from reconix.prove.workload import NotInPlace, changing, receiving
from reconix.store import collect as store
from reconix.store.generation import InstalledSystem

pytestmark = pytest.mark.prover

SEED, STATES = 1, 200
NEVER_WELL = "boots a default system with containers never seen well"
NEVER_TRIED = "boots from now on but was never tried"


class Find(Protocol):
    def __call__(self, device: SmallDevice) -> set[str]: ...


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDevice]:
    with device_with_containers(tmp_path_factory.mktemp("device")) as made:
        yield made


@pytest.fixture
def find(need: Callable[..., None], tmp_path: Path) -> Find:
    """What is wrong in the states of a change of containers."""
    need_recording(need)

    def found(device: SmallDevice) -> set[str]:
        def workload(rig: Rig) -> None:
            rig.boot("first boot")
            receiving(rig, device.update)
            changing(rig, device.update.target, "change containers")

        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        job = record(device.image, device.known, folder, workload)
        result = prove(job, wanted=STATES, seed=SEED, processes=1)
        return {case.problem.partition(" ")[2] for case in result.cases}

    return found


def select_now(device: Device, state: State) -> None:
    assert state.trial is not None and state.trial.slot is not None
    select(device, state.trial.slot)


def test_without_a_bug_nothing_is_found(find: Find, device: SmallDevice) -> None:
    assert find(device) == set()


def test_the_sector_before_the_health_check(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    """It is written down that no trial is needed, as it should be; only the order is wrong."""
    check = live._problem

    def select_first(change: Change, ours: InstalledSystem) -> Unhealthy | None:
        state = change.device.recall()
        select_now(change.device, record_event(change.device.paths, state, Untouched(())))
        return check(change, ours)

    monkeypatch.setattr(live, "_problem", select_first)
    assert find(device) == {NEVER_WELL}


def test_containers_before_that_go_on(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    """To start a unit that runs is to do nothing, and it works."""
    monkeypatch.setattr(Change, "_to_stop", lambda _: [])
    assert find(device) == {NEVER_WELL}


def test_recorded_after_the_sector(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    select_before_it_is_recorded(monkeypatch)
    assert find(device) == {NEVER_TRIED}


def test_the_containers_before_are_removed_before_the_sector(
    monkeypatch: pytest.MonkeyPatch, find: Find, device: SmallDevice
) -> None:
    def selected(device_: Device, slot: Slot) -> None:
        device_.registry.remove(device.update.base.path)
        store.collect(device_.registry)
        select(device_, slot)

    monkeypatch.setattr("reconix.device.update.untouched.select", selected)
    assert any("is missing" in each for each in find(device))


def test_more_than_containers_has_changed(
    monkeypatch: pytest.MonkeyPatch, find: Find, tmp_path: Path
) -> None:
    """A kernel that never ran, and containers that are well on another one."""
    with device_with_containers(tmp_path, kernels=True) as device:
        with pytest.raises(NotInPlace):
            find(device)
        monkeypatch.setattr(live, "differ_in_containers", lambda *_: True)
        monkeypatch.setattr(live, "starts_the_same", lambda *_, **__: True)
        assert find(device) == {
            "boots another default system, which was never tried",
            "boots a default system that never ran",
        }
