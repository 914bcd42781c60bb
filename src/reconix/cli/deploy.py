"""Bring a device to another generation and wait until it keeps it or comes back.

Asks the device through ssh which generation it runs, makes the stream from that one, and pipes it
to the agent. The device checks it, writes it to the boot slot that is not in use and restarts into
a trial. The command waits for the end of the trial and reports it: the generation is kept, or the
device is back at the old one and says why.

If the build store no longer has the generation of the device, or with --full, the stream needs
nothing on the device and is as large as a first installation. If the link is cut, the command goes
on where the device says it can, also when it is called again later; what arrived is not sent twice.

Exit status: 0 the device keeps the generation or had it already, 31, 50-59 and 80-89 the device
refused the stream, 78 the device cannot be reached, 79 it came back to the old generation.
"""

import argparse
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from typing import BinaryIO

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import chunks
from reconix.build.pins import Pin
from reconix.cli import parsers, places, remote
from reconix.cli.answers import answer
from reconix.cli.remote import DeviceStatus, Ended, NotReached, Refused, Remote
from reconix.cli.send import add_trust_arguments, make
from reconix.cli.sizes import human
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import StreamReader

_PAUSE_SECONDS = 3.0
_DEFAULT_WAIT_SECONDS = 900
_BACK_OFF_SECONDS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""How long to wait before each next try, as long as nothing arrives in between."""
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
    add_trust_arguments(parser)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    device = Remote.of(arguments)
    with ChrootStore(places.store(arguments)) as store:
        pin = files.pins(store, host).find(arguments.generation)
        before = _status(device, host.name)
        if before.committed == pin.path:
            _tell(arguments, pin, Delivered(pin.path, 0, 0, 0), "it has this generation already")
            return 0
        base = None if arguments.full else _base(store, before)
        delivery = Delivery(device, before, pin.path)
        sent_bytes, began = 0, time.monotonic()
        if str(pin.path) in before.installed:
            delivery.apply()
        else:
            with tempfile.TemporaryFile() as stream:
                make(arguments, files, store, [base] if base else [], pin, stream.write)
                sent_bytes = delivery.send(stream)
        send_seconds = time.monotonic() - began
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


@dataclass(frozen=True, slots=True)
class Delivery:
    """A generation on its way to a device."""

    device: Remote
    before: DeviceStatus
    target: StorePath

    def apply(self) -> None:
        """Let the agent try what it has received already."""
        try:
            with progress.stage(f"apply on {self.device.to}"):
                self._ask("apply", str(self.target))
        except NotReached as error:  # a device that restarts at once may not say good-bye
            if not self._has_arrived(self._status_later(0, error)):
                raise

    def _ask(self, *words: str) -> None:
        with self.device.agent(*words):
            pass

    def send(self, stream: BinaryIO) -> int:
        """Let the agent receive a stream, in as many pieces as the link makes of it.

        Gives how many bytes were sent.

        Raises:
            NotReached: the link is cut again and again, and nothing arrives in between.
        """
        stream.seek(0)
        name = StreamReader(stream.read).prove().name
        size, sent, failures, offset = stream.seek(0, os.SEEK_END), 0, 0, self._offset(name)
        with progress.stage(f"send to {self.device.to}", total=size) as stage:
            stage.advance(offset)
            while True:
                try:
                    self._send_from(stream, offset, stage)
                    return sent + size - offset
                except NotReached as error:
                    sent += stream.tell() - offset
                    if self._has_arrived(self._status_later(failures, error)):
                        return sent
                    before, offset = offset, self._offset(name)
                    failures = 0 if offset > before else failures + 1

    def _send_from(self, stream: BinaryIO, offset: int, stage: progress.Stage) -> None:
        stream.seek(offset)
        resume = ["--resume-at", str(offset)] if offset else []
        with self.device.agent("receive", *resume) as sink:
            for chunk in chunks(stream):
                sink.write(chunk)
                stage.advance(len(chunk))

    def _offset(self, name: str) -> int:
        """From which byte on the device needs the stream of that name."""
        try:
            arrived = self.device.arrived()
        except Refused:
            return 0
        return arrived.offset if arrived.stream == name else 0

    def _status_later(self, failures: int, error: NotReached) -> DeviceStatus:
        """How a device is that was cut off; it may take a while to come back."""
        progress.note(f"{self.device.to} is cut off; trying again")
        for seconds in _BACK_OFF_SECONDS[failures:]:
            time.sleep(seconds)
            with contextlib.suppress(NotReached):
                return self.device.status()
        raise error

    def _has_arrived(self, now: DeviceStatus) -> bool:
        """Whether a device whose link ended got all that it needs, and restarts or has done so."""
        is_new_boot = now.boot_id != self.before.boot_id
        tried = now.on_trial == str(self.target) or now.committed == self.target
        return tried or (is_new_boot and now.last is not None and now.last != self.before.last)


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
