"""The ledger: what a device must not forget, whichever agent of whichever release runs.

A device that comes back from an update has an older agent, which reads what the newer one left.
The documents of the agent may grow with each release; this file does not. Each line is one fact,
and no release changes what a line means, or drops one that it does not know:

    floor 7                                    the rollback index: no older stream is taken
    keys 2 1 release:<base 64> …               the newest key set: version, threshold, keys
    revoked <base 64>                          a key that is never trusted again
    previous /nix/store/…-generation-gateway   what one can roll back to; its objects are kept
    trying /nix/store/…-generation-gateway     what is armed or on trial
    left /nix/store/…-generation-gateway panic 1   not kept: why the last time, and how often

It says again, in short, what ``state.json`` and ``trust.json`` say at length. It is written before
them, and a reader that cannot use one of them falls back to it. What two lines of a kind say adds
up: the higher rollback index, the newer set, the last word.

Format: ``docs/spec/memory.md``; it has no version, because it may not have a second one.
Tested by ``tests/unit/device/state/test_ledger.py`` and ``tests/unit/device/test_releases.py``.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from reconix.base import progress
from reconix.base.files import TooLarge, read_bounded, write_durably
from reconix.base.records import dataclass, replace
from reconix.boot.transitions import ended
from reconix.boot.trial import Outcome, Phase, Reason, Result, State, Unlisted, Verdict
from reconix.transfer.trust.keys import BadKey, KeySet, PublicKey, parse_value, print_value

MAX_BYTES = 1 << 20
MAX_LEFT = 100
"""How many of the generations that were left are remembered; the oldest are dropped first."""

_TRYING = (Phase.ARMED, Phase.ON_TRIAL, Phase.REJECTED)
_GENERATION = re.compile(r"/nix/store/[^\x00-\x20\x7f/]{1,290}")
_NO_WORD = re.compile(r"[^!-~]")
_WORD_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Left:
    """A generation that was not kept.

    Attributes:
        generation: which one.
        word: the reason, the last time; a newer agent may have words of its own.
        times: how often.
    """

    generation: str
    word: str
    times: int = 1

    @property
    def reason(self) -> Reason | Unlisted:
        """The reason, if this agent has a name for it."""
        return next((each for each in Reason if each.value == self.word), Unlisted(self.word))


@dataclass(frozen=True, slots=True)
class Ledger:
    """What must not be forgotten.

    Attributes:
        rollback_index: the highest sequence number that was ever confirmed; the line ``floor``.
        keys: the newest key set.
        revoked: keys that any set has revoked.
        previous: the generation to which one can roll back.
        trying: the generation that is armed or on trial.
        left: generations that were not kept, the last one at the end.
        others: lines that this agent does not know.
    """

    rollback_index: int = 0
    keys: KeySet | None = None
    revoked: frozenset[bytes] = frozenset()
    previous: str | None = None
    trying: str | None = None
    left: tuple[Left, ...] = ()
    others: tuple[bytes, ...] = ()

    def left_of(self, generation: str) -> Left | None:
        """What is remembered of a generation that was not kept."""
        return next((each for each in self.left if each.generation == generation), None)

    def leaving(self, generation: str, reason: Reason | Unlisted) -> "Ledger":
        """After a generation was left; one that was only superseded was not."""
        if reason is Reason.SUPERSEDED:
            return self
        before = self.left_of(generation)
        word = _NO_WORD.sub("_", reason.value)[:_WORD_CHARACTERS] or "unknown"
        now = Left(generation, word, before.times + 1 if before else 1)
        return replace(self, left=(*self._without(generation), now)[-MAX_LEFT:])

    def knowing(self, state: State) -> "Ledger":
        """With how the last trial ended, if that was recorded by an agent without a ledger."""
        last = state.last
        if last is None or last.verdict is None or self.left_of(last.generation):
            return self
        return self.leaving(last.generation, last.verdict.reason)

    def keeping(self, generation: str) -> "Ledger":
        """After a generation was confirmed."""
        return replace(self, left=self._without(generation))

    def _without(self, generation: str) -> tuple[Left, ...]:
        return tuple(each for each in self.left if each.generation != generation)

    def trusting(self, rollback_index: int, keys: KeySet | None) -> "Ledger":
        """After a sequence number was confirmed, or a newer key set came."""
        revoked = self.revoked if keys is None else self.revoked | keys.revoked
        return replace(
            self,
            rollback_index=max(self.rollback_index, rollback_index),
            keys=newer(keys, self.keys),
            revoked=revoked,
        )

    def following(self, before: State, after: State) -> "Ledger":
        """After a step of an update."""
        known = self.knowing(before)
        now = replace(known, previous=after.previous or self.previous, trying=_tried(after))
        if after.phase is Phase.REJECTED and before.phase is not Phase.REJECTED:
            assert after.trial is not None and after.verdict is not None
            return now.leaving(after.trial.generation, after.verdict.reason)
        outcome = ended(before, after)
        if outcome is None:
            return now
        if outcome.verdict is None:
            return now.keeping(outcome.generation)
        if before.phase is Phase.REJECTED and self.left_of(outcome.generation):
            return now  # it was counted when it was rejected
        return now.leaving(outcome.generation, outcome.verdict.reason)

    def replacing(self, found: State) -> "Ledger":
        """After a state was found out because none could be read, see ``completed``."""
        now = replace(self, previous=found.previous or self.previous, trying=None)
        last = found.last
        if last is None or last.verdict is None or last.generation != self.trying:
            return now
        return now.leaving(last.generation, last.verdict.reason)

    def completed(self, found: State, installed: Collection[str], how: Verdict) -> State:
        """What the disk shows of a state, with what it does not show.

        Args:
            found: the state as the disk shows it.
            installed: the generations whose objects are there.
            how: how the boot before ended, if it was a trial.
        """
        committed = found.committed.generation
        previous = self.previous if self.previous in installed else None
        last = None
        if self.trying not in (None, committed):
            last = Outcome(Result.FELL_BACK, str(self.trying), how)
        elif self.left and self.left[-1].generation != committed:
            last = Outcome(
                Result.FELL_BACK, self.left[-1].generation, Verdict(self.left[-1].reason)
            )
        return replace(found, previous=None if previous == committed else previous, last=last)

    def print(self) -> bytes:
        """As a file."""
        keys = self.keys
        lines = [
            *([f"floor {self.rollback_index}"] if self.rollback_index else []),
            *([f"keys {keys.version} {keys.threshold} {_words(keys.keys)}"] if keys else []),
            *(f"revoked {print_value(value)}" for value in sorted(self.revoked)),
            *([f"previous {self.previous}"] if self.previous else []),
            *([f"trying {self.trying}"] if self.trying else []),
            *(f"left {each.generation} {each.word} {each.times}" for each in self.left),
        ]
        return b"".join(line + b"\n" for line in [*(one.encode() for one in lines), *self.others])


def newer(ours: KeySet | None, other: KeySet | None) -> KeySet | None:
    """The set of the higher version; what either has revoked stays revoked."""
    if ours is None or other is None:
        return ours or other
    first, last = sorted((other, ours), key=lambda each: each.version)
    return replace(last, revoked=last.revoked | (first.revoked - last.values))


def _tried(state: State) -> str | None:
    return state.trial.generation if state.trial and state.phase in _TRYING else None


def _words(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


# -- the file --------------------------------------------------------------------------------------


def parse_ledger(content: bytes) -> Ledger:
    """Read a ledger; a line that makes no sense is kept like one that this agent does not know."""
    facts = _Facts()
    for line in filter(None, content.splitlines()):
        try:
            facts.add(line.decode().split(" "))
        except (ValueError, BadKey):  # UnicodeDecodeError is a ValueError
            facts.others.append(line)
    return facts.ledger()


class _Facts:
    """What the lines read so far say; each takes the same time, however many there are."""

    def __init__(self) -> None:
        self.others: list[bytes] = []
        self._rollback_index = 0
        self._keys: KeySet | None = None
        self._revoked: set[bytes] = set()
        self._named: dict[str, str] = {}  # previous, trying
        self._left: dict[str, Left] = {}

    def add(self, words: list[str]) -> None:
        match words:
            case ["floor", number]:
                self._rollback_index = max(self._rollback_index, _number(number))
            case ["keys", version, threshold, *keys]:
                listed = map(PublicKey.parse, keys)
                made = KeySet.of(listed, version=_number(version), threshold=_number(threshold))
                self._keys = newer(made, self._keys)
            case ["revoked", value]:
                self._revoked.add(parse_value(value))
            case ["previous" | "trying" as name, generation]:
                self._named[name] = _generation(generation)
            case ["left", generation, word, times]:
                now = Left(_generation(generation), word, _number(times))
                self._left.pop(generation, None)  # the last line counts, and its place
                self._left[generation] = now
            case _:
                raise ValueError(f"{words[0][:80]!r} is not known")

    def ledger(self) -> Ledger:
        return Ledger(
            self._rollback_index,
            self._keys,
            frozenset(self._revoked),
            self._named.get("previous"),
            self._named.get("trying"),
            tuple(self._left.values()),
            tuple(self.others),
        )


def _generation(text: str) -> str:
    if not _GENERATION.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no generation")
    return text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise ValueError(f"{text[:80]!r} is no number")
    return int(text)


def read_ledger(path: Path) -> Ledger:
    """Read what must not be forgotten; nothing where there is no such file.

    Of one that is too large the first lines count, where we put what counts most.
    """
    try:
        return parse_ledger(read_bounded(path, MAX_BYTES))
    except FileNotFoundError:
        return Ledger()
    except TooLarge as error:
        progress.note(str(error))
        with path.open("rb") as file:
            return parse_ledger(file.read(MAX_BYTES).rpartition(b"\n")[0])


def write_ledger(path: Path, before: Ledger, after: Ledger) -> None:
    """Remember durably what has been added; nothing is written if that is nothing."""
    if before != after:
        write_durably(path, after.print())
