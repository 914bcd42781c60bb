"""Where the partitions of a disk image lie.

Tested by ``tests/unit/prove/test_oracle.py`` and ``tests/crash/test_prover.py``.
"""

from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.prove import uefi
from reconix.prove.blocks import map_file
from reconix.prove.uefi import Found

SYSTEM, DATA = "system", "data"


class NoSuchPartition(ReconixError):
    """A disk image is not one of ours."""

    exit_code = 36


def partition(image: Path, name: str) -> Found:
    """Find a partition as a firmware does.

    Raises:
        NoSuchPartition: there is none of that name.
    """
    content = map_file(image)
    table = uefi.tables(lambda at, size: content[at : at + size], len(content)).used or ()
    for found in table:
        if found.name == name:
            return found
    raise NoSuchPartition(f"{image} has no partition {name}", hint="make it with `reconix image`")
