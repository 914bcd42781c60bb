"""Transitions: a new generation is tried once, and kept only if it passed its trial.

This is the memory of the agent and the rules by which it changes, and nothing else: no disk, no
firmware, no clock. The agent tells what happened (an *event*) and gets the next state, which it
writes down durably before it goes on. What the table does not allow is an error with a name.

    idle ──received─► received ──write begun─► writing ──written─► written ──armed─► armed
     ▲                                                               ▲                 │
     │                                         came back, and may be │        booted in│its slot
     │                                         tried again           │                 ▼
     ├─────────────── confirmed, from the slot under trial ──────────┴───────────── on trial
     │                                                                                 │
     └─────────────── came back in another slot ── rejected ◄─── unhealthy, cancelled ─┘

How the steps of the agent go with it:

* *write begun* is recorded before the first byte is written, and the one-shot of the firmware is
  taken back before that: from then on the slot holds nothing, and nothing may boot it.
* *armed* is recorded before the one-shot of the firmware is set: so attempts are counted.
* The slot is selected before *confirmed* is recorded. A cut in between is found at the next boot:
  the disk selects the slot under trial, so it was confirmed.
* Where a generation changes nothing of what runs, that is recorded (*untouched*), the slot is
  selected, and *adopted* is recorded: *written* leads to *idle* without a boot. A system that it
  changes is *untried* until it has run and is *proved*.

The booted slot tells the rest. In the slot under trial: it runs. In another one while armed or on
trial: the device came back. With a verdict on record it was unhealthy, and that is final. Without
one, power or a hang interrupted it; it may be tried again as often as was allowed when it was
received, unless a panic or a watchdog is known to have ended it, or the firmware is known to have
forgotten what it was told.

Source: ``docs/concepts.md``, *An update*; the table is drawn in ``docs/spec/trial.md``.
Tested by ``tests/unit/boot/test_transitions.py``, with random histories of a whole device.
"""

import re
from collections.abc import Iterable, Mapping
from typing import assert_never

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, replace
from reconix.boot.tables import Slot
from reconix.boot.trial import (
    DEFAULT_ATTEMPTS,
    BadState,
    Outcome,
    Phase,
    Reason,
    Result,
    SlotContent,
    State,
    Trial,
    Verdict,
)


class NotNow(ReconixError):
    """This cannot happen in the phase in which the update is."""

    exit_code = 37

    def __init__(self, phase: Phase, event: "Event") -> None:
        possible = ", ".join(sorted(_words(kind) for kind in TRANSITIONS[phase]))
        super().__init__(
            f"an update that is {phase.value.replace('-', ' ')} cannot be {_words(type(event))}",
            hint=f"possible now: {possible}",
        )
        self.phase, self.event = phase, event


class WrongSlot(ReconixError):
    """Something happened to a slot to which it must not happen."""

    exit_code = 37


@dataclass(frozen=True, slots=True)
class Received:
    """All objects of a generation are on the device and verified."""

    generation: str
    attempts_allowed: int = DEFAULT_ATTEMPTS


@dataclass(frozen=True, slots=True)
class WriteBegun:
    """The content of a slot is about to be replaced."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class Written:
    """The slot holds the image of the generation; it was read back and compared."""


@dataclass(frozen=True, slots=True)
class Armed:
    """The next boot shall be the trial."""


@dataclass(frozen=True, slots=True)
class Booted:
    """The device was booted.

    Args:
        slot: from which it was.
        selected: which slot the table of the disk selects.
        reset_reason: how the boot before ended, if something tells.
        output: the last of what tells.
    """

    slot: Slot
    selected: Slot
    reset_reason: Reason = Reason.UNKNOWN
    output: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """All checks passed, and the disk selects the slot from now on.

    Args:
        slot: from which the device was booted.
    """

    slot: Slot


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """A check failed, or the deadline has passed."""

    what: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An operator has cancelled it, the firmware refuses it, or it failed without a boot."""

    reason: Reason = Reason.OPERATOR
    what: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class Untouched:
    """What runs is the same in the generation that is written, which needs no trial.

    Args:
        untried: the systems that are not, sorted.
    """

    untried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The disk selects the slot from now on, and what runs goes on as a part of what it holds."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A system of the committed generation has come up healthy."""

    system: str


Event = (
    Received
    | WriteBegun
    | Written
    | Armed
    | Booted
    | Confirmed
    | Unhealthy
    | Cancelled
    | Untouched
    | Adopted
    | Proved
)


TRANSITIONS: Mapping[Phase, Mapping[type[Event], tuple[Phase, ...]]] = {
    Phase.IDLE: {
        Received: (Phase.RECEIVED,),
        Booted: (Phase.IDLE,),
        Proved: (Phase.IDLE,),
    },
    Phase.RECEIVED: {
        Received: (Phase.RECEIVED,),
        WriteBegun: (Phase.WRITING,),
        Booted: (Phase.RECEIVED, Phase.IDLE),
        Cancelled: (Phase.IDLE,),
        Proved: (Phase.RECEIVED,),
    },
    Phase.WRITING: {
        Received: (Phase.RECEIVED,),
        WriteBegun: (Phase.WRITING,),
        Written: (Phase.WRITTEN,),
        Booted: (Phase.WRITING, Phase.IDLE),
        Cancelled: (Phase.IDLE,),
        Proved: (Phase.WRITING,),
    },
    Phase.WRITTEN: {
        Received: (Phase.RECEIVED,),
        WriteBegun: (Phase.WRITING,),
        Armed: (Phase.ARMED,),
        Booted: (Phase.WRITTEN, Phase.ON_TRIAL, Phase.IDLE),
        Cancelled: (Phase.IDLE,),
        Untouched: (Phase.WRITTEN,),
        Adopted: (Phase.IDLE,),
        Proved: (Phase.WRITTEN,),
    },
    Phase.ARMED: {
        Armed: (Phase.ARMED,),
        Booted: (Phase.ON_TRIAL, Phase.WRITTEN, Phase.IDLE),
        Cancelled: (Phase.IDLE,),
        Proved: (Phase.ARMED,),
    },
    Phase.ON_TRIAL: {
        Confirmed: (Phase.IDLE,),
        Unhealthy: (Phase.REJECTED,),
        Booted: (Phase.ON_TRIAL, Phase.WRITTEN, Phase.IDLE),
        Cancelled: (Phase.REJECTED,),
    },
    Phase.REJECTED: {
        Unhealthy: (Phase.REJECTED,),
        Booted: (Phase.REJECTED, Phase.IDLE),
        Cancelled: (Phase.REJECTED,),
    },
}
"""What may happen in each phase, and the phases to which it may lead."""


def advance(state: State, event: Event) -> State:
    """The state after something happened.

    Raises:
        NotNow: it cannot happen in this phase.
        WrongSlot: it cannot happen to this slot.
        BadState: the event itself makes no sense.
    """
    allowed = TRANSITIONS[state.phase].get(type(event))
    if allowed is None:
        raise NotNow(state.phase, event)
    following = _after(state, event)
    if following.phase not in allowed:
        raise BadState(f"{event} led from {state.phase.value} to {following.phase.value}")
    return following


def _after(state: State, event: Event) -> State:
    match event:
        case Received():
            return _received(state, event)
        case WriteBegun():
            return _write_begun(state, event)
        case Written():
            return _written(state)
        case Armed():
            return _armed(state)
        case Booted():
            return _booted(state, event)
        case Confirmed():
            return _confirmed(state, event)
        case Unhealthy():
            return _rejected(state, Verdict(Reason.UNHEALTHY, event.what, event.output))
        case Cancelled():
            return _cancelled(state, Verdict(event.reason, event.what, event.output))
        case Untouched() | Adopted() | Proved():
            return _after_no_trial(state, event)
        case _:
            assert_never(event)


def _after_no_trial(state: State, event: Untouched | Adopted | Proved) -> State:
    match event:
        case Untouched():
            return replace(state, trial=replace(_trial(state), untried=event.untried))
        case Adopted():
            return _adopted(state)
        case Proved():
            left = (name for name in state.untried if name != event.system)
            return replace(state, untried=tuple(left))


def ended(before: State, after: State) -> Outcome | None:
    """How a trial has just ended, if one has; it may be as the one before ended."""
    has_ended = before.trial is not None and after.trial is None
    return after.last if has_ended or after.last != before.last else None


def slot_for(state: State, generation: str, slots: Iterable[Slot]) -> Slot:
    """The slot in which a generation should be written: the one where it costs least.

    That is a slot that holds it already, else one that holds nothing, else one that nobody needs,
    else that of the previous generation; never the committed one.

    Raises:
        WrongSlot: there is no other slot.
    """
    idle = [slot for slot in slots if slot != state.committed.slot]
    if not idle:
        raise WrongSlot("the disk has no slot besides the committed one")
    for wish in (generation, None):
        for slot in idle:
            if state.in_slot(slot) == wish:
                return slot
    return next((slot for slot in idle if state.in_slot(slot) != state.previous), idle[0])


def _received(state: State, event: Received) -> State:
    if event.generation == state.committed.generation:
        raise WrongSlot(f"{event.generation} is already committed; there is nothing to try")
    trial = Trial(event.generation, attempts_allowed=event.attempts_allowed)
    return replace(state, phase=Phase.RECEIVED, trial=trial)


def _write_begun(state: State, event: WriteBegun) -> State:
    if event.slot == state.committed.slot:
        raise WrongSlot(f"slot {event.slot} is committed; it must not be written")
    others = tuple(content for content in state.contents if content.slot != event.slot)
    trial = replace(_trial(state), slot=event.slot, untried=None)
    return replace(state, phase=Phase.WRITING, contents=others, trial=trial)


def _written(state: State) -> State:
    trial = _trial(state)
    made = SlotContent(_slot(trial), trial.generation)
    return replace(state, phase=Phase.WRITTEN, contents=tuple(sorted([*state.contents, made])))


def _armed(state: State) -> State:
    if state.phase is Phase.ARMED:
        return state
    trial = _trial(state)
    armed = replace(trial, attempts=trial.attempts + 1, untried=None)
    return replace(state, phase=Phase.ARMED, trial=armed)


def _booted(state: State, event: Booted) -> State:
    if event.selected != state.committed.slot:
        return _found_selected(state, event.selected)
    trial = state.trial
    if trial is None or trial.slot is None or state.phase is Phase.WRITING:
        return state
    if event.slot == trial.slot:
        return _booted_under_trial(state, trial)
    if state.phase is Phase.WRITTEN:
        return state
    if state.verdict is not None:
        return _fell_back(state, state.verdict)
    return _came_back(state, trial, event)


def _found_selected(state: State, selected: Slot) -> State:
    """The disk selects another slot than we know of: a cut after a selection, or somebody else."""
    trial = state.trial
    if trial is None:
        return _rolled_back(state, selected)
    may_boot = state.phase is Phase.ON_TRIAL or trial.untried is not None
    if may_boot and trial.slot == selected:
        return _committed(state, trial)
    if state.phase is Phase.REJECTED and trial.slot == selected:
        raise WrongSlot(
            f"the disk selects slot {selected}, whose generation was rejected",
            hint="select a slot that is known to work",
        )
    return _rolled_back(_fell_back(state, Verdict(Reason.OPERATOR)), selected)


def _booted_under_trial(state: State, trial: Trial) -> State:
    if state.phase is Phase.REJECTED:
        return state
    # Not armed, and yet here: a one-shot that was set by somebody else. It counts all the same.
    begun = replace(trial, attempts=max(1, trial.attempts), untried=None)
    return replace(state, phase=Phase.ON_TRIAL, trial=begun)


def _came_back(state: State, trial: Trial, event: Booted) -> State:
    if event.reset_reason.may_be_repeated and trial.attempts < trial.attempts_allowed:
        return replace(state, phase=Phase.WRITTEN)
    return _fell_back(state, Verdict(event.reset_reason, output=event.output))


def _confirmed(state: State, event: Confirmed) -> State:
    trial = _trial(state)
    if event.slot != trial.slot:
        raise WrongSlot(
            f"slot {event.slot} cannot confirm what is on trial in slot {trial.slot}",
            hint="only the generation under trial may confirm itself",
        )
    return _committed(state, trial)


def _adopted(state: State) -> State:
    trial = _trial(state)
    if trial.untried is None:
        raise WrongSlot(f"{trial.generation} is not what runs; it must be tried first")
    return _committed(state, trial)


def _committed(state: State, trial: Trial) -> State:
    return replace(
        state,
        phase=Phase.IDLE,
        committed=SlotContent(_slot(trial), trial.generation),
        previous=_kept(state, trial),
        trial=None,
        last=Outcome(Result.CONFIRMED, trial.generation),
        untried=trial.untried or (),
    )


def _kept(state: State, trial: Trial) -> str:
    """What can be rolled back to: the generation before, unless a part of that was never tried."""
    is_on_top = trial.untried is not None and bool(state.untried)
    if is_on_top and state.previous not in (None, trial.generation):
        return str(state.previous)
    return state.committed.generation


def _rejected(state: State, verdict: Verdict) -> State:
    if state.phase is Phase.REJECTED:
        return state  # the first verdict counts
    return replace(state, phase=Phase.REJECTED, verdict=verdict)


def _cancelled(state: State, verdict: Verdict) -> State:
    if state.is_on_trial:
        return _rejected(state, verdict)
    return _fell_back(state, verdict)


def _fell_back(state: State, verdict: Verdict) -> State:
    outcome = Outcome(Result.FELL_BACK, _trial(state).generation, verdict)
    return replace(state, phase=Phase.IDLE, trial=None, verdict=None, last=outcome)


def _rolled_back(state: State, slot: Slot) -> State:
    """Another slot is the committed one now, without a trial."""
    generation = state.in_slot(slot)
    if generation is None:
        raise WrongSlot(
            f"the disk selects slot {slot}, whose content is unknown",
            hint="another program changed the partition table; select a known slot again",
        )
    if slot == state.committed.slot:
        return state
    return replace(
        state,
        committed=SlotContent(slot, generation),
        previous=state.committed.generation,
        untried=(),
        last=Outcome(
            Result.FELL_BACK, state.committed.generation, Verdict(Reason.OPERATOR, "rolled back")
        ),
    )


def _trial(state: State) -> Trial:
    if state.trial is None:
        raise BadState("there is no trial")
    return state.trial


def _slot(trial: Trial) -> Slot:
    if trial.slot is None:
        raise BadState("the trial has no slot")
    return trial.slot


def _words(kind: type[Event]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
