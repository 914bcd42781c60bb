"""Draw the disk of a device: partitions, prepared arrays, and the two sectors that select a slot.

    python tools/draw_disk.py docs/disk.svg

What is drawn is the layout that an image of the example has, by the code that writes it. Widths are
not to scale: a slot of 128 MiB and a sector of 512 bytes would not be seen together. What something
is stands in it; colours only repeat it. It is SVG that needs nothing else, and the same layout
gives the same bytes.

Tested by ``tests/unit/tools/test_draw_disk.py``.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from reconix.base.sizes import human
from reconix.boot.gpt import ARRAY_SECTORS, SECTOR
from reconix.boot.tables import Copy, Slot, SlotTables, slot_name
from reconix.config.schema.values import parse_size
from reconix.image.layout import Sizes, needed_bytes, plan

HOST = "gateway"
EXAMPLE = Path(__file__).resolve().parents[1] / f"examples/gateway/hosts/{HOST}/machine.toml"
SELECTED = Slot(1)
_WIDTH, _MARGIN, _HIGH, _STEP = 880, 12, 56, 118
_STYLE = """\
text { font: 12px sans-serif; fill: #222 }
.small { font-size: 11px }
.head { font-size: 13px; font-weight: bold }
rect { stroke: #555 }
.selected { fill: #ffd9b8; stroke-width: 2.5 }
.slot { fill: #fdf0e3 }
.table { fill: #d6e6fb }
.part { fill: #dcefd8 }
.free { fill: #fff; stroke-dasharray: 3 3 }
path { fill: none; stroke: #b03a06; stroke-width: 1.5 }
"""


class Piece(NamedTuple):
    """Something on the disk.

    Args:
        label: what it is.
        first: its first sector.
        sectors: how many it has.
        kind: its class in the picture.
    """

    label: str
    first: int
    sectors: int
    kind: str

    @property
    def size(self) -> str:
        """How large it is, for people."""
        return f"LBA {self.first}" if self.sectors == 1 else human(self.sectors * SECTOR)


def main(words: list[str]) -> int:
    """Draw the disk of the example."""
    parser = argparse.ArgumentParser(prog="draw_disk.py", description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.parse_args(words).picture.write_text(draw(tables_of_example()))
    return 0


def tables_of_example() -> SlotTables:
    """The tables that an image of the example has."""
    written = tomllib.loads(EXAMPLE.read_text())
    boot, disk = written["boot"], written["disk"]
    slot, system, data = (
        parse_size(text) for text in (boot["slot_size"], disk["system_size"], disk["data_size"])
    )
    sizes = Sizes(boot["slots"], slot_bytes=slot, system_bytes=system, data_bytes=data)
    return plan(HOST, size_bytes=needed_bytes(sizes), sizes=sizes)


def draw(tables: SlotTables) -> str:
    """The picture of a disk whose first slot is selected."""
    rows = (
        ("The disk", parts(tables)),
        ("Its beginning: one sector, the primary header, names an array", begin(tables)),
        ("Its end: the same again, for the backup header", end(tables)),
    )
    height = len(rows) * _STEP + 3 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>The disk of a device, with slot 1 selected</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff" stroke="none"/>',
    ]
    for number, (title, pieces) in enumerate(rows):
        lines += _row(title, pieces, _MARGIN + number * _STEP)
    last = height - _MARGIN
    told = "To select another slot: backup header, flush, primary header. Widths are not to scale."
    lines.append(f'<text class="small" x="{_MARGIN}" y="{last}">{told}</text>')
    return "".join(f"{line}\n" for line in (*lines, "</svg>"))


def parts(tables: SlotTables) -> list[Piece]:
    """The partitions, and what is before and behind them."""
    found = [Piece("tables", 0, tables.slots[0].first, "table")]
    for slot in tables.slots:
        is_selected = slot == tables.slot(SELECTED)
        label = f"{slot.name}: boots" if is_selected else f"{slot.name}: idle"
        found.append(Piece(label, slot.first, slot.sectors, "selected" if is_selected else "slot"))
    found += [Piece(each.name, each.first, each.sectors, "part") for each in tables.others]
    behind = tables.last_usable + 1
    return [*found, Piece("tables", behind, tables.sectors - behind, "table")]


def begin(tables: SlotTables) -> list[Piece]:
    """What lies before the first partition."""
    known = [Piece("protective MBR", 0, 1, "table"), _header(tables, Copy.PRIMARY)]
    return _with_gaps([*known, *_arrays(tables, Copy.PRIMARY)], 0, tables.slots[0].first)


def end(tables: SlotTables) -> list[Piece]:
    """What lies behind the last usable sector."""
    known = [*_arrays(tables, Copy.BACKUP), _header(tables, Copy.BACKUP)]
    return _with_gaps(known, tables.last_usable + 1, tables.sectors)


def _header(tables: SlotTables, copy: Copy) -> Piece:
    return Piece(f"{copy.value} header", tables.header_at(copy), 1, "selected")


def _arrays(tables: SlotTables, copy: Copy) -> Iterator[Piece]:
    for slot in tables.numbers:
        kind = "selected" if slot == SELECTED else "table"
        at = tables.array_at(slot, copy)
        yield Piece(f"array of {slot_name(slot)}", at, ARRAY_SECTORS, kind)


def _with_gaps(pieces: Sequence[Piece], begin: int, end: int) -> list[Piece]:
    """The pieces, and between them what is free."""
    found, at = [], begin
    for piece in sorted(pieces, key=lambda each: each.first):
        if at < piece.first:
            found.append(Piece("nothing", at, piece.first - at, "free"))
        found.append(piece)
        at = piece.first + piece.sectors
    return found if at == end else [*found, Piece("nothing", at, end - at, "free")]


def _row(title: str, pieces: Sequence[Piece], top: int) -> Iterator[str]:
    yield f'<text class="head" x="{_MARGIN}" y="{top + 14}">{escape(title)}</text>'
    places = list(_places(pieces))
    for piece, (x, width) in zip(pieces, places, strict=True):
        yield f"<g><title>{escape(_told(piece))}</title>"
        box = f'x="{x:.1f}" y="{top + 24}" width="{width:.1f}" height="{_HIGH}"'
        yield f'<rect class="{piece.kind}" {box}/>'
        for number, words in enumerate((piece.label, piece.size)):
            y = top + 24 + 22 + 18 * number
            yield f'<text class="small" x="{x + 5:.1f}" y="{y}">{escape(words)}</text>'
        yield "</g>"
    yield from _arrow(pieces, places, top + 24 + _HIGH)


def _places(pieces: Sequence[Piece]) -> Iterator[tuple[float, float]]:
    """Where each begins and how wide it is: as its words need."""
    needs = [12 + 6.4 * max(len(piece.label), len(piece.size)) for piece in pieces]
    more = (_WIDTH - 2 * _MARGIN - sum(needs)) / len(pieces)
    x = float(_MARGIN)
    for need in needs:
        yield x, need + more
        x += need + more


def _told(piece: Piece) -> str:
    last = piece.first + piece.sectors - 1
    return f"{piece.label}: LBA {piece.first} to {last}, {human(piece.sectors * SECTOR)}"


def _arrow(
    pieces: Sequence[Piece], places: Sequence[tuple[float, float]], bottom: int
) -> Iterator[str]:
    """From a header to the array that it names."""
    middle = {piece.label: x + width / 2 for piece, (x, width) in zip(pieces, places, strict=True)}
    named = middle.get(f"array of {slot_name(SELECTED)}")
    header = next((x for label, x in middle.items() if label.endswith(" header")), None)
    if named is not None and header is not None:
        down = bottom + 12
        way = f"M{header:.1f} {bottom} V{down} H{named:.1f} V{bottom + 2}"
        tip = (
            f"M{named - 4:.1f} {bottom + 7} L{named:.1f} {bottom + 2} L{named + 4:.1f} {bottom + 7}"
        )
        yield f'<path d="{way} {tip}"/>'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
