"""Log in to a device, or run a command there.

Without --to it is the virtual device that `reconix run` has started: its port and the key to log in
with are known. The host key that it shows first is remembered until it is started with --fresh. A
device that is named with --to is reached by your own ssh as it is set up.

With the name of a system, one logs in only if that system runs. With --start it is started first if
another one runs: once, as by `reconix-device boot SYSTEM --now`. With --container one is in that
container, as by `reconix-device exec`.

Exit status: that of the shell or the command; 70 another system runs, 78 the device cannot be
reached.
"""

import argparse
import contextlib
import shlex

from reconix.base import progress
from reconix.base.clock import turns
from reconix.base.errors import ReconixError, UsageError
from reconix.cli import places, ssh
from reconix.config.schema.hosts import Host
from reconix.fleet.remote import AGENT, NotReached, Remote
from reconix.project.files import ProjectFiles

_START_SECONDS = 600.0
_PAUSE_SECONDS = 2.0


class AnotherSystem(ReconixError):
    """A device runs another system than the one that was asked for."""

    exit_code = 70


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("system", nargs="?", help="the system that must run (default: any)")
    parser.add_argument("-c", "--command", metavar="COMMAND", default="", help="run only this")
    parser.add_argument(
        "--start", action="store_true", help="start the system first if another one runs"
    )
    parser.add_argument("--container", metavar="NAME", help="log in to this container")
    add_device_arguments(parser)


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which device is meant, of which host."""
    parser.add_argument("--host", metavar="HOST", help="which host (default: the only one)")
    ssh.add_arguments(parser, virtual=True)


def device_of(arguments: argparse.Namespace) -> tuple[Host, Remote]:
    """The device that is meant, and its host."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    return host, ssh.device(arguments, files.workplace(host), host)


def run(arguments: argparse.Namespace) -> int:
    """Log in."""
    host, device = device_of(arguments)
    if arguments.system is not None:
        _expect(host, device, arguments.system, start=arguments.start)
    elif arguments.start:
        raise UsageError("--start: which system?", hint=f"one of: {', '.join(_systems(host))}")
    if arguments.container is not None:
        return device.log_in(_in_container(host, arguments.container, arguments.command))
    return device.log_in(arguments.command)


def containers_of(host: Host) -> list[str]:
    """The containers of all systems of a host."""
    return sorted({name for system in host.systems.values() for name in system.containers})


def _in_container(host: Host, name: str, command: str) -> str:
    known = containers_of(host)
    if name not in known:
        raise UsageError(
            f"{host.name} has no container {name!r}",
            hint=f"there are: {', '.join(known) or 'none'}",
        )
    words = ["/bin/sh", "-c", command] if command else []
    return shlex.join([AGENT, "exec", name, *words])


def _systems(host: Host) -> list[str]:
    return sorted({*host.systems, *host.nixos})


def _expect(host: Host, device: Remote, system: str, *, start: bool) -> None:
    if system not in _systems(host):
        raise UsageError(
            f"{host.name} has no system {system!r}", hint=f"there are: {', '.join(_systems(host))}"
        )
    running = device.status().system
    if running == system:
        return
    if not start:
        raise AnotherSystem(
            f"{device.to} runs {running or 'nothing that it knows'}, not {system}",
            hint=f"start it first: reconix shell {system} --start",
        )
    with progress.stage(f"start {system}"):
        _start(device, system)


def _start(device: Remote, system: str) -> None:
    """Let a system take over once, and wait until it runs."""
    try:
        with device.agent("boot", system, "--now"):
            pass
    except NotReached:
        pass  # the connection ended with the system that it was to
    for _ in turns(_PAUSE_SECONDS, seconds=_START_SECONDS):
        with contextlib.suppress(NotReached):
            if device.status().system == system:
                return
    raise AnotherSystem(
        f"{device.to} does not run {system} after {_START_SECONDS:g} s",
        hint=f"see why: {device.status_command}",
    )
