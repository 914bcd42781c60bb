"""Copy a file or a folder to a device, or from it.

A path on the device begins with a colon:

    reconix cp site.conf :/etc/nginx/sites-enabled/    into a folder
    reconix cp :/var/log/air.log .                     and back
    reconix cp build/air :                             into the home of the user

Without --to it is the virtual device that `reconix run` has started. The copy appears when it is
whole. On the device it belongs to whoever logs in, and is gone after a restart unless the
configuration says that its place persists: what shall stay belongs into the configuration.

Exit status: 0 success, 1 it cannot be copied, 78 the device cannot be reached.
"""

import argparse
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.cli import needs
from reconix.cli.shell import add_device_arguments, device_of
from reconix.fleet.copying import from_device, to_device

_DEVICE = ":"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("source", help="what")
    parser.add_argument("target", help="where to: a folder, or the name of the copy")
    add_device_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Copy."""
    source, target = arguments.source, arguments.target
    if source.startswith(_DEVICE) == target.startswith(_DEVICE):
        raise UsageError(
            "one of the two must be on the device, and only one",
            hint="a path on the device begins with a colon: reconix cp FILE :/tmp/",
        )
    needs.expect(*needs.NEEDED_BY["cp"])
    _, device = device_of(arguments)
    if target.startswith(_DEVICE):
        to_device(device, Path(source), target.removeprefix(_DEVICE))
    else:
        from_device(device, source.removeprefix(_DEVICE), Path(target))
    return 0
