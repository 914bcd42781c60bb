"""Draw the pictures of the documents that show what a command has told, as its `--svg` does.

    reconix size gateway --minify --json > docs/minified.json
    reconix timeline --json > docs/start.json
    reconix deploy --dry-run --base -1 --json > docs/reach.json
    python tools/draw_told.py

What was told once is kept beside the pictures: a build asks an archive, a start a device, and a
picture must be made anew wherever the code that draws it changes.

Tested by ``tests/unit/tools/test_draw_told.py``.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconix.base.documents import Fields
from reconix.cli import reach_picture, size_minify, timeline
from reconix.composition.minify_sizes import STAYS
from reconix.fleet.start import Span, Start

DOCUMENTS = Path(__file__).resolve().parents[1] / "docs"


def main() -> int:
    """Draw all of them."""
    for name, draw in DRAWN.items():
        told = (DOCUMENTS / f"{name}.json").read_bytes()
        (DOCUMENTS / f"{name}.svg").write_text(draw(told))
    return 0


def minified(told: bytes) -> str:
    """What minify took, from ``reconix size --minify --json``."""
    fields = Fields.parse(told, source="size")
    sizes: dict[str, Counter[str]] = {STAYS: Counter()}
    for package in fields.objects("packages"):
        name = package.text("name")
        sizes[STAYS][name] = package.number("after_bytes")
        for taken in package.objects("taken"):
            sizes.setdefault(taken.text("rule"), Counter())[name] = taken.number("size_bytes")
    return size_minify.draw(fields.text("title"), sizes)


def start(told: bytes) -> str:
    """A start, from ``reconix timeline --json``, where times may be negative."""
    found: dict[str, Any] = json.loads(told)
    phases, units = (tuple(_spans(found[name])) for name in ("phases", "units"))
    return timeline.draw(
        found["host"], Start(phases, units, tuple(found["untold"]), found["finished"])
    )


def _spans(told: list[dict[str, Any]]) -> Iterator[Span]:
    for each in told:
        yield Span(each["name"], each["begin_microseconds"], each["end_microseconds"])


def reach(told: bytes) -> str:
    """What an update reaches, from ``reconix deploy --dry-run --json``."""
    return reach_picture.draw(Fields.parse(told, source="deploy"))


DRAWN = {"minified": minified, "start": start, "reach": reach}

if __name__ == "__main__":
    sys.exit(main())
