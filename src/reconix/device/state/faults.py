"""Faults of a start: what could not be done when the root of this system was made.

The scripts that make it (``build/data``) start the device whenever they can, so that it can be
mended, and leave a line for what they could not do: a folder that is not kept, data that are not
there. ``status`` shows it, and a generation that brought such a fault is not kept. One that was
there under the committed generation, too, is not blamed on the trial: a device whose ``data`` are
gone for good can still be updated.

    /run/reconix/faults          a fault a line, of this start
    <system>/reconix/faults      those of the committed generation, written when a trial is armed

Tested by ``tests/unit/device/state/test_faults.py``.
"""

from pathlib import Path

from reconix.base.files import sync_folder, write_durably
from reconix.device.paths import Paths

_READ_BYTES = 1 << 14
"""The first of them are enough to know what is wrong."""


def read_faults(paths: Paths) -> tuple[str, ...]:
    """The faults of this start, in their order."""
    return _lines(paths.faults)


def record_faults(paths: Paths) -> None:
    """Record what a trial is not to be blamed for; must be called under ``exclusive_rw``."""
    known = read_faults(paths)
    if known == _lines(paths.known_faults):
        return
    if known:
        write_durably(paths.known_faults, "".join(f"{line}\n" for line in known).encode())
    else:
        paths.known_faults.unlink()
        sync_folder(paths.home)


def new_faults(paths: Paths) -> tuple[str, ...]:
    """The faults of this start that were not there when the trial was armed."""
    known = _lines(paths.known_faults)
    return tuple(line for line in read_faults(paths) if line not in known)


def _lines(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            return tuple(file.read(_READ_BYTES).decode(errors="replace").splitlines())
    except FileNotFoundError:
        return ()
