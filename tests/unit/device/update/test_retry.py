"""What a device does by itself about a generation that it did not keep."""

from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.status_parts import part
from tests.unit.device.conftest import Units
from tests.unit.device.update.test_repository import Folder

from reconix.boot.trial import Phase, read_state
from reconix.device.__main__ import main
from reconix.device.state.ledger import Left
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.update.retry import (
    FIRST_WAIT_SECONDS,
    MAX_WAIT_SECONDS,
    Waiting,
    held_back,
    seconds_left,
    wait_seconds,
)

NOW = 1_800_000_000


class Clock:
    """The time of day that the agent is told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = float(NOW)
        patch.setattr("time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Fleet:
    """A device that looks for updates by itself, and what is published for it."""

    def __init__(self, machine: Machine, place: Path) -> None:
        self.machine = machine
        self.folder = Folder(machine, place)

    def publish(self, base: str | None, target: str, sequence: int) -> None:
        if target not in self.machine.generations:
            self.machine.generation(target)
        self.folder.add(base, target, sequence)

    def check(self) -> Phase:
        """The timer's unit; and how far an update is then."""
        words = ["update", "--unattended", "--from", str(self.folder.place)]
        assert main(words, self.machine.device) == 0
        return read_state(self.machine.paths.state).phase

    def cut_twice(self) -> None:
        """Both attempts of the trial that is armed are ended by the power."""
        for _ in range(2):
            assert self.machine.boot().booted.slot == 2
            self.machine.boot()
        assert read_state(self.machine.paths.state).phase is Phase.IDLE


@pytest.fixture
def fleet(machine: Machine, tmp_path: Path, units: Units) -> Fleet:
    machine.boot()
    return Fleet(machine, tmp_path / "streams")


def test_a_trial_that_the_power_ended_is_made_again_after_a_wait_that_doubles(
    fleet: Fleet, clock: Clock
) -> None:
    fleet.publish(None, "two", 2)
    assert fleet.check() is Phase.ARMED
    for wait in (FIRST_WAIT_SECONDS, 2 * FIRST_WAIT_SECONDS, 4 * FIRST_WAIT_SECONDS):
        fleet.cut_twice()
        assert fleet.check() is Phase.IDLE, "the wait begins"
        clock.now += wait - 1
        assert fleet.check() is Phase.IDLE
        fleet.machine.boot()  # which does not shorten it
        clock.now += 1
        assert fleet.check() is Phase.ARMED


def test_the_wait_goes_on_for_the_same_content_that_is_published_anew(
    fleet: Fleet, clock: Clock
) -> None:
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.cut_twice()
    assert fleet.check() is Phase.IDLE
    fleet.publish("one", "two", 3)
    assert fleet.check() is Phase.IDLE
    clock.now += FIRST_WAIT_SECONDS
    assert fleet.check() is Phase.ARMED


def test_an_unhealthy_generation_is_never_taken_again_by_itself_and_a_newer_one_is(
    fleet: Fleet, clock: Clock
) -> None:
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.machine.boot()
    assert main(["mark-bad", "--reason", "nginx"], fleet.machine.device) == 0
    fleet.machine.boot()
    clock.now += 10 * MAX_WAIT_SECONDS
    assert fleet.check() is Phase.IDLE
    fleet.publish("one", "two", 3)
    assert fleet.check() is Phase.IDLE, "also not under the same content published anew"
    fleet.publish(None, "three", 4)
    assert fleet.check() is Phase.ARMED


def test_what_somebody_went_back_from_is_not_taken_again_by_itself(
    fleet: Fleet, clock: Clock
) -> None:
    """Also after the way back was confirmed, and after other updates have come and gone."""
    device = fleet.machine.device
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.machine.boot()
    assert main(["confirm"], device) == 0
    assert main(["rollback"], device) == 0
    fleet.machine.boot()
    assert main(["confirm"], device) == 0
    fleet.publish(None, "two", 3)
    assert fleet.check() is Phase.IDLE
    two = fleet.machine.generations["two"]
    assert f"left       {two} (operator)" in status_lines(read_status(device))
    fleet.publish(None, "three", 4)
    assert fleet.check() is Phase.ARMED
    assert main(["rollback"], device) == 0
    assert fleet.check() is Phase.IDLE, "neither what somebody disarmed"


@pytest.mark.parametrize("by", [["apply", "one"], ["rollback"]])
def test_somebody_who_asks_for_it_gets_it_and_then_it_is_not_left_any_more(
    fleet: Fleet, clock: Clock, by: list[str]
) -> None:
    device, names = fleet.machine.device, fleet.machine.generations
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.machine.boot()
    main(["confirm"], device)
    assert main([str(names.get(word, word)) for word in by], device) == 0
    fleet.machine.boot()
    main(["confirm"], device)
    assert fleet.check() is Phase.IDLE
    assert main(["update", "--from", str(fleet.folder.place)], device) == 0
    fleet.machine.boot()
    main(["confirm"], device)
    assert not read_status(device).left


def test_the_status_says_when_it_is_tried_again(fleet: Fleet, clock: Clock) -> None:
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.cut_twice()
    fleet.check()
    clock.now += 60
    status = read_status(fleet.machine.device)
    two = fleet.machine.generations["two"]
    assert part(status_lines(status), "left") == [
        f"left       {two} (unknown)",
        "           retried in 59 minutes",
    ]
    document = status_document(status)
    assert isinstance(document, dict)
    assert document["left"] == [
        {"generation": str(two), "reason": "unknown", "times": 1, "seconds_left": 3540}
    ]


@pytest.mark.parametrize("now", [0, NOW, 1 << 62], ids=["1970", "now", "far ahead"])
def test_t5_no_clock_holds_a_generation_back_longer_than_its_wait(
    machine: Machine, now: int
) -> None:
    each = Left("/nix/store/2-generation-new", "unknown", 3)
    machine.paths.waiting.write_bytes(Waiting(each.generation, 3, now + 10**9).print())
    assert seconds_left(machine.paths, each, now) == 4 * FIRST_WAIT_SECONDS


def test_a_wait_has_an_end_however_often_it_was_doubled() -> None:
    assert wait_seconds(Left("/nix/store/2-x", "unknown", 1 << 60)) == MAX_WAIT_SECONDS
    assert wait_seconds(Left("/nix/store/2-x", "too-hot", 1)) is None


def test_what_gave_way_to_a_newer_update_is_not_held_back(fleet: Fleet, clock: Clock) -> None:
    fleet.publish(None, "two", 2)
    fleet.check()
    fleet.publish(None, "three", 3)
    assert fleet.check() is Phase.ARMED
    two = str(fleet.machine.generations["two"])
    assert held_back(fleet.machine.device, two, clock.now) == ""
