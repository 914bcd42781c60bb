"""Which device is meant, and how ssh gets there.

A device that is named with ``--to`` is reached by the user's own ssh as it is set up, with its own
list of known hosts: what a new key means is asked or refused as everywhere else.

Without it the virtual device is meant that runs here. The way there is known to the project: the
port on 127.0.0.1, and the secret half of the key that may log in. Nobody stands between, and yet
its host key is remembered when it is first seen, beside its disk, and compared from then on: a
device that lost its key has a fault that a real one would have, too.

Tested by ``tests/unit/cli/test_ssh.py``.
"""

import argparse

from reconix.base.errors import UsageError
from reconix.cli import needs
from reconix.config.schema.hosts import Host
from reconix.fleet.remote import Remote
from reconix.project import virtual_device
from reconix.project.virtual_device import DeviceLogin
from reconix.project.workplace import Workplace


def add_arguments(parser: argparse.ArgumentParser, *, virtual: bool) -> None:
    """Add the options that say which device is meant and how ssh gets there.

    Args:
        parser: of the command.
        virtual: whether the virtual device is meant if none is named.
    """
    otherwise = " (default: the virtual device that runs)" if virtual else ""
    parser.add_argument("--to", metavar="USER@ADDR", help=f"the device, as ssh is told{otherwise}")
    add_way_arguments(parser)


def add_way_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how ssh gets there."""
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
    options = _own_options(arguments)
    if arguments.port is not None:
        options += ["-p", str(arguments.port)]
    if arguments.identity is not None:
        options += ["-i", arguments.identity]
    return Remote(arguments.to, tuple(options))


def device(arguments: argparse.Namespace, workplace: Workplace, host: Host) -> Remote:
    """The device that a command was told, else the virtual one that runs.

    A command may have none of the options about the way.

    Raises:
        NotRunning: none does.
    """
    if getattr(arguments, "to", None) is not None:
        return remote(arguments)
    return _virtual(arguments, workplace, host)


def _virtual(arguments: argparse.Namespace, workplace: Workplace, host: Host) -> Remote:
    """The virtual device that runs.

    Raises:
        NotRunning: none does.
    """
    needs.expect(*needs.REACH)
    if getattr(arguments, "port", None) is not None:
        raise UsageError("--port goes with --to: the port of a virtual device is known")
    login = virtual_device.login(workplace, host)
    identity = getattr(arguments, "identity", None)
    options = [*_own_options(arguments), *_options_of(login, host, identity)]
    again = (
        f"is it starting? Its console: {workplace.vm / 'console.log'}. "
        f"If it has a new key, as after a factory reset: rm {login.known_hosts}"
    )
    to = f"{login.user}@127.0.0.1"
    return Remote(to, tuple(options), hint=again, status_command="reconix status --device")


def _own_options(arguments: argparse.Namespace) -> list[str]:
    given: list[str] = getattr(arguments, "ssh_option", [])
    return [word for each in given for word in ("-o", each)]


def _options_of(login: DeviceLogin, host: Host, identity: str | None) -> list[str]:
    """What ssh is told of a virtual device; nothing of the user's own ssh is used or changed."""
    key = identity or (str(login.key) if login.key else None)
    known = str(login.known_hosts).replace("%", "%%")
    settings = [
        f"HostKeyAlias={host.name}",
        f'UserKnownHostsFile="{known}"',
        "GlobalKnownHostsFile=none",
        "StrictHostKeyChecking=accept-new",
        "LogLevel=ERROR",
        *(["IdentitiesOnly=yes"] if key else []),
    ]
    words = [word for each in settings for word in ("-o", each)]
    return ["-F", "none", "-p", str(login.port), *words, *(["-i", key] if key else [])]
