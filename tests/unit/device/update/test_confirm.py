"""Who may confirm, and what follows."""

from dataclasses import replace

import pytest
from tests.device_model import Machine, expect_whole

from reconix.boot.transitions import NotNow
from reconix.boot.trial import Phase, read_state
from reconix.device.select.choose import choose_always
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import write_running
from reconix.device.update.apply import apply
from reconix.device.update.confirm import TooLate, confirm


def tried(machine: Machine, name: str) -> None:
    machine.generation(name)
    machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def confirmed(machine: Machine) -> bool:
    with exclusive_rw(machine.paths):
        return confirm(machine.device)


def test_b7_confirming_twice_does_nothing_the_second_time(machine: Machine) -> None:
    """B7"""
    machine.boot()
    tried(machine, "two")
    machine.boot()
    assert confirmed(machine)
    written = (machine.place / "disk").stat().st_mtime_ns
    assert not confirmed(machine)
    assert (machine.place / "disk").stat().st_mtime_ns == written


def test_b7_the_old_generation_cannot_confirm_the_new_one(machine: Machine) -> None:
    """B7: a confirmation from the wrong slot."""
    machine.boot()
    tried(machine, "two")
    with pytest.raises(NotNow):
        confirmed(machine)
    assert machine.selected == 1


def test_b7_a_confirmation_after_the_deadline_is_refused(machine: Machine) -> None:
    """B7: a late confirmation."""
    machine.boot()
    tried(machine, "two")
    write_running(machine.paths, replace(machine.boot().booted, deadline_seconds=0))
    with pytest.raises(TooLate):
        confirmed(machine)
    assert machine.selected == 1
    assert read_state(machine.paths.state).phase is Phase.ON_TRIAL


def test_the_generation_before_is_kept_and_older_ones_go(machine: Machine) -> None:
    machine.boot()
    for name in ("two", "three"):
        tried(machine, name)
        machine.boot()
        confirmed(machine)
    kept = {machine.generations["two"], machine.generations["three"]}
    assert set(machine.device.installed()) == kept
    for manifest in machine.registry.manifests():
        expect_whole(machine.registry, manifest)
    images = {entry.sha256.hex() for m in machine.registry.manifests() for entry in m.images}
    assert {path.name for path in machine.registry.images_dir.iterdir()} == images


def test_the_system_that_is_wanted_always_follows_the_trial(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    machine.boot()
    tried(machine, "two")
    assert machine.boot().booted.system == "mqtt"
    confirmed(machine)
    assert machine.boot().booted.system == "mqtt"
