"""The options that say which device is meant and how ssh gets there.

Tested by ``tests/unit/cli/test_ssh.py``.
"""

import argparse

from reconix.cli import needs
from reconix.fleet.remote import Remote


def add_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that say which device is meant and how ssh gets there."""
    parser.add_argument(
        "--to", required=required, metavar="USER@ADDR", help="the device, as ssh is told"
    )
    parser.add_argument("-p", "--port", type=int, metavar="PORT", help="port of the device's ssh")
    parser.add_argument("-i", "--identity", metavar="FILE", help="key to log in with")
    parser.add_argument(
        "-o",
        "--ssh-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of ssh, as ssh_config(5) has it; may be given several times",
    )


def remote(arguments: argparse.Namespace) -> Remote:
    """The device that a command was told."""
    needs.expect(*needs.REACH)
    options = [word for each in arguments.ssh_option for word in ("-o", each)]
    if arguments.port is not None:
        options += ["-p", str(arguments.port)]
    if arguments.identity is not None:
        options += ["-i", arguments.identity]
    return Remote(arguments.to, tuple(options))
