"""What the agent remembers: which slot holds what, and how far an update is.

One small document on the system partition, replaced as a whole at each step. It is valid by
construction: a state in which the committed slot is under trial, or an update has a phase but no
generation, cannot be made, neither by the rules nor by reading a file. The rules by which it
changes are in ``boot/transitions.py``.

A newer agent may have written it: the one of the generation that this device came back from. What
it says with words of its own is kept, a key (``rest``) as long as the object in which it stands, a
reason or result as the word that it is (``Unlisted``).

Format: ``docs/spec/trial.md``; what holds over releases: ``docs/spec/memory.md``.
Tested by ``tests/unit/boot/test_trial.py`` and ``tests/unit/device/test_releases.py``.
"""

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from reconix.base.documents import Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded, write_durably
from reconix.base.records import dataclass, field, replace
from reconix.boot.tables import MAX_SLOTS, Slot

VERSION = 1
DEFAULT_ATTEMPTS = 2
MAX_ATTEMPTS = 10
MAX_STATE_BYTES = 256 << 10
"""Of what is read; what is written is at most half of that, whatever a check has said."""

MAX_OUTPUT_CHARACTERS = 4000

_GENERATION = re.compile(r"[^\x00-\x20\x7f]{1,300}")


_Vocabulary = TypeVar("_Vocabulary", bound=Enum)
Rest = Mapping[str, JsonInput]
"""Fields that a newer agent has added. They are no part of a value, and stay as long as it does."""


class Phase(Enum):
    """How far an update is."""

    IDLE = "idle"
    RECEIVED = "received"
    WRITING = "writing"
    WRITTEN = "written"
    ARMED = "armed"
    ON_TRIAL = "on-trial"
    REJECTED = "rejected"


class Reason(Enum):
    """Why a device came back to the old generation, or left a system."""

    UNHEALTHY = "unhealthy"
    PANIC = "panic"
    HANG = "hang"
    OPERATOR = "operator"
    FIRMWARE = "firmware"
    SUPERSEDED = "superseded"
    UNCONFIRMED = "unconfirmed"
    UNKNOWN = "unknown"

    @property
    def may_be_repeated(self) -> bool:
        """Whether the generation need not be the cause."""
        return self is Reason.UNKNOWN


class Result(Enum):
    """How a trial ended."""

    CONFIRMED = "confirmed"
    FELL_BACK = "fell-back"


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A word of a newer agent for which this one has none. It is kept as it stands."""

    value: str

    @property
    def may_be_repeated(self) -> bool:
        """Nobody here knows that the generation was not the cause."""
        return False


class OnTrial(ReconixError):
    """A generation is on trial, and nothing else can be begun."""

    exit_code = 74

    def __init__(self, generation: str) -> None:
        super().__init__(
            f"{generation} is on trial",
            hint="wait until it is confirmed, or leave it with `reconix-device rollback`",
        )


class BadState(ReconixError):
    """What the agent remembers contradicts itself."""

    exit_code = 37


@dataclass(frozen=True, slots=True, order=True)
class SlotContent:
    """A slot and the generation whose image it holds."""

    slot: Slot
    generation: str
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_slot(self.slot)
        _check_generation(self.generation)


@dataclass(frozen=True, slots=True)
class Trial:
    """A generation on its way to be tried."""

    generation: str
    slot: Slot | None = None  # known as soon as it is being written
    attempts: int = 0
    attempts_allowed: int = DEFAULT_ATTEMPTS
    untried: tuple[str, ...] | None = None  # with what runs untouched: what else has changed
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_generation(self.generation)
        if self.slot is not None:
            _check_slot(self.slot)
        if not 0 <= self.attempts <= self.attempts_allowed <= MAX_ATTEMPTS:
            raise BadState(f"attempt {self.attempts} of {self.attempts_allowed} at most")
        if self.attempts_allowed == 0:
            raise BadState("a generation that may never be tried")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a generation is not kept: the reason, and what failed with the last of what it said."""

    reason: Reason | Unlisted
    what: str = ""
    output: str = ""
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", self.what[:MAX_OUTPUT_CHARACTERS])
        object.__setattr__(self, "output", self.output[-MAX_OUTPUT_CHARACTERS:])

    def document(self) -> dict[str, JsonInput]:
        """As a part of a document."""
        return {
            **self.rest,
            "reason": self.reason.value,
            "what": self.what,
            "said": self.output,
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last trial ended."""

    result: Result | Unlisted
    generation: str
    verdict: Verdict | None = None
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_generation(self.generation)
        if isinstance(self.result, Unlisted):
            return  # whether it has a reason is not known
        if (self.verdict is None) != (self.result is Result.CONFIRMED):
            raise BadState("only a fall-back has a reason, and always one")


@dataclass(frozen=True, slots=True)
class State:
    """All that the agent remembers about its slots; valid by construction.

    Args:
        committed: what the disk boots when nobody says otherwise.
        contents: which slots hold which generation, read back and compared; sorted.
        previous: the generation to which one can roll back; its objects are kept.
        phase: how far an update is.
        trial: what is updated to; none when idle.
        verdict: recorded when the trial has failed, before the restart.
        last: how the last trial ended.
        untried: systems of the committed generation that have changed without a trial, and did not
            run yet; sorted.
        version: the highest of all agents that have written this.
    """

    committed: SlotContent
    contents: tuple[SlotContent, ...]
    previous: str | None = None
    phase: Phase = Phase.IDLE
    trial: Trial | None = None
    verdict: Verdict | None = None
    last: Outcome | None = None
    untried: tuple[str, ...] = ()
    version: int = field(default=VERSION, compare=False)
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        slots = [content.slot for content in self.contents]
        if slots != sorted(set(slots)) or self.committed not in self.contents:
            raise BadState("the committed slot is not one of the slots that hold a generation")
        if (self.trial is None) != (self.phase is Phase.IDLE):
            raise BadState("a trial without a phase, or a phase without a trial")
        if (self.verdict is None) != (self.phase is not Phase.REJECTED):
            raise BadState("a verdict without a rejection, or a rejection without a verdict")
        if self.trial is not None:
            self._check_trial(self.trial)

    def _check_trial(self, trial: Trial) -> None:
        if trial.slot == self.committed.slot:
            raise BadState("the slot under trial is the committed one")
        if (trial.slot is None) != (self.phase is Phase.RECEIVED):
            raise BadState("an update has a slot from when it is written, not before")
        held = trial.slot is not None and self.in_slot(trial.slot) == trial.generation
        if held != (self.phase not in (Phase.RECEIVED, Phase.WRITING)):
            raise BadState("the slot under trial does not hold the generation under trial")
        if self.phase in (Phase.ARMED, Phase.ON_TRIAL, Phase.REJECTED) and not trial.attempts:
            raise BadState("a trial that was never counted")
        if trial.untried is not None and self.phase is not Phase.WRITTEN:
            raise BadState("an update that needs no trial, and yet is not merely written")

    def in_slot(self, slot: Slot) -> str | None:
        """The generation that a slot holds, if that is known."""
        for content in self.contents:
            if content.slot == slot:
                return content.generation
        return None

    @property
    def is_on_trial(self) -> bool:
        """Whether the trial has begun, and has not ended yet."""
        return self.phase in (Phase.ON_TRIAL, Phase.REJECTED)

    def expect_not_on_trial(self) -> None:
        """Check that what runs is not on trial.

        Raises:
            OnTrial: it is.
        """
        if self.trial is not None and self.is_on_trial:
            raise OnTrial(self.trial.generation)

    def expect_no_trial(self) -> None:
        """Check that neither this boot nor the next one is a trial.

        Raises:
            OnTrial: one is.
        """
        self.expect_not_on_trial()
        if self.trial is not None and self.phase is Phase.ARMED:
            raise OnTrial(self.trial.generation)

    @property
    def needed(self) -> tuple[str, ...]:
        """The generations whose objects must be kept, sorted."""
        trial = self.trial.generation if self.trial else None
        kept = {self.committed.generation, self.previous, trial}
        return tuple(sorted(generation for generation in kept if generation))


def installed(generation: str, slot: Slot) -> State:
    """The state of a disk that has just been made."""
    content = SlotContent(slot, generation)
    return State(committed=content, contents=(content,))


def _check_slot(slot: Slot) -> None:
    if not 1 <= slot <= MAX_SLOTS:
        raise BadState(f"there is no slot {slot}")


def _check_generation(generation: str) -> None:
    if not _GENERATION.fullmatch(generation):
        raise BadState(f"{generation[:80]!r} is no name of a generation")


# -- the document ----------------------------------------------------------------------------------


def print_state(state: State) -> bytes:
    """The document of a state; the opposite of ``parse_state``."""
    return print_json(
        {
            **state.rest,
            "version": state.version,
            "committed": _print_content(state.committed),
            "contents": [_print_content(content) for content in state.contents],
            "previous": state.previous,
            "phase": state.phase.value,
            "trial": _print_trial(state.trial),
            "verdict": _print_verdict(state.verdict),
            "last": _print_outcome(state.last),
            **_print_untried(state.untried or None),
        }
    )


def parse_state(content: bytes, *, source: str) -> State:
    """Read the document of a state, of this agent or of a newer one.

    Raises:
        BadDocument: it is not in the format.
        BadState: it contradicts itself.
    """
    fields = Fields.parse(content, source=source)
    known = State(
        committed=_parse_content(fields.object("committed")),
        contents=tuple(_parse_content(item) for item in fields.objects("contents")),
        previous=fields.text("previous") if fields.has("previous") else None,
        last=_parse_outcome(fields.object("last")) if fields.has("last") else None,
        untried=_parse_untried(fields) or (),
        version=max(VERSION, fields.version()),
        rest=fields.rest(*_STATE),
    )
    trial = fields.object("trial") if fields.has("trial") else None
    verdict = parse_verdict(fields.object("verdict")) if fields.has("verdict") else None
    phase = _parse_word(Phase, fields, "phase")
    if isinstance(phase, Unlisted):
        return _ended(known, trial, verdict or Verdict(phase, "a newer agent was at it"))
    parsed = _parse_trial(trial) if trial else None
    if parsed is not None and phase is not Phase.WRITTEN:
        parsed = replace(parsed, untried=None)  # an agent without the word has gone on with it
    return replace(known, phase=phase, trial=parsed, verdict=verdict)


_STATE = (
    *("version", "committed", "contents", "previous", "phase", "trial", "verdict", "last"),
    "untried",
)


def _ended(known: State, trial: Fields | None, verdict: Verdict) -> State:
    """Nobody here can go on with an update in a phase without a name; all else is remembered."""
    if trial is None:
        return known
    return replace(known, last=Outcome(Result.FELL_BACK, trial.text("generation"), verdict))


def read_state(path: Path) -> State:
    """Read what the agent remembers.

    Raises:
        BadDocument, BadState, BadFile, OSError: there is nothing that can be used.
    """
    return parse_state(read_bounded(path, MAX_STATE_BYTES), source=str(path))


def write_state(path: Path, state: State) -> None:
    """Remember a state durably, as one step."""
    write_durably(path, print_state(state))


def _print_content(content: SlotContent) -> JsonInput:
    return {**content.rest, "slot": content.slot, "generation": content.generation}


def _parse_content(fields: Fields) -> SlotContent:
    return SlotContent(
        Slot(fields.number("slot")), fields.text("generation"), fields.rest("slot", "generation")
    )


def _print_trial(trial: Trial | None) -> JsonInput:
    if trial is None:
        return None
    return {
        **trial.rest,
        "generation": trial.generation,
        "slot": trial.slot,
        "attempts": trial.attempts,
        "attempts_allowed": trial.attempts_allowed,
        **_print_untried(trial.untried),
    }


def _print_untried(untried: tuple[str, ...] | None) -> dict[str, JsonInput]:
    """A key of later releases, which is left out where it says nothing."""
    return {} if untried is None else {"untried": list(untried)}


def _parse_untried(fields: Fields) -> tuple[str, ...] | None:
    return tuple(sorted(set(fields.texts("untried")))) if fields.has("untried") else None


def _parse_trial(fields: Fields) -> Trial:
    return Trial(
        generation=fields.text("generation"),
        slot=Slot(fields.number("slot")) if fields.has("slot") else None,
        attempts=fields.number("attempts"),
        attempts_allowed=fields.number("attempts_allowed"),
        untried=_parse_untried(fields),
        rest=fields.rest("generation", "slot", "attempts", "attempts_allowed", "untried"),
    )


def _print_verdict(verdict: Verdict | None) -> JsonInput:
    return None if verdict is None else verdict.document()


def parse_verdict(fields: Fields) -> Verdict:
    """Read why something was left; the opposite of ``Verdict.document``."""
    return Verdict(
        _parse_word(Reason, fields, "reason"),
        fields.text("what"),
        fields.text("said"),
        fields.rest("reason", "what", "said"),
    )


def _print_outcome(outcome: Outcome | None) -> JsonInput:
    if outcome is None:
        return None
    return {
        **outcome.rest,
        "result": outcome.result.value,
        "generation": outcome.generation,
        "verdict": _print_verdict(outcome.verdict),
    }


def _parse_outcome(fields: Fields) -> Outcome:
    return Outcome(
        result=_parse_word(Result, fields, "result"),
        generation=fields.text("generation"),
        verdict=parse_verdict(fields.object("verdict")) if fields.has("verdict") else None,
        rest=fields.rest("result", "generation", "verdict"),
    )


def _parse_word(kind: type[_Vocabulary], fields: Fields, key: str) -> _Vocabulary | Unlisted:
    """One of our words, or one that a newer agent has."""
    word = fields.text(key)
    return next((each for each in kind if each.value == word), Unlisted(word))
