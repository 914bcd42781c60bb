"""The agent is stopped before each step that reaches the disk or the firmware.

``Cut`` counts every such step of the agent, lets ``allowed`` of them happen and stops it dead at
the next one; nothing that it still wants to do afterwards, not even tidying up, happens. Then the
device boots, as the model of the firmware does it from what is there, and the same work is done
again. This proves the order of the steps; that they are durable when they should be, is tested by
the tests of ``base/files.py``, ``boot/`` and ``store/``.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.device_model import Machine

from reconix.boot.trial import Phase, State, print_state, read_state
from reconix.device.device import Device
from reconix.device.select.start import start
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.device.update.collect import collect
from reconix.device.update.confirm import confirm
from reconix.device.update.receive import receive
from reconix.device.update.rollback import rollback
from reconix.nix.chroot import ChrootStore
from reconix.store.verify import verify_all

STEPS = (
    *("fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir"),
    *("write", "pwrite", "pwritev", "ftruncate"),
)

Work = Callable[[Device], object]


class PowerCut(BaseException):
    """Nothing happens any more."""


class Cut:
    """Lets some steps happen and none after them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allowed: int | None = None) -> None:
        self._patch, self.allowed, self.steps = monkeypatch, allowed, 0

    def __enter__(self) -> Self:
        for name in STEPS:
            self._patch.setattr(os, name, self._counted(getattr(os, name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **named: object) -> object:
            if self.allowed is not None and self.steps >= self.allowed:
                raise PowerCut
            self.steps += 1
            return real(*arguments, **named)

        return step


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


def _cut_everywhere(machine: Machine, patch: pytest.MonkeyPatch, work: Work) -> Iterator[Machine]:
    """A copy of the device for each step of the work, stopped there; the last was not stopped."""
    for allowed in range(2000):
        copy = machine.copy(machine.place.with_name(f"cut-{allowed}"))
        finished = False
        with Cut(patch, allowed), contextlib.suppress(PowerCut):
            work(copy.device)
            finished = True
        copy.check_committed()
        if copy.device.firmware.next_slot(copy.device.selection()) is not None:
            assert read_state(copy.paths.state).phase is Phase.ARMED, "a trial that nobody counted"
        yield copy
        copy.remove()
        if finished:
            assert allowed > 3, "the work reached neither disk nor firmware"
            return
    raise AssertionError("the work has no end")


def _apply(machine: Machine, name: str) -> Work:
    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            apply(device, machine.generations[name])

    return work


def _confirm(device: Device) -> None:
    with exclusive_rw(device.paths):
        confirm(device)


def _collect(device: Device) -> None:
    with exclusive_rw(device.paths):
        collect(device, device.recall())


def _rollback(device: Device) -> None:
    with exclusive_rw(device.paths):
        rollback(device)


def _update(machine: Machine, name: str) -> None:
    """Bring a device to a generation without any accident."""
    machine.install(name)
    _apply(machine, name)(machine.device)
    machine.settle()
    _confirm(machine.device)


def _arrive(machine: Machine, name: str) -> State:
    """Start the device and do what is left, until it has committed a generation."""
    goal = str(machine.generations[name])
    for _ in range(6):
        started = machine.settle()
        machine.check_committed()
        state = read_state(machine.paths.state)
        if state.trial is not None and state.trial.slot == started.booted.slot:
            (_confirm if state.trial.generation == goal else _rollback)(machine.device)
            state = read_state(machine.paths.state)
        if state.phase is Phase.REJECTED:
            continue
        if state.committed.generation == goal:
            _collect(machine.device)
            assert str(machine.check_slot(machine.selected).path) == goal
            return state
        _apply(machine, name)(machine.device)
    raise AssertionError(f"the device does not get to generation {name}")


def test_p5_apply_cut_at_any_step_leaves_the_old_generation_and_can_be_repeated(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("two")
    ends = set()
    for device in _cut_everywhere(machine, monkeypatch, _apply(machine, "two")):
        assert device.selected == 1
        ends.add(print_state(_arrive(device, "two")))
    assert len(ends) == 1


def test_p5_no_slot_boots_while_it_is_written(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another generation takes the place of one whose trial is armed."""
    machine.install("two")
    _apply(machine, "two")(machine.device)
    machine.generation("three")
    machine.install("three")
    for device in _cut_everywhere(machine, monkeypatch, _apply(machine, "three")):
        _arrive(device, "three")  # notices if a slot that boots holds no whole generation


def test_p8_confirm_cut_at_any_step_leaves_old_or_new(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("two")
    _apply(machine, "two")(machine.device)
    machine.boot()
    selected, ends = set(), set()
    for device in _cut_everywhere(machine, monkeypatch, _confirm):
        selected.add(device.selected)
        ends.add(print_state(_arrive(device, "two")))
    assert selected == {1, 2}
    assert len(ends) == 1


def test_p8_rollback_cut_at_any_step_leaves_new_or_old(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _update(machine, "two")
    ends = set()
    for device in _cut_everywhere(machine, monkeypatch, _rollback):
        assert device.selected == 2
        ends.add(print_state(_arrive(device, "one")))
    assert len(ends) == 1


def test_p4_collect_cut_at_any_step_keeps_what_boots_and_what_was_before(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _update(machine, "two")
    machine.generation("three")
    machine.install("three")
    installed = set()
    for device in _cut_everywhere(machine, monkeypatch, _collect):
        _collect(device.device)
        kept = {machine.generations["one"], machine.generations["two"]}
        assert {manifest.root for manifest in device.registry.manifests()} == kept
        installed.add(tuple(sorted(entry.name for entry in device.registry.store_dir.iterdir())))
        for manifest in device.registry.manifests():
            assert verify_all(device.registry.store_dir, manifest.objects) == []
    assert len(installed) == 1


def test_b8_start_cut_at_any_step_does_not_keep_the_device_from_coming_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install("two")
    _apply(machine, "two")(machine.device)
    machine.boot()  # and the power goes: the next start arms the trial again
    machine.firmware()
    for device in _cut_everywhere(machine, monkeypatch, start):
        assert device.selected == 1
        _arrive(device, "two")


def test_p1_receive_cut_at_any_step_can_be_repeated(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = machine.stream("one", "two").getvalue()

    def work(device: Device) -> None:
        with exclusive_rw(device.paths):
            receive(device, io.BytesIO(stream).read)

    for device in _cut_everywhere(machine, monkeypatch, work):
        assert device.settle().booted.generation == machine.generations["one"]
        work(device.device)
        _arrive(device, "two")
