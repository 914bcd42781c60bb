import itertools
import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.base.errors import ReconixError
from reconix.boot.tables import Slot
from reconix.boot.transitions import (
    TRANSITIONS,
    Adopted,
    Armed,
    Booted,
    Cancelled,
    Confirmed,
    Event,
    NotNow,
    Proved,
    Received,
    Unhealthy,
    Untouched,
    WriteBegun,
    Written,
    WrongSlot,
    advance,
    ended,
    slot_for,
)
from reconix.boot.trial import (
    OnTrial,
    Outcome,
    Phase,
    Reason,
    Result,
    SlotContent,
    State,
    Verdict,
    installed,
    parse_state,
    print_state,
)

ONE, TWO, THREE = Slot(1), Slot(2), Slot(3)
TO_TRIAL: list[Event] = [Received("new"), WriteBegun(TWO), Written(), Armed(), Booted(TWO, ONE)]
IDLE = installed("old", ONE)


def history(*events: Event, begin: State = IDLE) -> State:
    state = begin
    for event in events:
        state = advance(state, event)
    return state


ON_TRIAL = history(*TO_TRIAL)
ARMED = history(*TO_TRIAL[:4])
REJECTED = history(*TO_TRIAL, Unhealthy("port 80", "refused"))
OF_PHASE = {
    Phase.IDLE: IDLE,
    Phase.RECEIVED: history(*TO_TRIAL[:1]),
    Phase.WRITING: history(*TO_TRIAL[:2]),
    Phase.WRITTEN: history(*TO_TRIAL[:3]),
    Phase.ARMED: ARMED,
    Phase.ON_TRIAL: ON_TRIAL,
    Phase.REJECTED: REJECTED,
}
EVENTS: list[Event] = [
    Received("newer"),
    WriteBegun(TWO),
    Written(),
    Armed(),
    Booted(ONE, ONE),
    Booted(TWO, ONE),
    Booted(ONE, ONE, Reason.PANIC),
    Confirmed(TWO),
    Unhealthy("x"),
    Cancelled(),
    Untouched(("b",)),
    Adopted(),
    Proved("b"),
]


def test_a_generation_that_proves_itself_is_committed() -> None:
    done = history(*TO_TRIAL, Confirmed(TWO))
    assert done.committed == SlotContent(TWO, "new") and done.previous == "old"
    assert done.phase is Phase.IDLE and done.last == Outcome(Result.CONFIRMED, "new")
    assert done.needed == ("new", "old")


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, EVENTS)), ids=str)
def test_every_event_in_every_phase_changes_the_state_or_has_a_named_error(
    phase: Phase, event: Event
) -> None:
    state = OF_PHASE[phase]
    assert state.phase is phase
    if isinstance(event, Adopted) and phase is Phase.WRITTEN:
        state = advance(state, Untouched(()))
    if type(event) in TRANSITIONS[phase]:
        assert advance(state, event).phase in TRANSITIONS[phase][type(event)]
    else:
        with pytest.raises(NotNow, match=phase.value.replace("-", " ")) as caught:
            advance(state, event)
        assert caught.value.hint.startswith("possible now: ")


@pytest.mark.parametrize("phase", Phase, ids=str)
def test_nothing_else_is_begun_while_a_trial_runs_or_is_next(phase: Phase) -> None:
    state = OF_PHASE[phase]
    runs = phase in (Phase.ON_TRIAL, Phase.REJECTED)
    with pytest.raises(OnTrial, match="new") if runs else nullcontext():
        state.expect_not_on_trial()
    with pytest.raises(OnTrial, match="new") if runs or phase is Phase.ARMED else nullcontext():
        state.expect_no_trial()


@pytest.mark.parametrize(
    ("phase", "event", "possible"),
    [
        (Phase.IDLE, Written(), "booted, proved, received"),
        (Phase.ARMED, Received("newer"), "armed, booted, cancelled, proved"),
        (Phase.RECEIVED, Confirmed(TWO), "booted, cancelled, proved, received, write begun"),
    ],
)
def test_what_cannot_happen_now_is_told_with_what_can(
    phase: Phase, event: Event, possible: str
) -> None:
    with pytest.raises(NotNow) as caught:
        advance(OF_PHASE[phase], event)
    assert caught.value.hint == f"possible now: {possible}"


def test_b6_an_unhealthy_generation_is_left_with_the_check_and_its_output() -> None:
    back = history(*TO_TRIAL, Unhealthy("port 80", "refused"), Booted(ONE, ONE))
    assert back.committed == SlotContent(ONE, "old")
    verdict = Verdict(Reason.UNHEALTHY, "port 80", "refused")
    assert back.last == Outcome(Result.FELL_BACK, "new", verdict)


def test_b6_an_unhealthy_generation_is_never_tried_again() -> None:
    assert advance(REJECTED, Booted(TWO, ONE)).phase is Phase.REJECTED
    assert advance(REJECTED, Booted(ONE, ONE, Reason.UNKNOWN)).phase is Phase.IDLE
    with pytest.raises(NotNow):
        advance(REJECTED, Confirmed(TWO))


def test_b6_the_first_verdict_counts() -> None:
    assert history(Unhealthy("later"), Cancelled(), begin=REJECTED) == REJECTED


def test_b7_only_the_slot_under_trial_confirms() -> None:
    with pytest.raises(WrongSlot, match="slot 1 cannot confirm"):
        advance(ON_TRIAL, Confirmed(ONE))


def test_b7_nothing_is_confirmed_twice_or_late() -> None:
    with pytest.raises(NotNow):
        advance(advance(ON_TRIAL, Confirmed(TWO)), Confirmed(TWO))
    with pytest.raises(NotNow):
        advance(advance(REJECTED, Booted(ONE, ONE)), Confirmed(TWO))


@pytest.mark.parametrize("state", [ARMED, ON_TRIAL], ids=["before", "after"])
def test_b8_a_trial_cut_by_power_is_repeated_as_often_as_allowed(state: State) -> None:
    again = advance(state, Booted(ONE, ONE))
    assert again.phase is Phase.WRITTEN and again.last is None
    back = history(Armed(), Booted(TWO, ONE), Booted(ONE, ONE, Reason.UNKNOWN), begin=again)
    assert back.last == Outcome(Result.FELL_BACK, "new", Verdict(Reason.UNKNOWN))


def test_b8_as_many_attempts_are_made_as_were_allowed_when_it_was_received() -> None:
    state = history(Received("new", attempts_allowed=3), *TO_TRIAL[1:3])
    for _ in range(2):
        state = history(Armed(), Booted(TWO, ONE), Booted(ONE, ONE), begin=state)
        assert state.phase is Phase.WRITTEN
    assert history(Armed(), Booted(TWO, ONE), Booted(ONE, ONE), begin=state).phase is Phase.IDLE


def test_b8_a_trial_that_somebody_else_began_is_an_attempt() -> None:
    begun = advance(OF_PHASE[Phase.WRITTEN], Booted(TWO, ONE))
    assert begun.phase is Phase.ON_TRIAL
    assert begun.trial and begun.trial.attempts == 1


def test_b8_writing_the_slot_again_gives_no_new_attempts() -> None:
    again = history(Booted(ONE, ONE), WriteBegun(TWO), Written(), Armed(), begin=ARMED)
    assert advance(again, Booted(ONE, ONE)).phase is Phase.IDLE


@pytest.mark.parametrize("reset_reason", [Reason.PANIC, Reason.HANG])
def test_b5_a_panic_or_a_hang_is_not_repeated(reset_reason: Reason) -> None:
    back = advance(ON_TRIAL, Booted(ONE, ONE, reset_reason, "the last line"))
    verdict = Verdict(reset_reason, output="the last line")
    assert back.last == Outcome(Result.FELL_BACK, "new", verdict)


def test_p8_a_cut_after_the_switch_and_before_its_record_is_a_confirmation() -> None:
    cut = advance(ON_TRIAL, Booted(TWO, selected=TWO))
    assert cut == advance(ON_TRIAL, Confirmed(TWO))


def test_p8_a_slot_that_somebody_else_selects_is_the_committed_one() -> None:
    confirmed = history(*TO_TRIAL, Confirmed(TWO))
    back = advance(confirmed, Booted(ONE, selected=ONE))
    assert (back.phase, back.committed) == (Phase.IDLE, SlotContent(ONE, "old"))
    assert back.previous == "new"
    assert back.last == Outcome(Result.FELL_BACK, "new", Verdict(Reason.OPERATOR, "rolled back"))


def test_p8_an_update_that_waits_is_over_when_somebody_selects_another_slot() -> None:
    confirmed = history(*TO_TRIAL, Confirmed(TWO))
    waits = history(Received("newer"), WriteBegun(THREE), Written(), begin=confirmed)
    back = advance(waits, Booted(ONE, selected=ONE))
    assert (back.phase, back.trial) == (Phase.IDLE, None)
    assert (back.committed, back.previous) == (SlotContent(ONE, "old"), "new")


WRITTEN = OF_PHASE[Phase.WRITTEN]
UNTOUCHED = history(Untouched(("a", "b")), begin=WRITTEN)


def test_a_generation_that_touches_nothing_that_runs_is_committed_without_a_boot() -> None:
    done = history(Adopted(), begin=UNTOUCHED)
    assert (done.phase, done.committed) == (Phase.IDLE, SlotContent(TWO, "new"))
    assert (done.previous, done.untried) == ("old", ("a", "b"))
    assert ended(UNTOUCHED, done) == Outcome(Result.CONFIRMED, "new")


def test_no_other_one_is() -> None:
    with pytest.raises(WrongSlot, match="it must be tried first"):
        advance(WRITTEN, Adopted())
    for step in (Armed(), Booted(TWO, ONE), WriteBegun(THREE)):
        assert (now := advance(UNTOUCHED, step).trial) and now.untried is None, step


def test_p8_a_cut_after_the_switch_and_before_it_is_recorded_is_an_adoption() -> None:
    cut = advance(UNTOUCHED, Booted(TWO, selected=TWO))
    assert cut == advance(UNTOUCHED, Adopted())
    before = advance(UNTOUCHED, Booted(ONE, selected=ONE))
    assert before == UNTOUCHED


def test_a_system_is_proved_once_and_another_one_is_not_with_it() -> None:
    done = history(Adopted(), Proved("a"), Proved("a"), begin=UNTOUCHED)
    assert done.untried == ("b",)
    assert advance(done, Proved("b")).untried == ()


def test_what_was_tried_wholly_is_kept_under_what_was_not() -> None:
    def on_top(name: str, slot: Slot, begin: State) -> State:
        steps = Received(name), WriteBegun(slot), Written(), Untouched(("b",)), Adopted()
        return history(*steps, begin=begin)

    once = history(Adopted(), begin=UNTOUCHED)
    twice = on_top("newer", ONE, once)
    assert (twice.previous, twice.committed.generation) == ("old", "newer")
    assert twice.needed == ("newer", "old")
    proved = history(Proved("b"), begin=twice)
    assert on_top("newest", TWO, proved).previous == "newer"
    assert on_top("old", TWO, twice).previous == "newer"


def test_a_trial_that_is_confirmed_counts_for_all_systems() -> None:
    once = history(Adopted(), begin=UNTOUCHED)
    steps = Received("newer"), WriteBegun(ONE), Written(), Armed(), Booted(ONE, TWO), Confirmed(ONE)
    tried = history(*steps, begin=once)
    assert (tried.previous, tried.untried) == ("new", ())


@pytest.mark.parametrize("event", [Booted(ONE, ONE, Reason.PANIC), Confirmed(TWO)], ids=str)
def test_a_trial_ends_once_and_its_outcome_is_told_then(event: Event) -> None:
    after = advance(ON_TRIAL, event)
    assert after.last and ended(ON_TRIAL, after) == after.last
    assert ended(after, advance(after, Booted(ONE, after.committed.slot))) is None
    assert ended(IDLE, OF_PHASE[Phase.RECEIVED]) is None


def test_a_trial_that_ends_as_the_one_before_is_told_all_the_same() -> None:
    once = history(*TO_TRIAL, Booted(ONE, ONE, Reason.PANIC))
    begun = history(*TO_TRIAL, begin=once)
    twice = advance(begun, Booted(ONE, ONE, Reason.PANIC))
    assert twice.last == once.last
    assert ended(begun, twice) == twice.last


def test_what_is_rolled_back_without_a_trial_is_told() -> None:
    confirmed = history(*TO_TRIAL, Confirmed(TWO))
    back = advance(confirmed, Booted(ONE, selected=ONE))
    assert ended(confirmed, back) == back.last != confirmed.last


def test_a_rejected_generation_that_the_disk_selects_is_an_error() -> None:
    with pytest.raises(WrongSlot, match="rejected"):
        advance(REJECTED, Booted(TWO, selected=TWO))


@pytest.mark.parametrize("phase", Phase)
def test_a_slot_that_nobody_knows_is_never_adopted(phase: Phase) -> None:
    with pytest.raises(WrongSlot, match="whose content is unknown"):
        advance(OF_PHASE[phase], Booted(THREE, selected=THREE))


def test_c1_a_newer_generation_replaces_one_that_waits_but_none_that_is_armed() -> None:
    for phase in (Phase.RECEIVED, Phase.WRITING, Phase.WRITTEN):
        newer = advance(OF_PHASE[phase], Received("newer"))
        assert newer.trial and newer.trial.generation == "newer"
    for phase in (Phase.ARMED, Phase.ON_TRIAL, Phase.REJECTED):
        with pytest.raises(NotNow):
            advance(OF_PHASE[phase], Received("newer"))


def test_an_update_that_was_cancelled_says_so() -> None:
    for phase in (Phase.RECEIVED, Phase.WRITING, Phase.WRITTEN, Phase.ARMED):
        cancelled = advance(OF_PHASE[phase], Cancelled(Reason.FIRMWARE, "it forgot"))
        verdict = Verdict(Reason.FIRMWARE, "it forgot")
        assert cancelled.last == Outcome(Result.FELL_BACK, "new", verdict)
    assert advance(ON_TRIAL, Cancelled()).verdict == Verdict(Reason.OPERATOR)


def test_p5_a_slot_that_is_being_written_holds_nothing() -> None:
    confirmed = history(*TO_TRIAL, Confirmed(TWO))
    writing = history(Received("newer"), WriteBegun(ONE), begin=confirmed)
    assert writing.in_slot(ONE) is None and writing.in_slot(TWO) == "new"
    assert writing.needed == ("new", "newer", "old")
    with pytest.raises(WrongSlot, match="is committed"):
        advance(writing, WriteBegun(TWO))


def test_what_is_committed_is_not_tried() -> None:
    with pytest.raises(WrongSlot, match="nothing to try"):
        advance(IDLE, Received("old"))


def test_the_slot_to_write_is_the_one_that_is_needed_least() -> None:
    slots = (ONE, TWO, THREE)
    assert slot_for(IDLE, "new", slots) == TWO
    confirmed = history(*TO_TRIAL, Confirmed(TWO))
    assert slot_for(confirmed, "new", (ONE, TWO)) == ONE
    assert slot_for(confirmed, "newer", slots) == THREE
    assert slot_for(confirmed, "old", slots) == ONE
    third = history(
        Received("newer"), WriteBegun(THREE), Written(), Armed(), Booted(THREE, TWO),
        Confirmed(THREE), begin=confirmed,
    )  # fmt: skip
    assert slot_for(third, "newest", slots) == slot_for(third, "newest", slots[::-1]) == ONE
    with pytest.raises(WrongSlot):
        slot_for(IDLE, "new", (ONE,))


# -- random histories ------------------------------------------------------------------------------


@dataclass
class Device:
    """A device with an agent that follows the rules, and a world that does not care for it."""

    state: State = IDLE
    selected: Slot = ONE
    booted: Slot = ONE
    slots: dict[Slot, str] = field(default_factory=lambda: {ONE: "old"})
    one_shot: Slot | None = None
    ran: set[str] = field(default_factory=lambda: {"old"})
    rejected: set[str] = field(default_factory=set)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def tell(self, event: Event) -> None:
        self.state = advance(self.state, event)
        assert parse_state(print_state(self.state), source="state.json") == self.state

    def receive(self) -> None:
        self.tell(Received(f"generation-{next(self.numbers)}"))

    def write(self) -> None:
        self.begin_to_write()
        trial = self.state.trial
        assert trial and trial.slot
        self.slots[trial.slot] = trial.generation
        self.tell(Written())

    def begin_to_write(self) -> None:
        trial = self.state.trial
        slot = slot_for(self.state, trial.generation if trial else "", (ONE, TWO, THREE))
        self.tell(WriteBegun(slot))
        self.slots.pop(slot, None)

    def arm(self) -> None:
        self.arm_but_cut_before_the_firmware_knows()
        assert self.state.trial
        self.one_shot = self.state.trial.slot

    def arm_but_cut_before_the_firmware_knows(self) -> None:
        self.tell(Armed())

    def boot(self) -> None:
        # A firmware that cannot boot what it was told once boots what it always boots.
        told = self.one_shot if self.one_shot in self.slots else None
        self.booted, self.one_shot = told or self.selected, None
        self.ran.add(self.slots[self.booted])
        self.tell(Booted(self.booted, self.selected))

    def somebody_chooses_the_last_slot_in_the_firmware(self) -> None:
        self.one_shot = max(self.slots)

    def confirm(self) -> None:
        advance(self.state, Confirmed(self.booted))  # asked before the slot is selected
        self.selected = self.booted
        self.tell(Confirmed(self.booted))

    def confirm_but_cut_before_the_record(self) -> None:
        advance(self.state, Confirmed(self.booted))
        self.selected = self.booted
        self.boot()

    def adopt(self) -> None:
        self.adopt_but_cut_before_the_slot_is_selected()
        advance(self.state, Adopted())
        self.select_what_needs_no_trial()
        self.tell(Adopted())

    def adopt_but_cut_before_the_slot_is_selected(self) -> None:
        self.tell(Untouched(("b",)))

    def adopt_but_cut_before_the_record(self) -> None:
        self.adopt_but_cut_before_the_slot_is_selected()
        advance(self.state, Adopted())
        self.select_what_needs_no_trial()
        self.boot()

    def select_what_needs_no_trial(self) -> None:
        trial = self.state.trial
        if trial is None or trial.slot is None or trial.untried is None:
            raise StopIteration
        self.selected = trial.slot
        self.ran.add(trial.generation)  # what boots of it is what runs

    def prove(self) -> None:
        self.tell(Proved("b"))

    def reject(self) -> None:
        self.tell(Unhealthy("a check", "what it said"))
        self.rejected.add(self.slots[self.booted])

    def cancel(self) -> None:
        self.tell(Cancelled())
        self.one_shot = None

    def somebody_selects_the_previous_slot(self) -> None:
        if self.state.phase is not Phase.IDLE:
            raise StopIteration
        self.selected = next(
            slot for slot, held in self.slots.items() if held == self.state.previous
        )
        self.boot()

    def go_on(self) -> None:
        """What an agent does when nothing disturbs it."""
        getattr(self, NEXT_STEP[self.state.phase])()


NEXT_STEP = {
    Phase.IDLE: "receive",
    Phase.RECEIVED: "write",
    Phase.WRITING: "write",
    Phase.WRITTEN: "arm",
    Phase.ARMED: "boot",
    Phase.ON_TRIAL: "confirm",
    Phase.REJECTED: "boot",
}
STEPS = [name for name in vars(Device) if not name.startswith("_") and callable(vars(Device)[name])]
STEPS.remove("tell")
STEPS.remove("select_what_needs_no_trial")


@settings(max_examples=400)
@given(steps=st.lists(st.just("go_on") | st.just("boot") | st.sampled_from(STEPS), max_size=60))
def test_no_history_loses_the_committed_slot_or_confirms_what_did_not_run(
    steps: list[str],
) -> None:
    device = Device()
    for step in steps:
        before = device.selected
        try:
            getattr(device, step)()
        except (ReconixError, StopIteration):
            assert device.selected == before and step != "boot"
        committed = device.state.committed
        assert device.slots[device.selected], "what the disk selects can be booted"
        assert device.slots[committed.slot] == committed.generation
        assert committed.generation in device.ran
        assert committed.generation not in device.rejected
        assert device.slots[device.selected] in device.ran - device.rejected
        assert all(device.slots.get(c.slot) == c.generation for c in device.state.contents)


def test_random_histories_reach_every_phase_and_outcome() -> None:
    device = Device()
    for step in ["receive", "write", "arm", "boot", "confirm", "boot"]:
        getattr(device, step)()
    device.somebody_selects_the_previous_slot()
    assert device.selected == ONE and device.state.last
    assert device.state.last.verdict == Verdict(Reason.OPERATOR, "rolled back")


# -- the specification -----------------------------------------------------------------------------


KINDS = list(dict.fromkeys(type(event) for event in EVENTS))
SPECIFICATION = Path(__file__).parents[3] / "docs" / "spec" / "trial.md"
BEGIN, END = "<!-- transitions: begin", "<!-- transitions: end -->"


def spelled_table() -> str:
    kinds = sorted({kind for row in TRANSITIONS.values() for kind in row}, key=KINDS.index)
    lines = [["", *(kind.__name__ for kind in kinds)], ["---"] * (len(kinds) + 1)]
    for phase, row in TRANSITIONS.items():
        cells = (", ".join(to.value for to in row.get(kind, ())) for kind in kinds)
        lines.append([phase.value, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("  ", " ")


def test_the_specification_has_the_table_that_the_code_has() -> None:
    text = SPECIFICATION.read_text()
    begin = text.index("\n", text.index(BEGIN)) + 1
    written = text[:begin] + spelled_table() + text[text.index(END) :]
    if os.environ.get("ACCEPT"):
        SPECIFICATION.write_text(written)
    assert SPECIFICATION.read_text() == written
