"""Show what a device has logged since its kernel started.

All of it, or what one unit or container said: `reconix logs nginx`. With --follow, also what comes
from now on, until Ctrl-C. Without --to it is the virtual device that `reconix run` has started.
Characters that would change your terminal are spelt out.

Exit status: 0 success, 78 the device cannot be reached.
"""

import argparse
from collections.abc import Collection

from reconix.base.text import one_line
from reconix.cli.answers import say
from reconix.cli.shell import add_device_arguments, containers_of, device_of
from reconix.config.schema.containers import container_unit

_LINES = 200
_LINE_BYTES = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("unit", nargs="?", help="of which unit or container (default: of all)")
    parser.add_argument("-f", "--follow", action="store_true", help="show what comes, too")
    parser.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=int,
        default=_LINES,
        help="how many of the last lines (default: %(default)s; 0: all)",
    )
    add_device_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    host, device = device_of(arguments)
    with device.hearing(*_words(arguments, containers_of(host))) as source:
        while line := source.readline(_LINE_BYTES):
            say(one_line(line.decode(errors="replace").rstrip("\n")))
    return 0


def _words(arguments: argparse.Namespace, containers: Collection[str]) -> list[str]:
    unit: str | None = arguments.unit
    return [
        *("journalctl", "--boot", "--no-pager", "--quiet", "--no-hostname"),
        f"--lines={arguments.lines or 'all'}",
        *(["--follow"] if arguments.follow else []),
        *([f"--unit={unit}"] if unit else []),
        *([f"--unit={container_unit(unit)}"] if unit and unit in containers else []),
    ]
