"""What boots next, and why: the one place that answers it.

Many places decide together. Each is read where it is kept, all of them once (``read_sources``), and
``next_boot`` is a function of what was read:

=====================================  ===========================================================
partition table                        the slot of every boot for which nothing else is said; while
                                       the disk has a trial begun, the slot that is gone back to
``BootNext``, or the disk's one-shot   the slot of one boot
``LoaderEntryOneShot``                 the system of one boot
other variables of the loader          a system that somebody else has asked for
``/run/reconix/next``                  the system that takes over now, by a soft reboot
``state.json``, ``choice.json``        what slots hold, and why something was asked for
=====================================  ===========================================================

What does boot is decided by firmware, boot loader and initrd; ``tests/device_model.py`` and the
prover play them on their own, and do not ask here.

Tested by ``tests/unit/device/test_next_boot.py``, a table of cases.
"""

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.boot.tables import Slot
from reconix.boot.trial import Phase, State
from reconix.device.device import Device
from reconix.device.state.choice import Choice, read_choice, wanted_always
from reconix.device.state.live_note import read_live
from reconix.device.state.running import BootReason, next_takeover
from reconix.store.generation import Generation, system_name
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class BootSources:
    """What was read of all that decides about the next boot.

    Attributes:
        selected: the slot that the table selects, or will when a trial is over.
        state: what the agent remembers about the slots.
        choice: what was asked for.
        generation: that of the slot that boots.
        one_shot: the slot that was armed for one boot.
        loader: the system that the boot loader was told to start, by whomever.
        takes_over: the system that a soft reboot was asked for.
        astray: why it will be something else, if firmware or boot loader obey somebody else.
    """

    selected: Slot
    state: State
    choice: Choice
    generation: Generation
    one_shot: Slot | None = None
    loader: str | None = None
    takes_over: StorePath | None = None
    astray: str = ""


@dataclass(frozen=True, slots=True)
class NextBoot:
    """What boots next, if nobody does anything.

    Attributes:
        generation: that boots.
        system: of it.
        slot: from which it boots.
        reason: why; None: somebody else than the agent has said so.
        astray: why it will be something else, if firmware or boot loader obey somebody else.
    """

    generation: str
    system: str
    slot: Slot
    reason: BootReason | None = BootReason.COMMITTED
    astray: str = ""

    @property
    def is_trial(self) -> bool:
        """Whether it is the trial of a generation."""
        return self.reason is BootReason.TRIAL

    @property
    def is_once(self) -> bool:
        """Whether the boot after it will be another one, as far as is known now."""
        return self.reason not in (BootReason.COMMITTED, BootReason.ALWAYS)


def next_boot(found: BootSources) -> NextBoot:
    """What boots next, by all that was read."""
    generation = found.generation
    if found.takes_over is not None:
        name = system_name(generation, found.takes_over)
        return NextBoot(str(generation.path), name, found.selected, BootReason.SOFT_REBOOT)
    slot = found.one_shot or found.selected
    name = found.loader or generation.default
    return NextBoot(str(generation.path), name, slot, _reason(found, name), found.astray)


def _reason(found: BootSources, system: str) -> BootReason | None:
    if found.one_shot is not None:
        return BootReason.TRIAL
    if found.loader is not None and found.choice.once == system:
        return BootReason.ONCE
    if wanted_always(found.choice) == system:
        return BootReason.ALWAYS
    return BootReason.COMMITTED if system == found.generation.default else None


def read_sources(device: Device, state: State) -> BootSources:
    """Read all that decides what boots next; changes nothing.

    Raises:
        BadGeneration: that of the slot cannot be read.
    """
    selected, one_shot = _slots(device, state)
    takes_over = next_takeover(device.paths)
    live = None
    if takes_over is not None:
        one_shot, live = None, read_live(device.paths)
    generation = device.generation(
        live or state.in_slot(one_shot or selected) or state.committed.generation
    )
    loader, astray = _loader(device, generation)
    choice = read_choice(device.paths.choice)
    return BootSources(selected, state, choice, generation, one_shot, loader, takes_over, astray)


def _slots(device: Device, state: State) -> tuple[Slot, Slot | None]:
    """The slot that is selected, and the one that is armed, if it holds a generation.

    If disk or firmware cannot be read, they are those of which the agent has made a note.
    """
    try:
        selection = device.selection()
        armed = [one_shot.next_slot(selection) for one_shot in device.one_shots]
    except (ReconixError, OSError):
        trial = state.trial if state.phase is Phase.ARMED else None
        return state.committed.slot, trial.slot if trial else None
    others = (slot for slot in armed if slot not in (None, selection.slot))
    return selection.slot, next((slot for slot in others if slot and state.in_slot(slot)), None)


def _loader(device: Device, generation: Generation) -> tuple[str | None, str]:
    """The system that the boot loader was told to start, and why the next boot goes astray."""
    names = [system.name for system in generation.systems]
    try:
        return device.firmware.starts(names), device.firmware.astray()
    except ReconixError as error:
        return None, str(error)
