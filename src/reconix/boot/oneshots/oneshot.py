"""One-shots: what the firmware and the boot loader are told for the next boot, and for no other.

Two things are told: which slot to boot (a trial), and which system in it. Everything that is armed
here goes away by itself when it is used, before anything is loaded that could fail; so whatever
happens then, the boot after it is an ordinary one.

A trial is both, a slot and a system in it, so they are told and taken back together: a system whose
slot was refused, or forgotten on purpose, would start from the committed slot.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from reconix.boot.gpt import Guid, Partition
from reconix.boot.oneshots.foreign_settings import Setting, Slots


class OneShots(Protocol):
    """How a kind of firmware is told."""

    def booted_partition(self) -> Guid | None:
        """The partition from which the boot loader was loaded, if the firmware tells."""

    def try_slot(self, name: str, number: int, partition: Partition, system: str) -> None:
        """Boot this slot next, and this system of it; all of that or nothing.

        Args:
            name: for people, in the firmware's menu.
            number: of the partition in the table that is selected now.
            partition: which one.
            system: of the generation in the slot.
        """

    def knows(self, partition: Partition) -> bool:
        """Whether the firmware still has what ``try_slot`` left to boot this slot with."""

    def next_partition(self) -> Guid | None:
        """The partition that is booted next, if one was asked for."""

    def forget_trial(self, system: str | None) -> None:
        """Boot the committed slot next, and this system of it, or the default one."""

    def ask_for(self, system: str | None) -> None:
        """Start this system at the next boot, or the default one."""

    def asked_for(self) -> str | None:
        """The system that was asked for at the next boot."""

    def starts(self, systems: Sequence[str]) -> str | None:
        """The system that is started next if it is not the default one, whoever said so."""

    def astray(self) -> str:
        """Why the next boot will not be of a slot and system; nothing: it will."""

    def settings_of_others(self, slots: Slots, *, asked: Collection[str]) -> Sequence[Setting]:
        """What firmware and boot loader obey though the agent has not set it."""

    def remove(self, setting: Setting) -> None:
        """Take such a setting away."""
