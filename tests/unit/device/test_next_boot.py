"""What boots next and why: a case a line, on values; then on a device, by what it really boots."""

from dataclasses import dataclass, replace

import pytest
from tests.device_model import BY_DISK, Machine
from tests.trial_states import ARMED, IDLE, NEW, OLD, ON_TRIAL, ONE, TWO

from reconix.base.documents import print_json
from reconix.boot.oneshots.load_option import print_text
from reconix.boot.oneshots.variables import GLOBAL, LOADER
from reconix.boot.tables import Slot
from reconix.device.next_boot import BootSources, NextBoot, next_boot, read_sources
from reconix.device.select.choose import Reboot, choose_always, choose_once
from reconix.device.select.start import start
from reconix.device.state.choice import Always, Choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.running import BootReason
from reconix.device.update.apply import apply
from reconix.store.tree import File

ALWAYS = Choice(always=Always("web"))
GIVEN_UP = Choice(always=Always("web", failures=3))
ORDINARY = BootSources(ONE, IDLE, Choice(), OLD)


@dataclass(frozen=True)
class Case:
    """What is read, and what boots next."""

    found: BootSources
    slot: Slot
    system: str
    reason: BootReason | None
    is_once: bool = False


CASES = {
    "nothing special": Case(ORDINARY, ONE, "default", BootReason.COMMITTED),
    "armed": Case(
        BootSources(ONE, ARMED, Choice(), NEW, one_shot=TWO), TWO, "default", BootReason.TRIAL, True
    ),
    "armed with a system": Case(
        BootSources(ONE, ARMED, Choice(once="mqtt"), NEW, one_shot=TWO, loader="mqtt"),
        *(TWO, "mqtt", BootReason.TRIAL, True),
    ),
    "armed, and somebody has taken it back": Case(
        BootSources(ONE, ARMED, Choice(), OLD), ONE, "default", BootReason.COMMITTED
    ),
    "on trial, and not confirmed": Case(
        BootSources(ONE, ON_TRIAL, Choice(), OLD), ONE, "default", BootReason.COMMITTED
    ),
    "a slot that somebody else has armed": Case(
        BootSources(ONE, replace(IDLE, contents=ARMED.contents), Choice(), NEW, one_shot=TWO),
        *(TWO, "default", BootReason.TRIAL, True),
    ),
    "chosen once": Case(
        replace(ORDINARY, choice=Choice(once="mqtt"), loader="mqtt"),
        *(ONE, "mqtt", BootReason.ONCE, True),
    ),
    "chosen once, and somebody has taken it back": Case(
        replace(ORDINARY, choice=Choice(once="mqtt")), ONE, "default", BootReason.COMMITTED
    ),
    "chosen always": Case(
        replace(ORDINARY, choice=ALWAYS, loader="web"), ONE, "web", BootReason.ALWAYS
    ),
    "chosen always, and not healthy yet": Case(
        replace(ORDINARY, choice=ALWAYS), ONE, "default", BootReason.COMMITTED
    ),
    "another one once": Case(
        replace(ORDINARY, choice=replace(ALWAYS, once="mqtt"), loader="mqtt"),
        *(ONE, "mqtt", BootReason.ONCE, True),
    ),
    "on trial, and what was chosen for it is used up": Case(
        BootSources(ONE, ON_TRIAL, Choice(once="default"), OLD),
        *(ONE, "default", BootReason.COMMITTED),
    ),
    "the default one chosen once": Case(
        replace(ORDINARY, choice=Choice(once="default"), loader="default"),
        *(ONE, "default", BootReason.ONCE, True),
    ),
    "given up": Case(replace(ORDINARY, choice=GIVEN_UP), ONE, "default", BootReason.COMMITTED),
    "a system that somebody else has asked for": Case(
        replace(ORDINARY, loader="mqtt"), ONE, "mqtt", None, True
    ),
    "given up, and somebody else has asked for it": Case(
        replace(ORDINARY, choice=GIVEN_UP, loader="web"), ONE, "web", None, True
    ),
    "a soft reboot": Case(
        replace(ORDINARY, choice=ALWAYS, loader="web", takes_over=OLD.system("mqtt").toplevel),
        *(ONE, "mqtt", BootReason.SOFT_REBOOT, True),
    ),
    "a soft reboot to a system of no generation": Case(
        replace(ORDINARY, takes_over=NEW.system("mqtt").toplevel),
        *(ONE, "mqtt", BootReason.SOFT_REBOOT, True),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_boots_next(case: Case) -> None:
    found = next_boot(case.found)
    generation = str(case.found.generation.path)
    assert found == NextBoot(generation, case.system, case.slot, case.reason)
    assert found.is_once is case.is_once
    assert found.is_trial is (case.reason is BootReason.TRIAL)


def test_what_leads_elsewhere_is_said() -> None:
    assert next_boot(replace(ORDINARY, astray="a menu")).astray == "a menu"


# -- on a device -----------------------------------------------------------------------------------


def expect(machine: Machine) -> NextBoot:
    """What is said to boot next; it does."""
    said = next_boot(read_sources(machine.device, machine.device.recall()))
    machine.firmware()
    booted = start(machine.device).booted
    assert (said.slot, said.system, said.generation, said.reason) == (
        booted.slot,
        booted.system,
        str(booted.generation),
        booted.reason,
    )
    return said


def arm(machine: Machine, name: str) -> None:
    machine.install(name)
    with exclusive_rw(machine.paths):
        apply(machine.device, machine.generations[name])


def test_what_is_said_to_boot_next_does(machine: Machine) -> None:
    machine.boot()
    assert not expect(machine).is_once
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "mqtt")
    assert expect(machine).is_once
    assert expect(machine).reason is BootReason.COMMITTED
    machine.generation("two")
    arm(machine, "two")
    assert expect(machine).is_trial


def test_a_trial_that_the_disk_remembers_is_next_until_it_has_begun(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", extra={"update.json": File(print_json(BY_DISK))})
    arm(machine, "two")
    assert expect(machine).is_trial
    said = next_boot(read_sources(machine.device, machine.device.recall()))
    assert (said.slot, said.reason) == (1, BootReason.COMMITTED)


def test_what_is_wanted_always_is_next(machine: Machine) -> None:
    machine.boot()
    with exclusive_rw(machine.paths):
        choose_always(machine.device, "mqtt")
    assert expect(machine).reason is BootReason.ALWAYS
    with exclusive_rw(machine.paths):
        choose_once(machine.device, "default", Reboot.SOFT)
    machine.paths.next_system.write_text(
        f"{machine.read(machine.generations['one']).system('default').toplevel}\n"
    )
    said = next_boot(read_sources(machine.device, machine.device.recall()))
    assert (said.system, said.reason) == ("default", BootReason.SOFT_REBOOT)


def test_what_somebody_else_has_asked_for_has_no_reason(machine: Machine) -> None:
    machine.boot()
    machine.variables.set("LoaderEntryDefault", LOADER, print_text("mq*"))
    said = next_boot(read_sources(machine.device, machine.device.recall()))
    assert (said.system, said.reason) == ("mqtt", None)


def test_without_the_disk_it_is_what_the_agent_has_noted(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    state = machine.device.recall()
    (machine.place / "disk").unlink()
    said = next_boot(read_sources(machine.device, state))
    assert (said.slot, said.is_trial) == (2, True)


def test_a_one_shot_for_a_slot_of_which_nothing_is_known_is_none(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    arm(machine, "two")
    assert machine.variables.get("BootNext", GLOBAL) is not None
    state = replace(
        IDLE,
        committed=machine.device.recall().committed,
        contents=(machine.device.recall().committed,),
    )
    said = next_boot(read_sources(machine.device, state))
    assert (said.slot, said.is_trial) == (1, False)
