"""Where the system partition of a disk image lies.

Proven by ``tests/crash/test_prover.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.prove import uefi
from reconix.prove.cells import map_file
from reconix.prove.uefi import Found

SYSTEM = "system"


class NoSystemPartition(ReconixError):
    """A disk image is not one of ours."""

    exit_code = 36


def system_partition(image: Path) -> Found:
    """Find it as a firmware does.

    Raises:
        NoSystemPartition: there is none.
    """
    content = map_file(image)
    table = uefi.tables(lambda at, size: content[at : at + size], len(content)).used or ()
    for found in table:
        if found.name == SYSTEM:
            return found
    raise NoSystemPartition(f"{image} has no system partition", hint="make it with `reconix image`")
