"""A treemap as SVG: one file that shows what takes how much, and asks for nothing else.

Tiles stand in groups, and each group has its name above it. Whoever points at a tile is told all of
it. What is too small to be seen is put together, so that a picture has a bounded size.

The same tiles give the same bytes: numbers are rounded, and nothing else is asked.

Tested by ``tests/unit/pictures/test_treemap.py``.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconix.pictures.frame import TITLE, colour, document
from reconix.pictures.markup import coordinate, fitting, room, text
from reconix.pictures.squarify import Box, squarify

_WIDTH, _HEIGHT = 1200, 760
_HEAD = 20
_GAP = 2
_LINE = 14
_LEAST = 85
"""How wide and high a tile is at least of which parts are shown."""
MAX_GROUPS = 12
MAX_TILES = 400
"""Besides those that stand for others."""
MAX_BYTES = 120_000
_LIGHT = ".part rect{fill:#fff;fill-opacity:.4}"
_DARK = ".part rect{fill:#000;fill-opacity:.25}"


@dataclass(frozen=True, slots=True)
class Tile:
    """One thing that has a size."""

    label: str
    detail: str
    """Below the label, where there is room."""
    told: str
    """To whoever points at it."""
    size_bytes: int
    parts: tuple["Tile", ...] = ()
    """What it consists of, the largest first: shown where there is room."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tiles that belong together, the largest first."""

    label: str
    detail: str
    """Beside the label, where there is room."""
    told: str
    """Of each tile, to whoever points at it."""
    tiles: tuple[Tile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its tiles."""
        return sum(tile.size_bytes for tile in self.tiles)


def draw(title: str, groups: Sequence[Group]) -> str:
    """The picture, as a document of its own or a part of a page.

    Args:
        title: what it shows.
        groups: none of them empty, the largest first.
    """
    return document(
        title, width=_WIDTH, height=_HEIGHT, body=_groups(groups), light=_LIGHT, dark=_DARK
    )


def _groups(groups: Sequence[Group]) -> Iterator[str]:
    whole = Box(0, TITLE, _WIDTH, _HEIGHT - TITLE)
    boxes = squarify([group.size_bytes for group in groups], whole)
    for number, (group, box) in enumerate(zip(groups, boxes, strict=True)):
        yield f'<g class="{colour(number)}">'
        inner = box
        if box.width > 3 * _HEAD and box.height > 2 * _HEAD:
            inner = Box(box.x, box.y + _HEAD, box.width, box.height - _HEAD)
            both = f"{group.label}: {group.detail}"
            label = fitting(both if len(both) <= room(box.width) else group.label, box.width)
            place = f'x="{coordinate(box.x + 4)}" y="{coordinate(box.y + 15)}"'
            yield f'<text class="head" {place}>{label}</text>'
        yield from _tiles(group, inner)
        yield "</g>"


def _tiles(group: Group, box: Box) -> Iterator[str]:
    boxes = squarify([tile.size_bytes for tile in group.tiles], box)
    for tile, place in zip(group.tiles, boxes, strict=True):
        yield f"<g><title>{text(f'{tile.told}; {group.told}')}</title>"
        yield from _tile(tile, _shrunk(place))
        yield "</g>"


def _shrunk(box: Box) -> Box:
    """A box without the gap beside it, if anything is left then."""
    gap = _GAP if min(box.width, box.height) > 2 * _GAP else 0.0
    return Box(box.x + gap / 2, box.y + gap / 2, box.width - gap, box.height - gap)


def _tile(tile: Tile, box: Box) -> Iterator[str]:
    size = f'width="{coordinate(box.width)}" height="{coordinate(box.height)}"'
    yield f'<rect x="{coordinate(box.x)}" y="{coordinate(box.y)}" {size}/>'
    for number, line in enumerate((tile.label, tile.detail)):
        below = _LINE + _LINE * number
        if box.height > below + 2 and room(box.width) > 3:
            place = f'x="{coordinate(box.x + 4)}" y="{coordinate(box.y + below)}"'
            if number == 0 or len(line) <= room(box.width):
                yield f"<text {place}>{fitting(line, box.width)}</text>"
    yield from _parts(tile, box)


def _parts(tile: Tile, box: Box) -> Iterator[str]:
    """The parts of a tile, below its own words."""
    head, edge = 2.5 * _LINE, 3.0
    if len(tile.parts) < 2 or box.width < _LEAST or box.height < _LEAST:
        return
    inner = Box(box.x + edge, box.y + head, box.width - 2 * edge, box.height - head - edge)
    boxes = squarify([part.size_bytes for part in tile.parts], inner)
    for part, place in zip(tile.parts, boxes, strict=True):
        yield f'<g class="part"><title>{text(part.told)}</title>'
        yield from _tile(part, _shrunk(place))
        yield "</g>"


def picture(title: str, groups: Sequence[Group]) -> str:
    """The picture of any number of tiles, in at most ``MAX_BYTES``: small ones are put together.

    Args:
        title: what it shows.
        groups: none of them empty, the largest first, in them the largest tiles.
    """
    most = MAX_TILES
    while len((drawn := draw(title, bounded(groups, most))).encode()) > MAX_BYTES:
        most //= 2
    return drawn


def bounded(groups: Sequence[Group], most: int = MAX_TILES) -> list[Group]:
    """The groups with a few more tiles than ``most``, and at most one more than ``MAX_GROUPS``."""
    kept = [*groups[:MAX_GROUPS]]
    if len(groups) > MAX_GROUPS:
        tiles = [tile for group in groups[MAX_GROUPS:] for tile in group.tiles]
        told = "in other combinations"
        kept.append(Group("others", told, told, tuple(sorted(tiles, key=_largest))))
    ranked = sorted(
        (-tile.size_bytes, number) for number, group in enumerate(kept) for tile in group.tiles
    )
    counts = Counter(number for _, number in ranked[:most])
    return [_with_others(group, counts[number]) for number, group in enumerate(kept)]


def _with_others(group: Group, count: int) -> Group:
    large, small = group.tiles[:count], group.tiles[count:]
    if not small:
        return group
    told = f"{len(small)} smaller ones"
    others = Tile(told, "", told, sum(tile.size_bytes for tile in small))
    return replace(group, tiles=tuple(sorted((*large, others), key=_largest)))


def _largest(tile: Tile) -> int:
    return -tile.size_bytes
