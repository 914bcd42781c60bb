"""Make a disk boot again whose two partition tables are damaged.

    reconix rescue /dev/sdX --slot 2

The disk is at this computer, or is a file. It has a copy of the entries for each slot near both of
its ends; any that is complete says where the partitions are, and the headers are made again from
it. If one of the two tables can be used, only the other is repaired, and --slot does not count.
Partitions are neither written nor read. `docs/rescue.md` says which slot is meant, and what to do
when this does not help.

The agent of a device does the same, but only under the Python that it was compiled for.

Exit status: 0 the disk has two good tables, 30 no copy of the entries is complete, or this is no
disk of ours.
"""

import argparse
from pathlib import Path

from reconix.boot.disk import DiskFile
from reconix.boot.rescue import rescue
from reconix.boot.tables import Slot
from reconix.cli.answers import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("disk", type=Path, help="the whole disk, or a file with all of it")
    parser.add_argument(
        "--slot", metavar="N", type=int, required=True, help="the slot that shall boot"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the tables."""
    with DiskFile(arguments.disk, exclusive=True) as disk:
        done = rescue(disk, Slot(arguments.slot))
    for fact in done or ("nothing is damaged",):
        say(fact)
    return 0
