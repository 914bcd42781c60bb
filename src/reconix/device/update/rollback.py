"""Rolling back: leave what is on trial, or go back to the generation before this one.

Going back is an update like any other: the previous generation is written to an idle slot, which
costs nothing where it still lies there, and tried. So it must come up healthy as well, and if it
does not, the device stays where it is. Where it changes nothing of what runs, it is committed at
once (``untouched.py``), and where only containers, these are changed while all else goes on
(``live.py``), unless nothing may be interrupted.

What somebody has gone back from is not retried by a timer: the ledger has it (``retry.py``).

Tested by ``tests/unit/device/update/test_rollback.py``.
"""

from enum import Enum

from reconix.base.errors import ReconixError
from reconix.boot.transitions import Cancelled
from reconix.boot.trial import Phase, Reason
from reconix.device.device import Device
from reconix.device.state.ledger import read_ledger, write_ledger
from reconix.device.state.record import record
from reconix.device.trial.arm import disarm
from reconix.device.update.apply import apply
from reconix.device.update.live import change_containers
from reconix.device.update.untouched import adopt
from reconix.store.paths import StorePath


class NothingBefore(ReconixError):
    """There is no previous generation."""

    exit_code = 76

    def __init__(self) -> None:
        super().__init__(
            "there is no previous generation", hint="the first confirmed update leaves one"
        )


class RolledBack(Enum):
    """What was done."""

    LEFT_TRIAL = "left the generation on trial"
    DISARMED = "disarmed the generation that was to be tried"
    AT_ONCE = "committed the previous generation again; nothing of what runs has changed"
    CONTAINERS = "committed the previous generation again, with its containers, without a restart"
    PREVIOUS = "the next boot tries the previous generation"

    @property
    def needs_restart(self) -> bool:
        """Whether it takes effect at a restart."""
        return self in (RolledBack.LEFT_TRIAL, RolledBack.PREVIOUS)


def rollback(device: Device, *, interrupts: bool = False) -> RolledBack:
    """Undo the last thing that was done; must be called under ``exclusive_rw``.

    Args:
        device: to change.
        interrupts: whether containers that run may be stopped for it now.

    Raises:
        NothingBefore: nothing was done yet.
        ContainersNotKept: those of the generation before are not healthy; those of now run again.
    """
    state = device.recall()
    if state.is_on_trial:
        record(device.paths, state, Cancelled())
        return RolledBack.LEFT_TRIAL
    if state.phase is not Phase.IDLE:
        disarm(device, state)
        record(device.paths, state, Cancelled())
        return RolledBack.DISARMED
    if state.previous is None:
        raise NothingBefore
    previous = StorePath.parse(state.previous)
    leave_for(device, state.previous)
    if adopt(device, previous) is not None:
        return RolledBack.AT_ONCE
    if interrupts and change_containers(device, previous) is not None:
        return RolledBack.CONTAINERS
    apply(device, previous)
    return RolledBack.PREVIOUS


def leave_for(device: Device, generation: str) -> None:
    """Note that an operator goes back to a generation, if it is the previous one.

    Must be called under ``exclusive_rw``. It is noted before it is done: a cut in between leaves a
    note about the committed generation, which means nothing as long as it is that.
    """
    state = device.recall()
    if generation == state.previous:
        ledger = read_ledger(device.paths.ledger)
        left = ledger.leaving(state.committed.generation, Reason.OPERATOR)
        write_ledger(device.paths.ledger, ledger, left)
