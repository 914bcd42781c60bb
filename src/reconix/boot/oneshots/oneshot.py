"""One-shots: what holds for the next boot, and for no other.

Two things can be asked for: which slot to boot (a trial), and which system in it. Everything that
is armed here goes away by itself when it is used, before anything is loaded that could fail; so
whatever happens then, the boot after it is an ordinary one.

A trial is both, a slot and a system in it, so they are armed and disarmed together: a system whose
slot was refused, or forgotten on purpose, would start from the committed slot.

Two kinds of memory can keep a trial: variables of the firmware, and where there are none, the disk.
Only the firmware can be asked for a system of the committed slot, or tell what was booted.

Tested by ``tests/unit/boot/oneshots/test_oneshot.py``, one suite for both.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from reconix.boot.gpt import Guid
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.tables import Selection, Slot


class OneShots(Protocol):
    """A memory that can make the next boot a trial."""

    def arm(self, selection: Selection, slot: Slot, system: str) -> None:
        """Boot this slot next, and this system of it; all of that or nothing.

        Args:
            selection: what the disk selects now.
            slot: another one.
            system: of the generation in the slot.

        Raises:
            FirmwareRefuses: nothing is armed that was not before.
        """

    def disarm(self, system: str | None) -> None:
        """Boot the selected slot next, and this system of it, or the default one.

        Raises:
            FirmwareRefuses: it cannot be told.
        """

    def next_slot(self, selection: Selection) -> Slot | None:
        """The slot that is booted next, if one was armed."""

    def knows(self, selection: Selection, slot: Slot) -> bool:
        """Whether there is still what ``arm`` left for this slot, and a boot does not use up."""


class Firmware(OneShots, Protocol):
    """A firmware with its boot loader, and the memory that they share."""

    def booted_partition(self) -> Guid | None:
        """The partition from which the boot loader was loaded, if the firmware tells."""

    def ask_for(self, system: str | None) -> None:
        """Start this system at the next boot, or the default one."""

    def asked_for(self) -> str | None:
        """The system that was asked for at the next boot."""

    def starts(self, systems: Sequence[str]) -> str | None:
        """The system that is started next if it is not the default one, whoever said so."""

    def astray(self) -> str:
        """Why the next boot will not be of a slot and system; nothing: it will."""

    def foreign_settings(self, slots: Slots, *, asked: Collection[str]) -> Sequence[Setting]:
        """What firmware and boot loader obey though the agent has not set it."""

    def remove(self, setting: Setting) -> None:
        """Take such a setting away."""
