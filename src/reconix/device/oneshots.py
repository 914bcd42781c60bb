"""One-shots: what the firmware and the boot loader are told for the next boot, and for no other.

Two things are told: which slot to boot (a trial), and which system in it. Everything that is armed
here goes away by itself when it is used, before anything is loaded that could fail; so whatever
happens then, the boot after it is an ordinary one.
"""

from typing import Protocol

from reconix.boot.gpt import Guid, Partition


class OneShots(Protocol):
    """How a kind of firmware is told."""

    def booted_partition(self) -> Guid | None:
        """The partition from which the boot loader was loaded, if the firmware tells."""

    def try_slot(self, name: str, number: int, partition: Partition) -> None:
        """Boot this slot next.

        Args:
            name: for people, in the firmware's menu.
            number: of the partition in the table that is selected now.
            partition: which one.
        """

    def knows(self, partition: Partition) -> bool:
        """Whether the firmware still has what ``try_slot`` left to boot this slot with."""

    def next_partition(self) -> Guid | None:
        """The partition that is booted next, if one was asked for."""

    def forget_slot(self) -> None:
        """Boot the committed slot next."""

    def ask_for(self, system: str | None) -> None:
        """Start this system at the next boot, or the default one."""

    def asked_for(self) -> str | None:
        """The system that was asked for at the next boot."""
