"""A generation on its way to a device: through a link that may be cut, as often as it brings more.

The device says how much of the stream it has, so what arrived is not sent twice. A device that
restarts at once may not say good-bye; its status tells afterwards whether it had all it needed.
Only commands that every agent knows are used, however old it is.

Tested by ``tests/unit/fleet/test_delivery.py``, with the agent itself behind a link that is cut.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from typing import BinaryIO

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import chunks
from reconix.fleet.remote import DeviceStatus, NotReached, Refused, Remote
from reconix.nix.chroot import ChrootStore
from reconix.store.layout import LAYOUT, OtherLayout
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import StreamReader

BACK_OFF_SECONDS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""How long to wait before each next try, as long as nothing arrives in between."""


class WrongHost(ReconixError):
    """The device is one of another kind."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """One generation for one device.

    Attributes:
        device: gets it.
        before: how the device was before anything was done.
        target: the generation.
        back_off_seconds: the pauses before each next try.
        repairs: what is brought again of a generation that is there; nothing: all of one.
        restarts: whether it is tried by a restart although it touches nothing that runs there.
        is_live: whether it is only to run until the next boot.
    """

    device: Remote
    before: DeviceStatus
    target: StorePath
    back_off_seconds: tuple[float, ...] = BACK_OFF_SECONDS
    repairs: frozenset[bytes] = frozenset()
    restarts: bool = False
    is_live: bool = False

    @classmethod
    def begin(
        cls,
        device: Remote,
        host: str,
        target: StorePath,
        *,
        restarts: bool = False,
        is_live: bool = False,
    ) -> "Delivery":
        """Ask the device how it is.

        Raises:
            WrongHost: it is a device of another kind.
            OtherLayout: no stream of this release can be installed there.
            NotReached: it does not answer.
        """
        status = device.status()
        if status.host != host:
            raise WrongHost(f"{device.to} is a {status.host}, not a {host}")
        if status.layout != LAYOUT:
            raise OtherLayout(f"the disk of {device.to}", status.layout)
        return cls(device, status, target, restarts=restarts, is_live=is_live)

    @property
    def is_committed(self) -> bool:
        """Whether the device had committed the generation before."""
        return self.before.committed == self.target

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be done: what was to run does, or what was to be kept is."""
        return self.before.runs == str(self.target) if self.is_live else self.is_committed

    @property
    def is_installed(self) -> bool:
        """Whether the device had received the generation before."""
        return str(self.target) in self.before.installed

    def base(self, store: ChrootStore) -> StorePath | None:
        """What a stream from this store can build on, if anything."""
        if store.is_valid(self.before.committed):
            return self.before.committed
        progress.note(f"{self.before.committed} is not in the build store; everything is sent")
        return None

    def apply(self) -> None:
        """Let the agent try what it has received already."""
        try:
            with progress.stage(f"apply on {self.device.to}"):
                self._ask("apply", str(self.target), *self._how)
        except NotReached as error:  # a device that restarts at once may not say good-bye
            if not self._has_arrived(self._status_later(0, error)):
                raise

    def go_live(self) -> None:
        """Let the agent start what it has received, until the next boot.

        Raises:
            Refused: the agent does not.
        """
        try:
            with progress.stage(f"start it on {self.device.to}"):
                self._ask("live", str(self.target))
        except NotReached as error:  # what stops there does not say good-bye
            progress.note(str(error))

    @property
    def _how(self) -> tuple[str, ...]:
        """Options that only agents know which need them."""
        if self.is_live:
            return ("--no-apply",)
        return ("--restart",) if self.restarts else ()

    def _ask(self, *words: str) -> None:
        with self.device.agent(*words):
            pass

    def send(self, stream: BinaryIO) -> int:
        """Let the agent receive a stream, in as many pieces as the link makes of it.

        Gives how many bytes were sent.

        Raises:
            NotReached: the link is cut again and again, and nothing arrives in between.
        """
        name, size = _named(stream)
        sent, failures, offset = 0, 0, self._offset(name)
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

    def left_bytes(self, stream: BinaryIO) -> int:
        """How much of a stream the device has not yet."""
        name, size = _named(stream)
        return size - self._offset(name)

    def _send_from(self, stream: BinaryIO, offset: int, stage: progress.Stage) -> None:
        stream.seek(offset)
        resume = ["--resume-at", str(offset)] if offset else []
        with self.device.agent("receive", *resume, *self._how) as sink:
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
        for seconds in self.back_off_seconds[failures:]:
            time.sleep(seconds)
            with contextlib.suppress(NotReached):
                return self.device.status()
        raise error

    def _has_arrived(self, now: DeviceStatus) -> bool:
        """Whether a device whose link ended got all that it needs, and restarts or has done so."""
        if self.repairs:
            return self.repairs.isdisjoint(each.digest for each in now.damaged)
        if self.is_live:
            return str(self.target) in now.installed
        is_new_boot = now.boot_id != self.before.boot_id
        tried = now.on_trial == str(self.target) or now.committed == self.target
        return tried or (is_new_boot and now.last is not None and now.last != self.before.last)


def _named(stream: BinaryIO) -> tuple[str, int]:
    """Name and size of a stream."""
    stream.seek(0)
    name = StreamReader(stream.read).read_head().name
    return name, stream.seek(0, os.SEEK_END)
