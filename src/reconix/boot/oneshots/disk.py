"""The one-shot of the disk: a trial for a firmware that keeps no variables, or forgets them.

Where the configuration says so, a trial does not need the firmware: the slot of the trial is
*selected*, and what selects the other one again lies on the system partition, in a folder that
appears whole and disappears whole:

    slots             the slot of the trial and the one to go back to, as in "2 1"
    sectors           what selects that again: "<LBA> <file>" a line, in the order of writing
    backup, primary   these sectors: the headers of the partition table
    begun             there as soon as the trial was started once

The initrd of the trial makes ``begun`` before it does anything else that could fail. If it finds it
there already, the trial was started before and nobody has confirmed it: it writes the sectors and
restarts. So the folder is a one-shot like ``BootNext``, and for everybody else the slot to go back
to is the selected one as long as the folder is there: that it is gone is what confirms a trial.

The initrd of one release reads what the agent of another one made, so the folder may get further
files and these files further words or lines; none of them changes its meaning.

What it cannot do: a loader, a kernel or an initrd that does not come so far is not left. That is
why it must be asked for (``docs/decisions/0029-firmware-without-memory.md``).

Tested by ``tests/crash/test_disk_one_shot.py`` at every step, by the prover, and on a device by
``tests/vm/test_disk_one_shot.py``.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from reconix.base.documents import BadDocument
from reconix.base.files import read_bounded, remove_tree, rename_durably, sync_tree
from reconix.base.records import dataclass, replace
from reconix.boot.disk import Disk
from reconix.boot.tables import Copy, Selection, Slot, read_selection, select_slot

SLOTS, SECTORS, BEGUN = "slots", "sectors", "begun"
_MAX_BYTES = 4096
_NUMBERS = re.compile(rb"([1-8]) ([1-8])(?=[ \n])")
_COPIES = (Copy.BACKUP, Copy.PRIMARY)
"""In the order in which a slot is selected: until the last is written, the table is as before."""


@dataclass(frozen=True, slots=True)
class Armed:
    """What the disk remembers: the slot on trial, and the one for which it is left."""

    trial: Slot
    home: Slot
    has_begun: bool


@dataclass(frozen=True, slots=True)
class DiskOneShot:
    """The one-shot that a disk keeps.

    Args:
        folder: where it is, on the system partition.
        opened: the disk, for as long as it is needed.
    """

    folder: Path
    opened: Callable[[], AbstractContextManager[Disk]]

    def read(self) -> Armed | None:
        """What is armed, if something is.

        Raises:
            BadDocument: something is, and it does not say which slots.
        """
        if not self.folder.is_dir():
            return None
        path = self.folder / SLOTS
        found = _NUMBERS.match(read_bounded(path, _MAX_BYTES)) if path.exists() else None
        if found is None:
            raise BadDocument(f"{path} does not name two slots")
        return Armed(Slot(int(found[1])), Slot(int(found[2])), (self.folder / BEGUN).exists())

    def seen_through(self, found: Selection) -> Selection:
        """What a disk selects when the trial that the table selects now is over."""
        armed = self.read()
        if armed is None or found.slot != armed.trial:
            return found
        return replace(found, slot=armed.home)

    # -- as every one-shot ---------------------------------------------------------------------

    def arm(self, selection: Selection, slot: Slot, system: str) -> None:
        """See ``OneShots``; the system is always the default one.

        A cut leaves the slot selected that was selected, or the other one with what leads back.
        """
        self.disarm(None)
        self.leave(selection, slot)
        with self.opened() as disk:
            select_slot(disk, slot)

    def disarm(self, system: str | None) -> None:
        """See ``OneShots``; also after the trial has begun."""
        armed = self.read()
        if armed is None:
            return
        with self.opened() as disk:
            if read_selection(disk).slot == armed.trial:
                select_slot(disk, armed.home)
        self.keep()

    def next_slot(self, selection: Selection) -> Slot | None:
        """See ``OneShots``."""
        armed = self.read()
        if armed is None or armed.has_begun:
            return None
        with self.opened() as disk:
            return armed.trial if read_selection(disk).slot == armed.trial else None

    def knows(self, selection: Selection, slot: Slot) -> bool:
        """See ``OneShots``."""
        return self.read() is not None

    # -- its steps -----------------------------------------------------------------------------

    def leave(self, home: Selection, trial: Slot) -> None:
        """Make the folder, durably, with the sectors of what is selected now."""
        made = self.folder.with_name(f".{self.folder.name}")
        remove_tree(made)
        made.mkdir()
        headers = {copy: home.tables.header(home.slot, copy) for copy in _COPIES}
        for copy, write in headers.items():
            (made / copy.value).write_bytes(write.content)
        lines = (f"{write.at} {copy.value}\n" for copy, write in headers.items())
        (made / SECTORS).write_text("".join(lines))
        (made / SLOTS).write_text(f"{trial} {home.slot}\n")
        sync_tree(made)
        rename_durably(made, self.folder)

    def keep(self) -> None:
        """Keep what the table selects; the folder goes in one step."""
        if self.folder.is_dir():
            gone = self.folder.with_name(f".{self.folder.name}")
            remove_tree(gone)
            rename_durably(self.folder, gone)
            remove_tree(gone)
