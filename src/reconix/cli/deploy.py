"""Bring a device to another generation and wait until it keeps it or comes back.

Asks the device through ssh which generation it runs, makes the stream from that one, and pipes it
to the agent. The device checks it, writes it to the boot slot that is not in use and restarts into
a trial. The command waits for the end of the trial and reports it: the generation is kept, or the
device is back at the old one and says why.

If the build store no longer has the generation of the device, or with --full, the stream needs
nothing on the device and is as large as a first installation. A stream that was interrupted is sent
again with the same command; what the device has received whole is not received twice.

Exit status: 0 the device keeps the generation or had it already, 50-59 the device refused the
stream, 78 the device cannot be reached, 79 it came back to the old generation.
"""

import argparse
import time
from dataclasses import dataclass

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.build.pins import Pin
from reconix.cli import parsers, places, remote
from reconix.cli.answers import answer
from reconix.cli.projects import ProjectFiles
from reconix.cli.remote import DeviceStatus, Ended, NotReached, Remote
from reconix.cli.sizes import human
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.transfer import send
from reconix.transfer.send import Sent

_PAUSE_SECONDS = 3.0
_DEFAULT_WAIT_SECONDS = 900
_BUSY_PHASES = ("armed", "on-trial", "rejected")


class WrongHost(ReconixError):
    """The device is one of another kind."""

    exit_code = 2


class FellBack(ReconixError):
    """A device tried a generation and came back."""

    exit_code = 79

    def __init__(self, to: str, ended: Ended) -> None:
        because = ": ".join(part for part in (ended.reason, ended.what) if part)
        said = "".join(f"\n    {line}" for line in ended.said.splitlines())
        super().__init__(
            f"{to} came back to its old generation, because: {because or 'unknown'}{said}",
            hint="repair it, build again and deploy again; the device is as it was before",
        )


class NoOutcome(ReconixError):
    """It is not known yet how a trial ended."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class Delivered:
    """What it took to bring a generation to a device."""

    base: StorePath | None
    sent_bytes: int
    send_seconds: float
    trial_seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    remote.add_arguments(parser, required=True)
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        default="latest",
        help="number or store path of a built generation (default: the latest)",
    )
    parser.add_argument(
        "--full", action="store_true", help="send everything, whatever the device has"
    )
    parser.add_argument(
        "--wait",
        type=int,
        metavar="SECONDS",
        default=_DEFAULT_WAIT_SECONDS,
        help="how long to wait for the end of the trial (default: %(default)s; 0: do not wait)",
    )
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy."""
    files = ProjectFiles.read(arguments)
    host = files.host(arguments.host)
    device = Remote.of(arguments)
    with ChrootStore(places.store(arguments)) as store:
        pin = files.pins(store, host).find(arguments.generation)
        before = _status(device, host.name)
        if before.committed == pin.path:
            _tell(arguments, pin, Delivered(pin.path, 0, 0, 0), "it has this generation already")
            return 0
        base = None if arguments.full else _base(store, before)
        sent_bytes, send_seconds = _send(device, store, base, pin.path)
    began = time.monotonic()
    if arguments.wait:
        _wait(device, before, pin.path, seconds=arguments.wait)
    delivered = Delivered(base, sent_bytes, send_seconds, time.monotonic() - began)
    _tell(arguments, pin, delivered, "it is kept" if arguments.wait else "its trial begins")
    return 0


def _status(device: Remote, host: str) -> DeviceStatus:
    """How the device is before anything is done.

    Raises:
        WrongHost: it is a device of another kind.
    """
    status = device.status()
    if status.host != host:
        raise WrongHost(f"{device.to} is a {status.host}, not a {host}")
    return status


def _base(store: ChrootStore, status: DeviceStatus) -> StorePath | None:
    """What the stream can build on."""
    if store.is_valid(status.committed):
        return status.committed
    progress.note(f"{status.committed} is not in the build store; everything is sent")
    return None


def _send(
    device: Remote, store: ChrootStore, base: StorePath | None, target: StorePath
) -> tuple[int, float]:
    """Make the stream and let the agent receive it; gives its size and the time it took."""
    began = time.monotonic()
    sent: Sent | None = None
    try:
        with progress.stage(f"send to {device.to}"), device.agent("receive") as sink:
            sent = send.create(store, base, target, sink.write)
    except NotReached:
        # A device that restarts at once may end the connection before the agent has ended.
        if sent is None:
            raise
    return sent.size_bytes, time.monotonic() - began


def _wait(device: Remote, before: DeviceStatus, target: StorePath, *, seconds: float) -> None:
    """Wait until the device has kept the generation.

    Raises:
        FellBack: it has not.
        NoOutcome: nothing is known when the time is over.
    """
    deadline = time.monotonic() + seconds
    with progress.stage("trial"):
        while time.monotonic() < deadline:
            time.sleep(_PAUSE_SECONDS)
            now = _ask(device)
            if now is not None and is_over(before, now, target):
                return _judge(device, now, target)
    raise NoOutcome(
        f"{device.to}: no outcome of the trial after {seconds:g} s",
        hint=f"ask later: reconix status --to {device.to}",
    )


def _ask(device: Remote) -> DeviceStatus | None:
    """How the device is; nothing while it restarts."""
    try:
        return device.status()
    except NotReached:
        return None


def is_over(before: DeviceStatus, now: DeviceStatus, target: StorePath) -> bool:
    """Whether a trial that was started after ``before`` has ended.

    It has ended when the generation is committed, or when the device has restarted and neither
    tries it nor is about to.
    """
    if now.committed == target:
        return True
    return now.boot_id != before.boot_id and now.phase not in _BUSY_PHASES


def _judge(device: Remote, now: DeviceStatus, target: StorePath) -> None:
    """Raise what a trial ended with, unless the generation is kept."""
    if now.committed == target:
        return
    if now.last is not None and now.last.generation == str(target):
        raise FellBack(device.to, now.last)
    raise FellBack(device.to, Ended("fell-back", str(target), "it does not say", "", ""))


def _tell(arguments: argparse.Namespace, pin: Pin, delivered: Delivered, outcome: str) -> None:
    answer(
        arguments,
        text=f"{arguments.to}: generation {pin.number}: {outcome} "
        f"({human(delivered.sent_bytes)} sent in {delivered.send_seconds:.0f} s, "
        f"trial {delivered.trial_seconds:.0f} s)",
        document={
            "to": arguments.to,
            "number": pin.number,
            "generation": str(pin.path),
            "base": None if delivered.base is None else str(delivered.base),
            "sent_bytes": delivered.sent_bytes,
            "send_milliseconds": int(delivered.send_seconds * 1000),
            "trial_milliseconds": int(delivered.trial_seconds * 1000),
            "outcome": outcome,
        },
    )
