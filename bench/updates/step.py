"""One step of one peer on one pair, in a process of its own: ``python -m bench.updates.step``."""

import argparse
import sys
from pathlib import Path

from bench.updates import pairs, ways

STEPS = ("prepare", "create", "apply", "check")


def main(words: list[str]) -> int:
    """Take the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("way", help="the name of a peer")
    parser.add_argument("pair", type=Path, help="the folder of a pair")
    parser.add_argument("work", type=Path)
    given = parser.parse_args(words)
    way = ways.named(given.way)(pairs.read(given.pair), given.work)
    steps = {"prepare": way.prepare, "create": way.create, "apply": way.apply, "check": way.check}
    steps[given.step]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
