"""The picture of `reconix deploy --dry-run --svg`: what an update reaches, and what goes on.

A card for each system of the device; on it what it consists of, if it changes. Drawn is what the
command answers in JSON, so that an answer that was kept can be drawn later.

Tested by ``tests/unit/cli/test_reach_picture.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.base.documents import Fields, JsonInput
from reconix.composition.reach import Became, SystemChange
from reconix.fleet.forecast.interruption import Interrupted
from reconix.pictures import cards
from reconix.pictures.cards import Card, Kind, Line

_LEGEND = "● is interrupted · ◐ changes, interrupts nothing by itself · ○ is the same, or goes on"


def reach_document(changes: Sequence[SystemChange]) -> JsonInput:
    """What an update makes of each system, for programs."""
    return [
        {
            "name": system.name,
            "became": system.became.value,
            "parts": [
                {
                    "name": part.name,
                    "became": part.became.value,
                    "container": part.is_container,
                    "details": [*part.details],
                }
                for part in system.parts
            ],
        }
        for system in changes
    ]


def draw(told: Fields) -> str:
    """The picture of what `reconix deploy --dry-run --json` has told.

    Raises:
        BadDocument: it is something else.
    """
    effect = _Effect.of(told)
    title = f"{told.text('host')}, generation {told.number('number')}: {effect.title}"
    systems = told.objects("reach")
    running = [each for each in systems if each.text("name") == effect.running]
    resting = [each for each in systems if each.text("name") != effect.running]
    return cards.draw(title, [_LEGEND], [_card(each, effect) for each in (*running, *resting)])


@dataclass(frozen=True, slots=True)
class _Effect:
    """What an update interrupts.

    Attributes:
        what: that.
        running: the system that runs.
        tried: the system that a restart tries.
        when: it does that.
    """

    what: Interrupted
    running: str
    tried: str
    when: str

    @classmethod
    def of(cls, told: Fields) -> "_Effect":
        found = told.object("interrupts")
        what = Interrupted(found.text("what"))
        return cls(what, found.text("running"), found.text("system"), found.text("when"))

    @property
    def title(self) -> str:
        if self.what is Interrupted.RESTART:
            return f"a restart, {self.when}"
        return "containers change" if self.what is Interrupted.CONTAINERS else "nothing stops"


def _card(system: Fields, effect: _Effect) -> Card:
    name, became = system.text("name"), Became(system.text("became"))
    runs = name == effect.running
    kind, sentence = _running(effect) if runs else _resting(name, became, effect)
    title = f"{name}: runs, {became.value}" if runs else f"{name}: {became.value}"
    parts = [(part, _kind(part, effect, runs=runs)) for part in system.objects("parts")]
    lines = tuple(line for part, each in parts for line in _lines(part, each))
    return Card(kind, title, sentence, lines)


def _running(effect: _Effect) -> tuple[Kind, str]:
    if effect.what is Interrupted.RESTART:
        return Kind.STOPS, f"All of it stops: the device restarts, {effect.when}."
    if effect.what is Interrupted.CONTAINERS:
        return Kind.CHANGES, "It goes on; containers that change are stopped and started."
    return Kind.SAME, "It goes on."


def _resting(name: str, became: Became, effect: _Effect) -> tuple[Kind, str]:
    """What happens to a system that does not run."""
    if effect.what is Interrupted.RESTART and name == effect.tried:
        return Kind.CHANGES, "It is what the restart tries."
    if became is Became.SAME:
        return Kind.SAME, "It does not run, and is the same to the last byte."
    if became is Became.GONE:
        return Kind.CHANGES, "It does not run, and is taken away."
    return Kind.CHANGES, "It does not run; its next start is that of the new one."


def _kind(part: Fields, effect: _Effect, *, runs: bool) -> Kind:
    became = Became(part.text("became"))
    if runs and part.flag("container") and became is not Became.NEW:
        changes_alone = effect.what is Interrupted.CONTAINERS and became is not Became.SAME
        if effect.what is Interrupted.RESTART or changes_alone:
            return Kind.STOPS
    return Kind.SAME if became is Became.SAME else Kind.CHANGES


def _lines(part: Fields, kind: Kind) -> Iterator[Line]:
    what = f"container {part.text('name')}" if part.flag("container") else part.text("name")
    became = Became(part.text("became")).value
    yield Line(kind, f"{what}: {became}, stops" if kind is Kind.STOPS else f"{what}: {became}")
    for detail in part.texts("details"):
        yield Line(None, detail)
