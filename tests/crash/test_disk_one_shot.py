"""A trial that the disk remembers is left like one that the firmware remembers.

The initrd's part is that of the real script; see ``tests/device_model.py``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_cuts import Work, arrive, cut_everywhere, do_apply, do_confirm, do_rollback
from tests.device_model import BY_DISK, Machine

from reconix.base.documents import BadDocument, JsonInput, print_json
from reconix.boot.disk import DiskFile
from reconix.boot.tables import read_selection
from reconix.boot.trial import Outcome, Phase, Reason, Result, print_state, read_state
from reconix.device.device import Device
from reconix.device.select.start import start
from reconix.device.select.watch import watch
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import File

POLICY = File(print_json(BY_DISK))
LENIENT: JsonInput = {"timeout_seconds": 300, "checks": []}
"""Time enough to cut a confirmation at every step of it, on a loaded machine too."""
SICK: JsonInput = {
    "timeout_seconds": 1,
    "checks": [{"kind": "command", "command": ["/bin/false"]}],
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A device that runs generation one; two and a sick one ask for no variable."""
    with ChrootStore(tmp_path / "build") as store:
        machine = Machine.make(tmp_path / "device", store)
        machine.generation("two", extra={"update.json": POLICY}, health=LENIENT)
        machine.generation("sick", extra={"update.json": POLICY}, health=SICK)
        for name in ("two", "sick"):
            machine.install(name)
        machine.boot()
        yield machine


def last(machine: Machine) -> Outcome:
    found = read_state(machine.paths.state).last
    assert found is not None
    return found


def test_a_trial_takes_no_variable_and_is_kept_when_it_is_confirmed(machine: Machine) -> None:
    before = sorted(path.name for path in machine.paths.efivars.iterdir())
    do_apply(machine, "two")(machine.device)
    assert machine.selected == 2, "as weak as that"
    assert sorted(path.name for path in machine.paths.efivars.iterdir()) == before
    assert machine.boot().booted.generation == machine.generations["two"]
    do_confirm(machine.device)
    assert not machine.paths.disk_one_shot.exists()
    assert machine.boot().booted.generation == machine.generations["two"]
    assert last(machine).result is Result.CONFIRMED


def test_what_is_not_healthy_is_left_once_and_for_all(machine: Machine) -> None:
    do_apply(machine, "sick")(machine.device)
    assert machine.boot().booted.slot == 2
    assert not watch(machine.device)
    back = machine.boot()
    assert (back.booted.slot, back.restart, machine.selected) == (1, False, 1)
    verdict = last(machine).verdict
    assert verdict is not None and verdict.reason is Reason.UNHEALTHY
    assert not machine.paths.disk_one_shot.exists()
    assert [machine.boot().booted.slot for _ in range(3)] == [1, 1, 1]


def test_b8_what_never_reaches_a_verdict_is_tried_as_often_as_allowed(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    boots = [machine.boot() for _ in range(6)]
    assert [boot.booted.slot for boot in boots] == [2, 1, 2, 1, 1, 1]
    assert (last(machine).result, machine.selected) == (Result.FELL_BACK, 1)


def test_b5_what_hangs_before_its_agent_is_left_by_the_next_initrd(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    machine.firmware()
    assert machine.selected == 2
    machine.firmware()
    assert machine.selected == 1


def test_an_operator_may_want_it_no_more(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    do_rollback(machine.device)
    assert machine.selected == 1
    assert read_state(machine.paths.state).phase is Phase.IDLE
    assert machine.boot().booted.slot == 1


def test_a_firmware_that_does_not_say_which_slot_it_took_is_no_obstacle(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    machine.firmware()
    for path in machine.paths.efivars.iterdir():
        path.unlink()
    assert start(machine.device).booted.slot == 2


@pytest.mark.parametrize("work", ["apply again", "confirm", "rollback"])
def test_p6_p8_a_cut_at_any_step_leaves_old_or_new(machine: Machine, work: str) -> None:
    does: dict[str, Work] = {
        "apply again": do_apply(machine, "two"),
        "confirm": do_confirm,
        "rollback": do_rollback,
    }
    do_apply(machine, "two")(machine.device)
    if work == "confirm":
        machine.boot()
    ends = set()
    for device in cut_everywhere(machine, does[work]):
        ends.add(print_state(arrive(device, "two")))
        assert not device.paths.disk_one_shot.exists()
    assert len(ends) == 1


def test_b8_a_start_that_is_cut_at_any_step_comes_back(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    machine.boot()
    machine.firmware()  # and the power goes: the next start arms the trial again

    def work(device: Device) -> None:
        start(device)

    for device in cut_everywhere(machine, work):
        arrive(device, "two")


def cuts_of_the_initrd(machine: Machine, tmp_path: Path) -> Iterator[Machine]:
    """A copy for each step of the initrd after which the power fails."""
    for allowed in range(99):
        copy = machine.copy(tmp_path / f"cut-{allowed}")
        steps = len(copy_of_count(copy, allowed))
        yield copy
        copy.remove()
        if steps <= allowed:
            assert allowed >= 3
            return
    raise AssertionError("the initrd has no end")


def copy_of_count(machine: Machine, allowed: int) -> list[str]:
    machine.begin_trial(allowed=allowed)
    return (machine.paths.run / "count").read_text().splitlines()


@pytest.mark.parametrize("boots", [0, 1], ids=["begins", "goes back"])
def test_p6_p10_an_initrd_that_is_cut_leaves_a_table_and_an_end(
    machine: Machine, tmp_path: Path, boots: int
) -> None:
    do_apply(machine, "two")(machine.device)
    for _ in range(boots):
        machine.firmware()
    for device in cuts_of_the_initrd(machine, tmp_path):
        with DiskFile(device.place / "disk") as disk:
            assert read_selection(disk).slot in (1, 2)
        slots = [device.boot().booted.slot for _ in range(6)]
        assert slots[-2:] == [1, 1], "nobody confirmed it"


def test_a_disk_that_does_not_take_the_way_back_is_no_reason_to_restart_for_ever(
    machine: Machine,
) -> None:
    do_apply(machine, "two")(machine.device)
    machine.firmware()
    (machine.paths.disk_one_shot / "primary").unlink()
    machine.firmware()
    assert "cannot be left" in machine.paths.faults.read_text()
    start(machine.device)
    assert not watch(machine.device), "and it is not kept"


def test_a_way_back_that_cannot_be_read_confirms_nothing(machine: Machine) -> None:
    do_apply(machine, "two")(machine.device)
    machine.firmware()
    (machine.paths.disk_one_shot / "slots").write_text("2\n")
    with pytest.raises(BadDocument):
        machine.device.disk_one_shot.read()
    with pytest.raises(BadDocument):
        start(machine.device)
    machine.firmware()
    assert machine.selected == 1, "the next initrd needs only the sectors"


def test_a_trial_of_the_firmware_is_as_it_was(machine: Machine) -> None:
    machine.generation("three")
    machine.install("three")
    do_apply(machine, "three")(machine.device)
    assert machine.selected == 1
    assert machine.device.firmware.next_slot(machine.device.selection()) is not None


def test_w3_a_way_back_that_a_newer_agent_has_left_leads_back(machine: Machine) -> None:
    """It may say more than an older initrd and an older agent know."""
    do_apply(machine, "two")(machine.device)
    for name in ("slots", "sectors"):
        path = machine.paths.disk_one_shot / name
        path.write_text(path.read_text().replace("\n", " more\n") + "more\n" * (name == "slots"))
    (machine.paths.disk_one_shot / "more").touch()
    assert machine.boot().booted.slot == 2
    machine.firmware()  # nobody has confirmed it: the initrd leads back
    assert machine.selected == 1
    started = start(machine.device)
    assert (started.booted.slot, started.restart) == (1, True), "a trial that was cut short"
    assert not (machine.paths.disk_one_shot / "more").exists()
