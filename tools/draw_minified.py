"""Draw what minify took of the example, as `reconix size --minify --svg` does.

    reconix size gateway --minify --json > docs/minified.json
    python tools/draw_minified.py docs/minified.json docs/minified.svg

Drawn is what the command has told: a build of the example takes a minute and asks an archive, and a
picture must be made anew wherever the code that draws it changes.

Tested by ``tests/unit/tools/test_draw_minified.py``.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from reconix.base.documents import Fields
from reconix.cli import size_minify
from reconix.composition.minify_sizes import STAYS


def main(words: list[str]) -> int:
    """Draw what a file tells."""
    parser = argparse.ArgumentParser(prog="draw_minified.py", description=__doc__)
    parser.add_argument("told", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args(words)
    given.picture.write_text(draw(Fields.parse(given.told.read_bytes(), source=str(given.told))))
    return 0


def draw(told: Fields) -> str:
    """The picture of what the command has told in JSON."""
    sizes: dict[str, Counter[str]] = {STAYS: Counter()}
    for package in told.objects("packages"):
        name = package.text("name")
        sizes[STAYS][name] = package.number("after_bytes")
        for taken in package.objects("taken"):
            sizes.setdefault(taken.text("rule"), Counter())[name] = taken.number("size_bytes")
    return size_minify.draw(told.text("title"), sizes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
