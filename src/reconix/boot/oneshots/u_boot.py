"""U-Boot with our script: slot and system of one boot, asked for in the control sector.

The script takes a request back before it obeys (``boot/control.py``), so it holds for one boot. It
says on the kernel's command line from which partition it has started::

    … reconix.booted=0b1e6c1d-…

Nothing outlives the boot that it was asked for, so nothing can tell whether a firmware has
forgotten: ``knows`` has no counterpart here. Nor are there settings of others, besides a request
that is still there when a system has started: the script could not take it back, or never saw it.

Tested by ``tests/unit/boot/oneshots/test_oneshot.py`` and
``tests/unit/boot/oneshots/test_u_boot.py``; on U-Boot by ``tests/vm/test_u_boot.py``.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.records import dataclass
from reconix.boot.control import PARTITION, Request, read_request, write_request
from reconix.boot.disk import Disk
from reconix.boot.gpt import BadPartitionTable, Guid
from reconix.boot.loaders.u_boot import BOOTED
from reconix.boot.oneshots.foreign_settings import Setting, Slots
from reconix.boot.oneshots.variables import FirmwareRefuses
from reconix.boot.tables import Selection, Slot, read_selection

_VENDOR = "the control sector"
_MAX_BYTES = 1 << 16


class ControlRefuses(FirmwareRefuses):
    """The control sector cannot be changed."""

    def __init__(self, *, why: str) -> None:
        ReconixError.__init__(
            self,
            f"the control sector cannot be written: {why}",
            hint="without it no generation can be tried; the disk must be one that was made for "
            "U-Boot, with a partition `control`",
        )


@dataclass(frozen=True, slots=True)
class UBoot:
    """The one-shots of U-Boot.

    Args:
        opened: the disk, for as long as it is needed.
        command_line: of the kernel that runs.
    """

    opened: Callable[[], AbstractContextManager[Disk]]
    command_line: Path

    def booted_partition(self) -> Guid | None:
        """The partition whose script has started the kernel."""
        words = read_bounded(self.command_line, _MAX_BYTES).decode("ascii", "replace").split()
        said = [word.removeprefix(BOOTED) for word in words if word.startswith(BOOTED)]
        try:
            return Guid.parse(said[-1]) if said else None  # the script's word is the last
        except BadPartitionTable:
            return None

    def arm(self, selection: Selection, slot: Slot, system: str) -> None:
        """See ``OneShots``; one write.

        Raises:
            ControlRefuses: nothing is armed that was not before.
        """
        selection.tables.slot(slot)
        self._ask(Request(slot, system))

    def disarm(self, system: str | None) -> None:
        """See ``OneShots``.

        Raises:
            ControlRefuses: it cannot be told.
        """
        self._ask(Request(None, system) if system else None)

    def next_slot(self, selection: Selection) -> Slot | None:
        """See ``OneShots``."""
        found = self._asked()
        return found.slot if found and found.slot in selection.tables.numbers else None

    def knows(self, selection: Selection, slot: Slot) -> bool:
        """See ``OneShots``: nothing is known that could be forgotten."""
        return True

    def ask_for(self, system: str | None) -> None:
        """Start this system at the next boot, or the default one, of the slot that is next.

        Raises:
            ControlRefuses: it cannot be told.
        """
        found = self._asked()
        slot = found.slot if found else None
        self._ask(Request(slot, system) if slot or system else None)

    def asked_for(self) -> str | None:
        """The system that was asked for at the next boot."""
        found = self._asked()
        return found.system if found else None

    def starts(self, systems: Sequence[str]) -> str | None:
        """The system that the script starts next, if it was told one that there is."""
        asked = self.asked_for()
        return asked if asked in systems else None

    def astray(self) -> str:
        """Why the next boot will not be of a slot and system; nothing here can lead astray."""
        return ""

    def foreign_settings(self, slots: Slots, *, asked: Collection[str]) -> tuple[Setting, ...]:
        """A request that is there when a system has started, and not for the boot after this."""
        found = self._asked()
        if found is None or (found.slot is None and found.system in asked):
            return ()
        what = f"slot {found.slot or 'selected'}, system {found.system or 'default'}"
        return (Setting(PARTITION, _VENDOR, f"what the boot script starts: {what}"),)

    def remove(self, setting: Setting) -> None:
        """Take such a request away.

        Raises:
            ControlRefuses: it is still there.
        """
        self._ask(None)

    def _asked(self) -> Request | None:
        """What is asked for; nothing, if the disk has no place for that."""
        with self.opened() as disk:
            try:
                return read_request(disk, read_selection(disk).tables.named(PARTITION))
            except BadPartitionTable:
                return None

    def _ask(self, request: Request | None) -> None:
        try:
            with self.opened() as disk:
                write_request(disk, read_selection(disk).tables.named(PARTITION), request)
        except ReconixError as error:
            raise ControlRefuses(why=str(error)) from error
