"""Draw what an update of the example reaches, as `reconix deploy --dry-run --svg` does.

    reconix deploy --dry-run --base -1 --json > docs/reach.json
    python tools/draw_reach.py docs/reach.json docs/reach.svg

Tested by ``tests/unit/tools/test_draw_reach.py``.
"""

import argparse
import sys
from pathlib import Path

from reconix.base.documents import Fields
from reconix.cli import reach_picture


def main(words: list[str]) -> int:
    """Draw what a file tells."""
    parser = argparse.ArgumentParser(prog="draw_reach.py", description=__doc__)
    parser.add_argument("told", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args(words)
    given.picture.write_text(draw(Fields.parse(given.told.read_bytes(), source=str(given.told))))
    return 0


def draw(told: Fields) -> str:
    """The picture of what the command has told in JSON."""
    return reach_picture.draw(told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
