"""Draw a start of the example in QEMU, as `reconix timeline --svg` does.

    reconix timeline --json > docs/start.json
    python tools/draw_start.py docs/start.json docs/start.svg

Tested by ``tests/unit/tools/test_draw_start.py``.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconix.cli.timeline import draw
from reconix.fleet.start import Span, Start


def main(words: list[str]) -> int:
    """Draw what a file tells."""
    parser = argparse.ArgumentParser(prog="draw_start.py", description=__doc__)
    parser.add_argument("told", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args(words)
    given.picture.write_text(picture(json.loads(given.told.read_bytes())))
    return 0


def picture(told: dict[str, Any]) -> str:
    """The picture of what the command has told in JSON, where times may be negative."""
    phases, units = (tuple(_spans(told[name])) for name in ("phases", "units"))
    return draw(told["host"], Start(phases, units, tuple(told["untold"]), told["finished"]))


def _spans(told: list[dict[str, Any]]) -> Iterator[Span]:
    for each in told:
        yield Span(each["name"], each["begin_microseconds"], each["end_microseconds"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
