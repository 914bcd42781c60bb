"""The way back: a trial without the firmware's memory, where the disk itself keeps the one-shot.

Some firmwares take no variables, or forget them. Where the configuration says so, a trial does not
need them: the slot of the trial is *selected*, and what leads back lies on the system partition,
in a folder that appears whole and disappears whole:

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

Tested by ``tests/crash/test_way_back.py`` at every step, by the prover, and on a device by
``tests/vm/test_way_back.py``.
"""

import re
from dataclasses import dataclass, replace

from reconix.base.documents import BadDocument
from reconix.base.files import read_bounded, remove_tree, rename_durably, sync_tree
from reconix.boot.tables import Copy, Selection, Slot, read_selection, select_slot
from reconix.device.hardware.disk import open_disk
from reconix.device.paths import Paths

SLOTS, SECTORS, BEGUN = "slots", "sectors", "begun"
_MAX_BYTES = 4096
_NUMBERS = re.compile(rb"([1-8]) ([1-8])(?=[ \n])")
_COPIES = (Copy.BACKUP, Copy.PRIMARY)
"""In the order of a selection: until the last is written, the table is the one before."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """Which slot is on trial without the firmware's help, and which one it is left for."""

    trial: Slot
    home: Slot
    has_begun: bool


def read_way_back(paths: Paths) -> WayBack | None:
    """The way back, if there is one.

    Raises:
        BadDocument: there is one, and it does not say from where to where.
    """
    folder = paths.way_back
    if not folder.is_dir():
        return None
    path = folder / SLOTS
    found = _NUMBERS.match(read_bounded(path, _MAX_BYTES)) if path.exists() else None
    if found is None:
        raise BadDocument(f"{path} does not name two slots")
    return WayBack(Slot(int(found[1])), Slot(int(found[2])), (folder / BEGUN).exists())


def seen_through(paths: Paths, found: Selection) -> Selection:
    """What a disk selects when the trial that the table selects now is over."""
    way = read_way_back(paths)
    return found if way is None or found.slot != way.trial else replace(found, slot=way.home)


def select_once(paths: Paths, trial: Slot) -> None:
    """Let the next boot, and no other, be from this slot.

    A cut leaves the slot selected that was selected, or the other one with its way back.
    """
    undo(paths)
    with open_disk(paths) as disk:
        leave_way_back(paths, read_selection(disk), trial)
        select_slot(disk, trial)


def leave_way_back(paths: Paths, home: Selection, trial: Slot) -> None:
    """Make the folder, durably, with the sectors of what is selected now."""
    made = paths.way_back.with_name(f".{paths.way_back.name}")
    remove_tree(made)
    made.mkdir()
    headers = {copy: home.tables.header(home.slot, copy) for copy in _COPIES}
    for copy, write in headers.items():
        (made / copy.value).write_bytes(write.content)
    lines = (f"{write.at} {copy.value}\n" for copy, write in headers.items())
    (made / SECTORS).write_text("".join(lines))
    (made / SLOTS).write_text(f"{trial} {home.slot}\n")
    sync_tree(made)
    rename_durably(made, paths.way_back)


def undo(paths: Paths) -> None:
    """Select what was selected before a trial that has not begun, or was left."""
    way = read_way_back(paths)
    if way is None:
        return
    with open_disk(paths) as disk:
        if read_selection(disk).slot == way.trial:
            select_slot(disk, way.home)
    forget(paths)


def forget(paths: Paths) -> None:
    """Keep what the table selects; the folder goes in one step."""
    if paths.way_back.is_dir():
        gone = paths.way_back.with_name(f".{paths.way_back.name}")
        remove_tree(gone)
        rename_durably(paths.way_back, gone)
        remove_tree(gone)
