"""The workload: everything that a device does around an update, one operation after the other.

    first boot          the agent finds out what runs
    receive, register   a stream is taken in; then its manifest
    collect             what was received and is not wanted is removed again
    receive again, register again
    write the slot
    arm
    boot of the trial
    confirm             the slot is selected; then the record, then collecting
    all of it again     the same stream once more, although the update is finished
    choose a system     where there is more than one
    order a reset       of everything that persists; it must not touch what boots
    roll back           the previous generation is written and armed
    boot of the roll-back
    leave it            an operator does not want it after all
    boot after that

Where the update does not touch the default system, ``untouched`` is another workload:

    first boot, receive, register
    adopt               the slot is written and selected while the system goes on
    boot after that
    adopt again         of what is committed
    go back             likewise, to the generation before
    boot after going back

Where it changes only containers of what runs, so is ``in_place``:

    first boot, receive, register
    take back           a new container does not come up, and those before run again
    change containers   the slot is written, containers change and are well, it is selected
    change again        what is done already
    boot after that
    restore containers  those of the generation before, at once
    change on top       the new ones once more, without a boot in between
    boot after all

Tested by ``tests/crash/test_prover.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.device.device import Device
from reconix.device.factory_reset import order_reset
from reconix.device.select.choose import choose_always
from reconix.device.update.apply import apply, write
from reconix.device.update.collect import collect
from reconix.device.update.confirm import confirm
from reconix.device.update.live import ContainersNotKept, change_containers
from reconix.device.update.receive import receive
from reconix.device.update.rollback import RolledBack, rollback
from reconix.device.update.untouched import adopt
from reconix.prove.rig import Rig
from reconix.store.generation import Generation


@dataclass(frozen=True, slots=True)
class Update:
    """What a device is brought from and to, and the stream that does it."""

    base: Generation
    target: Generation
    stream: Path


UPDATE = ("receive", "register", "write the slot", "arm", "boot of the trial", "confirm")
"""The operations of one update; everything else happens around it."""

Workload = Callable[[Rig, Update], None]
"""Some operations, one after the other."""


def everything(rig: Rig, update: Update) -> None:
    """Do all of it, in order."""
    rig.boot("first boot")
    receiving(rig, update)
    collecting(rig, update)
    rig.do("receive again", lambda device: _receive(device, update), installs="register again")
    trying(rig, update)
    confirming(rig, update)
    repeating(rig, update)
    _choose(rig, update)
    rig.do("order a reset", lambda device: order_reset(device, system=None))
    rig.do("roll back", rollback)
    rig.boot("boot of the roll-back")
    rig.do("leave it", rollback)
    rig.boot("boot after that")


def receiving(rig: Rig, update: Update) -> None:
    """Take the stream in."""
    rig.do("receive", lambda device: _receive(device, update), installs="register")


def collecting(rig: Rig, _: Update) -> None:
    """Remove what is not wanted."""
    rig.do("collect", lambda device: collect(device, device.recall()))


def trying(rig: Rig, update: Update) -> None:
    """Put the generation on trial."""
    target = update.target
    rig.do("write the slot", lambda device: write(device, target, system=target.default))
    rig.do("arm", lambda device: apply(device, target.path))
    rig.boot("boot of the trial")


def confirming(rig: Rig, _: Update) -> None:
    """Keep it."""
    rig.do("confirm", confirm)


def repeating(rig: Rig, update: Update) -> None:
    """Do what was done already."""

    def repeat(device: Device) -> None:
        _receive(device, update)
        apply(device, update.target.path)

    rig.do("all of it again", repeat)


def untouched(rig: Rig, update: Update) -> None:
    """An update that does not touch what runs, and the way back from it."""
    rig.boot("first boot")
    receiving(rig, update)
    rig.do("adopt", lambda device: adopt(device, update.target.path))
    rig.boot("boot after that")
    rig.do("adopt again", lambda device: adopt(device, update.target.path))
    rig.do("go back", rollback)
    rig.boot("boot after going back")


class NotInPlace(ReconixError):
    """Containers were not changed as the workload wants it, without any power cut."""

    exit_code = 36


def in_place(rig: Rig, update: Update) -> None:
    """An update of containers alone: not kept, kept, gone back from, and taken once more."""
    rig.boot("first boot")
    receiving(rig, update)
    taking_back(rig, update)
    changing(rig, update.target, "change containers")
    rig.do("change again", lambda device: change_containers(device, update.target.path))
    rig.boot("boot after that")
    rig.do("restore containers", _restore)
    changing(rig, update.target, "change on top")
    rig.boot("boot after all")


def taking_back(rig: Rig, update: Update) -> None:
    """Change containers of which one does not come up."""
    before = rig.services.running
    rig.do(
        "take back",
        lambda device: _not_kept(device, update.target),
        broken=rig.services.containers_of(update.target.system(update.target.default).toplevel),
    )
    if rig.services.running != before:
        raise NotInPlace("the containers before do not run again")


def changing(rig: Rig, to: Generation, name: str) -> None:
    """Change containers to those of an installed generation."""

    def change(device: Device) -> None:
        if change_containers(device, to.path) is None:
            raise NotInPlace(f"{to.path} changes more than containers of what runs")

    rig.do(name, change)


def _restore(device: Device) -> None:
    done = rollback(device, interrupts=True)
    if done is not RolledBack.CONTAINERS:
        raise NotInPlace(f"a roll-back did something else: {done.value}")


def _not_kept(device: Device, target: Generation) -> None:
    try:
        change_containers(device, target.path)
    except ContainersNotKept as error:
        if error.are_back:
            return
    raise NotInPlace("a container is broken, and the generation is kept, or nothing runs again")


def _receive(device: Device, update: Update) -> None:
    with update.stream.open("rb") as stream:
        receive(device, stream.read)


def _choose(rig: Rig, update: Update) -> None:
    default = update.target.default
    others = [each.name for each in update.target.systems if each.name != default]
    if others:
        rig.do("choose a system", lambda device: choose_always(device, others[0]))
        rig.do("choose the default", lambda device: choose_always(device, default))
