"""A start as a timeline: a row for each phase and each unit, a bar from its begin to its end.

The words of a row stand behind its bar, or before it where that is nearer to the edge: so each bar
says itself what it is and how long it took. What took no time that could be seen is still a mark.

The same bars give the same bytes: numbers are rounded, and nothing else is asked.

Tested by ``tests/unit/pictures/test_timeline.py``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconix.pictures.frame import TITLE, colour, document
from reconix.pictures.markup import coordinate, text, width_of

MAX_BARS = 60
"""More are not drawn: a picture has a bounded size."""
_WIDTH, _EDGE = 1200, 10
_ROW, _BAR, _AXIS, _NOTE = 17, 13, 22, 20
_LEAST = 1.5
_MARKS = 12
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that took time.

    Attributes:
        label: what.
        told: to whoever points at it.
        begin: in microseconds since the first one began.
        end: likewise.
    """

    label: str
    told: str
    begin: int
    end: int


def draw(title: str, notes: Sequence[str], groups: Sequence[Sequence[Bar]]) -> str:
    """The picture.

    Args:
        title: what it shows.
        notes: what there is to say about it, a line each.
        groups: bars of one colour; those beyond ``MAX_BARS`` are left out.
    """
    bars = [(colour(number), bar) for number, group in enumerate(groups) for bar in group]
    bars = bars[:MAX_BARS]
    scale = _Scale(max((bar.end for _, bar in bars), default=1))
    top = TITLE + _AXIS
    bottom = top + _ROW * len(bars)
    height = bottom + _NOTE * len(notes) + _EDGE
    body = [*_axis(scale, top, bottom), *_rows(bars, scale, top), *_notes(notes, bottom)]
    return document(title, width=_WIDTH, height=height, body=body)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From microseconds to places."""

    end: int

    def x(self, microseconds: int) -> float:
        return _EDGE + (_WIDTH - 2 * _EDGE) * microseconds / max(self.end, 1)

    def marks(self) -> range:
        """Where a line is drawn: at whole steps, not more than ``_MARKS`` of them."""
        step = next(
            step
            for power in range(19)
            for step in (digit * 10**power for digit in _STEPS)
            if self.end <= step * _MARKS
        )
        return range(0, self.end + 1, step)


def _axis(scale: _Scale, top: int, bottom: int) -> Iterator[str]:
    for mark in scale.marks():
        x = coordinate(scale.x(mark))
        yield f'<path class="line" d="M{x} {top - 4}V{bottom}"/>'
        yield f'<text x="{x}" y="{top - 8}">{mark / 1_000_000:g} s</text>'


def _rows(bars: Sequence[tuple[str, Bar]], scale: _Scale, top: int) -> Iterator[str]:
    for number, (kind, bar) in enumerate(bars):
        yield f'<g class="{kind}"><g><title>{text(bar.told)}</title>'
        yield from _row(bar, scale, top + number * _ROW)
        yield "</g></g>"


def _row(bar: Bar, scale: _Scale, y: int) -> Iterator[str]:
    begin, end = scale.x(bar.begin), scale.x(bar.end)
    width = max(end - begin, _LEAST)
    box = f'width="{coordinate(width)}" height="{_BAR}"'
    yield f'<rect x="{coordinate(begin)}" y="{y + 2}" {box}/>'
    words = f"{bar.label}  {(bar.end - bar.begin) / 1_000_000:.2f} s"
    yield f'<text {_place(begin, begin + width, words)} y="{y + 12}">{text(words)}</text>'


def _place(begin: float, end: float, words: str) -> str:
    """Where the words of a bar stand: behind it, else before it, else in it."""
    if end + width_of(words) <= _WIDTH:
        return f'x="{coordinate(end + 4)}"'
    if width_of(words) <= begin:
        return f'x="{coordinate(begin - 4)}" text-anchor="end"'
    return f'x="{coordinate(begin + 4)}"'


def _notes(notes: Sequence[str], bottom: int) -> Iterator[str]:
    for number, note in enumerate(notes, 1):
        yield f'<text x="{_EDGE}" y="{bottom + _NOTE * number}">{text(note)}</text>'
