"""Commands of an update: receive, update, apply, rollback, confirm.

Tested by ``tests/unit/device/test_main.py`` and ``tests/unit/device/update/test_repository.py``.
"""

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base.files import write_durably
from reconix.base.records import dataclass
from reconix.boot.tables import Slot
from reconix.boot.trial import State
from reconix.device.commands.restarting import Tell, restart
from reconix.device.device import Device
from reconix.device.state.lock import exclusive_rw
from reconix.device.state.record import untried_text
from reconix.device.update.apply import apply
from reconix.device.update.confirm import confirm
from reconix.device.update.live import ContainersNotKept, change_containers
from reconix.device.update.receive import opened, receive, resuming
from reconix.device.update.repair import repair
from reconix.device.update.rollback import leave_for, rollback
from reconix.device.update.stall import until_stalled
from reconix.device.update.untouched import adopt
from reconix.device.update.window import waits
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import START_BYTES, Again, Read, is_repair
from reconix.transfer.receiving.spool import Spool

if TYPE_CHECKING:  # it is slow to import, and a stream that arrives needs none of it
    from reconix.device.update.repository import Available, Repository


@dataclass(frozen=True, slots=True)
class Link:
    """A stream that arrives.

    Attributes:
        descriptor: from which it is read.
        begins_at: the byte of the stream that comes first; what precedes it is on the device.
    """

    descriptor: int
    begins_at: int = 0


@dataclass(frozen=True, slots=True)
class Try:
    """How an installed generation is tried.

    Attributes:
        system: of the trial; None: the one that runs now.
        restarts: whether the device restarts into it, when it may.
        is_needed: whether it is tried although it changes nothing of what runs.
    """

    system: str | None = None
    restarts: bool = True
    is_needed: bool = False


def receive_update(device: Device, tell: Tell, source: Path | Link, then: Try | None) -> None:
    """Install what a stream brings, and try it; ``None``: only install it. Or repair with it."""
    with exclusive_rw(device.paths):
        generation = _receive(device, tell, source)
        if generation is None or then is None:
            return
        taken = _take(device, tell, generation, then)
    _end(device, tell, taken, then)


def _take(device: Device, tell: Tell, generation: StorePath, then: Try) -> State | Slot | None:
    """Commit an installed generation where that interrupts nothing, else arm its trial.

    Returns:
        What is remembered then, or the slot of the trial; ``None`` if it is committed already.
    """
    if not then.is_needed and then.system is None:
        changed = (
            _change_containers(device, tell, generation) if _interrupts(device, then) else None
        )
        committed = changed or adopt(device, generation)
        if committed is not None:
            return committed
    return apply(device, generation, system=then.system)


def _interrupts(device: Device, then: Try) -> bool:
    """Whether something that runs may be interrupted now."""
    return then.restarts and not waits(device, time.localtime())


def _change_containers(device: Device, tell: Tell, generation: StorePath) -> State | None:
    """Change containers without a restart, unless those before cannot be had again."""
    with _having_containers(tell):
        return change_containers(device, generation)


@contextlib.contextmanager
def _having_containers(tell: Tell) -> Iterator[None]:
    """Within this containers may be changed; if neither set runs then, the device restarts."""
    try:
        yield
    except ContainersNotKept as error:
        if not error.are_back:
            restart(tell)
        raise


def _receive(device: Device, tell: Tell, source: Path | Link) -> StorePath | None:
    """Take in a stream; ``None`` if it repairs what is there, which is not to be tried."""
    with _arriving(device, source) as (begun, spool, again):
        begin = _begin_of(begun)
        read = _after(begin, begun)
        if is_repair(begin):
            tell(str(repair(device, read, again)))
            return None
        generation = receive(device, read, spool, again)
    tell(f"installed {generation}")
    return generation


@contextlib.contextmanager
def _arriving(
    device: Device, source: Path | Link
) -> Iterator[tuple[Read, Spool | None, Again | None]]:
    """A stream, what keeps it, and what goes back in it."""
    if isinstance(source, Path):
        with opened(source) as (read, again):
            yield read, None, again
        return
    link = until_stalled(source.descriptor)
    with resuming(device, link, source.begins_at) as (read, spool):
        yield read, spool, None


def _begin_of(read: Read) -> bytes:
    """The first bytes of a stream, which say what kind it is."""
    found = b""
    with contextlib.suppress(OSError):  # whoever reads on meets it again
        while len(found) < START_BYTES and (more := read(START_BYTES - len(found))):
            found += more
    return found


def _after(begin: bytes, read: Read) -> Read:
    """What was read already, then the rest."""
    before = io.BytesIO(begin)
    return lambda size_bytes: before.read(size_bytes) or read(size_bytes)


def take_update(
    device: Device, tell: Tell, repository: "Repository", found: "Available", then: Try
) -> None:
    """Take what was found in a repository, and try it."""
    assert found.target is not None
    with exclusive_rw(device.paths):
        for offer in found.chain:
            tell(f"installed {repository.take(device, offer)}")
        taken = _take(device, tell, found.target, then)
    _end(device, tell, taken, then)


def apply_installed(device: Device, tell: Tell, generation: StorePath, then: Try) -> None:
    """Try a generation that is installed."""
    with exclusive_rw(device.paths):
        leave_for(device, str(generation))
        taken = _take(device, tell, generation, then)
    _end(device, tell, taken, then)


def _end(device: Device, tell: Tell, taken: State | Slot | None, then: Try) -> None:
    if taken is None:
        tell("this generation is already committed; nothing to do")
        return
    if isinstance(taken, State):
        tell("committed without a restart")
        if taken.untried:
            tell(untried_text(taken))
        return
    tell(f"the next boot tries slot {taken}")
    if not then.restarts:
        return
    if reason := waits(device, time.localtime()):
        tell(reason)
    else:
        restart(tell)


def roll_back(device: Device, tell: Tell, *, restarts: bool) -> None:
    """Leave the generation on trial, or try the one before this one."""
    with exclusive_rw(device.paths), _having_containers(tell):
        done = rollback(device, interrupts=restarts)
    tell(done.value)
    if restarts and done.needs_restart:
        restart(tell)


def confirm_running(device: Device, tell: Tell) -> None:
    """Confirm what is on trial, and the system that runs, as a schedule may require."""
    with exclusive_rw(device.paths):
        tell("confirmed" if confirm(device) else "already confirmed")
    write_durably(device.paths.is_confirmed, b"")
