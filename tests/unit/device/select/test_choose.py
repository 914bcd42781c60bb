"""Which system runs next."""

import pytest
from tests.device_model import Machine

from reconix.boot.trial import OnTrial
from reconix.device.select.choose import choose_always, choose_once
from reconix.device.state.choice import Always, Choice, parse_choice, print_choice, read_choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.apply import apply
from reconix.store.generation import UnknownSystem


def test_a_system_that_is_chosen_once_runs_once(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    assert machine.boot().booted.system == "mqtt"
    assert machine.boot().booted.system == "default"
    assert read_choice(machine.paths.choice) == Choice()


def test_b10_a_boot_that_was_cut_short_does_not_keep_the_system(machine: Machine) -> None:
    """B10: what is armed is gone before anything is loaded that could fail."""
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    machine.firmware()  # and the power goes before the agent runs
    assert machine.boot().booted.system == "default"


def test_a_system_chosen_once_does_not_end_the_one_that_is_wanted_always(
    machine: Machine,
) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
        choose_once(machine.device, "default")
    assert machine.boot().booted.system == "default"
    assert machine.boot().booted.system == "mqtt"


def test_choosing_the_default_system_always_ends_the_wish(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
        choose_always(machine.device, "default")
    assert machine.boot().booted.system == "default"
    assert read_choice(machine.paths.choice) == Choice()


def test_a_system_that_does_not_exist_is_refused_with_those_that_do(machine: Machine) -> None:
    machine.boot()
    with pytest.raises(UnknownSystem) as caught, exclusive_rw(machine.paths):
        choose_once(machine.device, "web")
    assert caught.value.hint == "there are: default, mqtt"


def test_nothing_is_chosen_while_a_trial_is_armed(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations["two"])
        with pytest.raises(OnTrial):
            choose_once(machine.device, "mqtt")


def test_a_choice_reads_back_as_it_was_printed() -> None:
    choice = Choice(once="a", always=Always("b", 2))
    assert parse_choice(print_choice(choice), source="choice") == choice
    assert parse_choice(print_choice(Choice()), source="choice") == Choice()
