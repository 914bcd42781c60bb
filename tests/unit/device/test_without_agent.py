"""Systems without the agent, such as those of NixOS: they run, but are never relied on."""

import pytest
from tests.device_model import Machine

from reconix.device.select.choose import choose_always, choose_once
from reconix.device.state.choice import Always, Choice, read_choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.trial.arm import WithoutAgent
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm

SYSTEMS = ("default", "mqtt", "nixos")


@pytest.fixture
def mixed(machine: Machine) -> Machine:
    """A device with a system of NixOS among its own."""
    machine.boot()
    path = machine.generation("two", systems=SYSTEMS, without_agent=["nixos"])
    machine.install("two")
    with exclusive_rw(machine.paths):
        apply(machine.device, path)
    machine.boot()
    with exclusive_rw(machine.paths):
        confirm(machine.device)
    return machine


def test_it_can_be_chosen_once_and_the_device_comes_back(mixed: Machine) -> None:
    with exclusive_rw(mixed.paths):
        choose_once(mixed.device, "nixos")
    status = read_status(mixed.device)
    assert status.next_boot.system == "nixos"
    assert any(line.startswith("next boot  system nixos") for line in status_lines(status))
    assert status_document(status)
    mixed.firmware()  # it runs, and nobody notes it
    assert mixed.boot().booted.system == "default"
    assert read_choice(mixed.paths.choice) == Choice()


def test_it_cannot_be_wanted_always(mixed: Machine) -> None:
    with exclusive_rw(mixed.paths), pytest.raises(WithoutAgent) as caught:
        choose_always(mixed.device, "nixos")
    assert "reconix-device boot nixos" in caught.value.hint
    assert read_choice(mixed.paths.choice).always is None


def test_after_it_the_system_that_is_wanted_always_runs_again(mixed: Machine) -> None:
    with exclusive_rw(mixed.paths):
        choose_always(mixed.device, "mqtt")
    assert mixed.boot().booted.system == "mqtt"
    with exclusive_rw(mixed.paths):
        choose_once(mixed.device, "nixos")
    mixed.firmware()
    started = mixed.boot()
    assert (started.booted.system, started.restart) == ("default", True)
    assert read_choice(mixed.paths.choice) == Choice(always=Always("mqtt", failures=0))
    assert mixed.boot().booted.system == "mqtt"


def test_a_trial_runs_a_system_that_can_prove_itself(mixed: Machine) -> None:
    with exclusive_rw(mixed.paths):
        choose_once(mixed.device, "mqtt")
    assert mixed.boot().booted.system == "mqtt"
    three = mixed.generation("three", systems=("default", "mqtt"), without_agent=["mqtt"])
    mixed.install("three")
    with exclusive_rw(mixed.paths):
        with pytest.raises(WithoutAgent, match="mqtt has no agent"):
            apply(mixed.device, three, system="mqtt")
        assert apply(mixed.device, three) is not None
    assert mixed.boot().booted.system == "default"
