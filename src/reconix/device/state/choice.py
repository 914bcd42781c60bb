"""Which system runs: the default one, another one once, or another one always.

The boot loader starts the default system unless the firmware tells it another one for a single
boot. There is nothing else, on purpose: a system that cannot even start its agent must not be able
to keep the device. So *always* is *once, renewed*: when a system that is wanted always has come up
healthy, its agent asks for it at the next boot again. If it did not come up, the default system
runs; its agent counts that and tries again, until that has happened as often in a row as the system
allows (``update.always_attempts``), and then leaves it at that until somebody chooses again. What
was chosen once in between does not count: it may be a system without the agent, after which the
default system runs.

    {"version": 1, "once": "mqtt",
     "always": {"system": "web", "failures": 0, "failures_allowed": 3},
     "left": {"system": "web", "verdict": {"reason": "unhealthy", …}, "failures": 0}}

Why a system was *left* by the device itself, because it did not come up, was not healthy or was not
confirmed, stays until it is found healthy.

What a newer agent has added stays (``docs/spec/memory.md``).

Tested by ``tests/unit/device/select/test_choose.py``.
"""

from pathlib import Path

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass, field, replace
from reconix.boot.trial import Reason, Rest, Verdict, parse_verdict

VERSION = 1
MAX_BYTES = 1 << 16
DEFAULT_FAILURES = 3
MAX_FAILURES = 100


@dataclass(frozen=True, slots=True)
class Always:
    """The system that every boot should end in, and how often in a row it did not."""

    system: str
    failures: int = 0
    failures_allowed: int = DEFAULT_FAILURES
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    @property
    def given_up(self) -> bool:
        """Whether it is not tried any more."""
        return self.failures >= self.failures_allowed


@dataclass(frozen=True, slots=True)
class LeftSystem:
    """The system that the device has left by itself, the last time, and why.

    Attributes:
        system: which one.
        verdict: why.
        failures: how often it had failed to come up before, if it was wanted always.
    """

    system: str
    verdict: Verdict
    failures: int = 0
    rest: Rest = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for, and what became of it.

    Attributes:
        once: the system that somebody asked for at the next boot only.
        always: the system that is wanted at every boot, if it is not the default one.
        left: the system that was left, until it is healthy.
        version: the highest of all agents that have written this.
        rest: what a newer agent has added.
    """

    once: str | None = None
    always: Always | None = None
    left: LeftSystem | None = None
    version: int = field(default=VERSION, compare=False)
    rest: Rest = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What follows from the system that runs.

    Attributes:
        choice: to be remembered.
        ask_for: the system that the firmware must be told for the next boot.
        restart: whether that should be now.
    """

    choice: Choice
    ask_for: str | None = None
    restart: bool = False


_NOT_KNOWN = Verdict(Reason.UNKNOWN)


def came_up(choice: Choice, system: str, how: Verdict = _NOT_KNOWN) -> FollowUp:
    """What follows when a system runs from the committed slot.

    Args:
        choice: as it is remembered.
        system: that runs.
        how: the boot before has ended.
    """
    always = choice.always
    if always is None or always.given_up or always.system == system:
        return FollowUp(replace(choice, once=None))
    if system == choice.once:
        return FollowUp(replace(choice, once=None), ask_for=always.system)
    if choice.once is not None:  # another system ran before this boot, or should have
        return FollowUp(replace(choice, once=None), ask_for=always.system, restart=True)
    counted = replace(always, failures=always.failures + 1)
    again = replace(choice, once=None, always=counted, left=_left_now(choice, always, how))
    if counted.given_up:
        return FollowUp(again)
    return FollowUp(again, ask_for=always.system, restart=True)


def _left_now(choice: Choice, always: Always, how: Verdict) -> LeftSystem:
    """Why a system did not come up: it has said so itself before it was left, or nobody has."""
    said = choice.left
    if said and (said.system, said.failures) == (always.system, always.failures):
        return said
    return LeftSystem(always.system, how, always.failures)


def leaving(choice: Choice, system: str, verdict: Verdict) -> Choice:
    """After a system was left."""
    always = choice.always
    failures = always.failures if always and always.system == system else 0
    return replace(choice, left=LeftSystem(system, verdict, failures))


def well(choice: Choice, system: str) -> Choice:
    """After a system was found healthy, or chosen anew: why it was left once is of no interest."""
    is_that = choice.left is not None and choice.left.system == system
    return replace(choice, left=None) if is_that else choice


def wanted_always(choice: Choice) -> str | None:
    """The system of a boot for which nothing was asked; ``None``: the default one."""
    return choice.always.system if choice.always and not choice.always.given_up else None


def is_to_be_proven(choice: Choice, system: str) -> bool:
    """Whether the system that runs must show that it is healthy, to be started again."""
    return choice.always is not None and choice.always.system == system


def renewed(choice: Choice) -> FollowUp:
    """What follows when a system has come up healthy."""
    if choice.always is None or choice.always.given_up:
        return FollowUp(replace(choice, once=None))
    healthy = replace(choice.always, failures=0)
    kept = replace(well(choice, healthy.system), once=None, always=healthy)
    return FollowUp(kept, ask_for=healthy.system)


def read_choice(path: Path) -> Choice:
    """Read what was asked for; without a readable file it is nothing."""
    try:
        return parse_choice(read_bounded(path, MAX_BYTES), source=str(path))
    except (OSError, BadFile, BadDocument):
        return Choice()


def write_choice(path: Path, choice: Choice) -> None:
    """Remember a choice durably, unless it is what is remembered already."""
    if read_choice(path) != choice:
        write_durably(path, print_choice(choice))


def print_choice(choice: Choice) -> bytes:
    """The document of a choice; the opposite of ``parse_choice``."""
    return print_json(
        {
            **choice.rest,
            "version": choice.version,
            "once": choice.once,
            "always": _print_always(choice.always) if choice.always else None,
            "left": _print_left(choice.left) if choice.left else None,
        }
    )


def _print_left(left: LeftSystem) -> JsonInput:
    return {
        **left.rest,
        "system": left.system,
        "verdict": left.verdict.document(),
        "failures": left.failures,
    }


def _print_always(always: Always) -> JsonInput:
    return {
        **always.rest,
        "system": always.system,
        "failures": always.failures,
        "failures_allowed": always.failures_allowed,
    }


def parse_choice(content: bytes, *, source: str) -> Choice:
    """Read a choice.

    Raises:
        BadDocument: it is not in the format.
    """
    fields = Fields.parse(content, source=source)
    return Choice(
        once=fields.text("once") if fields.has("once") else None,
        always=_parse_always(fields.object("always")) if fields.has("always") else None,
        left=_parse_left(fields.object("left")) if fields.has("left") else None,
        version=max(VERSION, fields.version()),
        rest=fields.rest("version", "once", "always", "left"),
    )


def _parse_left(fields: Fields) -> LeftSystem:
    verdict = parse_verdict(fields.object("verdict"))
    rest = fields.rest("system", "verdict", "failures")
    return LeftSystem(fields.text("system"), verdict, fields.number("failures"), rest)


def _parse_always(fields: Fields) -> Always:
    # Devices that chose before there was a number of their own allowed the default.
    allowed = DEFAULT_FAILURES
    if fields.has("failures_allowed"):
        allowed = fields.number("failures_allowed")
    rest = fields.rest("system", "failures", "failures_allowed")
    return Always(fields.text("system"), fields.number("failures"), allowed, rest)
