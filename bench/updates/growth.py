"""How our costs grow: the same kind of change in a tree and in one with ten times the files.

    python -m bench.updates.growth

Made-up trees with files of the sizes that programs and their data have. In each, one file in twenty
changes, one in a hundred is new, one in a hundred goes.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from bench.updates.__main__ import line, run
from bench.updates.ours import Reconix
from bench.updates.peers.peer import Pair

FILES, FACTOR = 2_000, 10
_CHANGED, _OTHER = 20, 100
_PER_FOLDER = 100
_MEAN_WORDS = 2_000


def main(words: list[str]) -> int:
    """Measure both sizes and print the factors."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates.growth", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="in the smaller tree")
    files: int = parser.parse_args(words).files
    with tempfile.TemporaryDirectory(prefix="reconix-growth-") as name:
        rows = []
        for count in (files, files * FACTOR):
            pair = Pair(str(count), Path(name, str(count)))
            make(pair, count)
            rows.append(run(pair, Reconix.name, Path(name, "work")))
            print(line(rows[-1]), flush=True)
    small, large = rows
    seconds = large.create_cpu_seconds / small.create_cpu_seconds
    memory = large.create_peak_bytes / small.create_peak_bytes
    print(f"{FACTOR} x the files: {seconds:.1f} x the processor time, {memory:.2f} x the memory")
    return 0


def make(pair: Pair, files: int) -> None:
    """Write both trees."""
    words = [random.Random(seed).randbytes(2 + seed % 10) for seed in range(4_000)]
    for number in range(files):
        content = _content(number, words)
        if number % _OTHER != 1:
            _write(pair.old, number, content)
        if number % _OTHER != 2:
            _write(pair.new, number, _changed(content) if number % _CHANGED == 3 else content)


def _content(number: int, words: list[bytes]) -> bytes:
    chance = random.Random(number)
    return b"".join(chance.choices(words, k=int(chance.expovariate(1 / _MEAN_WORDS)) + 1))


def _changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + b"changed" + content[middle:]


def _write(tree: Path, number: int, content: bytes) -> None:
    path = tree / f"usr/{number // _PER_FOLDER}/{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
