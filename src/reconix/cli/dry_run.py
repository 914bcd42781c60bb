"""What `reconix deploy --dry-run` does: all that a deployment does before it sends.

Tested by ``tests/unit/cli/test_dry_run.py``.
"""

import argparse
import tempfile
from dataclasses import dataclass

from reconix.base.files import write_durably
from reconix.build.pins import Pin
from reconix.cli import dry_run_answer, generations, places, ssh
from reconix.cli.answers import answer
from reconix.cli.dry_run_answer import DryRun
from reconix.cli.send import make
from reconix.composition.reach import system_changes
from reconix.config.schema.hosts import Host
from reconix.fleet.delivery import Delivery
from reconix.fleet.forecast.forecast import forecast
from reconix.fleet.forecast.interruption import interruption
from reconix.fleet.forecast.slot import Unwritten
from reconix.fleet.remote import DeviceStatus
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath
from reconix.transfer.sending.send import Sent


@dataclass(frozen=True, slots=True)
class _Ends:
    """What a device has, and what it shall have.

    Attributes:
        target: that.
        base: what the stream starts from; ``None``: from nothing.
        delivery: to the device, if it was asked.
    """

    target: Pin
    base: StorePath | None
    delivery: Delivery | None

    @property
    def is_done(self) -> bool:
        """Whether the device has it already."""
        if self.delivery is not None:
            return self.delivery.is_committed
        return self.base == self.target.path

    @property
    def is_there(self) -> bool:
        """Whether nothing is to be sent."""
        return self.delivery is not None and self.delivery.is_installed

    @property
    def status(self) -> DeviceStatus | None:
        """What the device says."""
        return None if self.delivery is None else self.delivery.before


def run(arguments: argparse.Namespace, files: ProjectFiles, host: Host) -> int:
    """Say what it would take to deploy."""
    with ChrootStore(places.store(arguments)) as store:
        ends = _ends(arguments, files, store, host)
        if ends.is_done:
            return _tell_done(arguments, ends)
        found = _dry_run(arguments, files, store, host, ends)
        dry_run_answer.tell(arguments, found)
        if arguments.svg is not None:
            write_durably(arguments.svg.absolute(), dry_run_answer.picture(found).encode())
        return found.exit_code


def _ends(
    arguments: argparse.Namespace, files: ProjectFiles, store: ChrootStore, host: Host
) -> _Ends:
    find = generations.finder(arguments, files, store, host)
    target = find(arguments.generation)
    if arguments.base is not None:
        return _Ends(target, None if arguments.full else find(arguments.base).path, None)
    device = ssh.device(arguments, files.workplace(host), host)
    delivery = Delivery.begin(device, host.name, target.path, restarts=arguments.restart)
    return _Ends(target, None if arguments.full else delivery.base(store), delivery)


def _dry_run(
    arguments: argparse.Namespace,
    files: ProjectFiles,
    store: ChrootStore,
    host: Host,
    ends: _Ends,
) -> DryRun:
    sent, left_bytes = _made(arguments, files, store, ends)
    base = None if ends.base is None else read_generation(store.store_dir, ends.base)
    target = read_generation(store.store_dir, ends.target.path)
    running = "" if ends.status is None else ends.status.system
    return DryRun(
        host=host,
        budgets=files.configuration.project.budgets,
        base=base,
        target=target,
        number=ends.target.number,
        forecast=forecast(store, target.path, sent, _held(store, host, ends.status)),
        status=ends.status,
        link=arguments.link,
        interruption=interruption(store, base, target, running=running, restarts=arguments.restart),
        running=running or (base or target).default,
        reach=system_changes(store, base, target),
        left_bytes=left_bytes,
    )


def _made(
    arguments: argparse.Namespace, files: ProjectFiles, store: ChrootStore, ends: _Ends
) -> tuple[Sent | None, int]:
    """Make the stream; gives how much of it the device has not yet."""
    if ends.is_there:
        return None, 0
    bases = [] if ends.base is None else [ends.base]
    with tempfile.TemporaryFile() as stream:
        sent = make(arguments, files, store, bases, ends.target, stream.write)
        left = sent.size_bytes if ends.delivery is None else ends.delivery.left_bytes(stream)
    return sent, left


def _held(store: ChrootStore, host: Host, status: DeviceStatus | None) -> StorePath | Unwritten:
    """What is in the slot that is written: what was tried last, or what ran before."""
    if status is None or host.machine.boot.slots != 2:
        return Unwritten.ANYTHING
    last = "" if status.last is None else status.last.generation
    path = last if last not in ("", str(status.committed)) else status.previous
    if not path:
        return Unwritten.ZEROS
    held = StorePath.parse(path)
    return held if store.is_valid(held) else Unwritten.ANYTHING


def _tell_done(arguments: argparse.Namespace, ends: _Ends) -> int:
    outcome = "it has this generation already"
    answer(
        arguments,
        text=f"generation {ends.target.number}: {outcome}, nothing is to be done",
        document={
            "dry_run": True,
            "generation": str(ends.target.path),
            "number": ends.target.number,
            "outcome": outcome,
        },
    )
    return 0
