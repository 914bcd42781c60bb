"""What a process has in memory after much of it was free."""

import sys
from pathlib import Path

from reconix.base import memory
from reconix.base.process import run

_SOURCE = Path(memory.__file__).parents[2]
_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.base import memory
blocks = [bytes([number % 256]) * 65_000 for number in range(200)]
last = blocks[-1]  # behind all of them
del blocks
if sys.argv[2] == "told":
    memory.give_back()
print(Path("/proc/self/statm").read_text().split()[1])
"""


def resident_pages(word: str) -> int:
    return int(run(sys.executable, "-I", "-S", "-c", _CHILD, str(_SOURCE), word))


def test_what_is_free_between_blocks_in_use_is_given_back() -> None:
    kept, given_back = resident_pages("untold"), resident_pages("told")
    assert given_back < kept - (8 << 20) // 4096
