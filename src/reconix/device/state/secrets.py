"""The values of secrets, on ``data``: a file each, for root alone.

    data/secrets/            0700
    data/secrets/<name>      0600: the value, byte for byte
    data/device-key          0600: 32 random bytes that no other device has

A value comes with the image of a device or through ``reconix-device secrets receive``, and belongs
to the device: all systems that ask for a name get the same value. A unit gets it from systemd,
which reads the file when it starts the unit, as ``/run/credentials/<unit>/<name>``. There is no
other copy. A factory reset erases the values, as everything that a next owner should not have. The
device key stays, as the identity does: it says which device this is, not whose.

A value is replaced by a rename, so after a cut it is the old one or the new one; what a cut leaves
under a temporary name is removed by the next command.

Tested by ``tests/unit/device/state/test_secrets.py`` and ``tests/crash/test_secrets_cut.py``.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from reconix.base.files import read_bounded, sync_folder, write_durably
from reconix.base.records import dataclass
from reconix.base.secret_values import MAX_BYTES, NAME, BadSecret, SecretValue, check_name
from reconix.device.paths import Paths
from reconix.device.settings.secrets import AskedSecret
from reconix.device.state.data import data_of

FILE_MODE, FOLDER_MODE = 0o600, 0o700
KEY_BYTES = 32
_MADE_WITH_THE_IMAGE = 1  # what new file systems say, see image/new_files.py


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A secret whose value is on this device.

    Attributes:
        name: of it.
        written: when, in seconds since 1970; ``None``: with the image.
        fault: why no unit can get it; empty if it can.
        note: what is not as it should be, although nobody but root gets to the folder.
    """

    name: str
    written: int | None
    fault: str = ""
    note: str = ""


def kept_secrets(paths: Paths) -> tuple[KeptSecret, ...]:
    """What is there, by name; values are not read."""
    try:
        names = sorted(path.name for path in paths.secrets.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(_look_at(paths.secrets / name) for name in names if NAME.fullmatch(name))


def _look_at(file: Path) -> KeptSecret:
    status = file.lstat()
    written = int(status.st_mtime) if status.st_mtime > _MADE_WITH_THE_IMAGE else None
    return KeptSecret(file.name, written, _fault_of(status), _note_of(status))


def _fault_of(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a file"
    if not status.st_size:
        return "it is empty"
    return ""


def _note_of(status: os.stat_result) -> str:
    if status.st_uid != os.geteuid():
        return f"it belongs to UID {status.st_uid}"
    if status.st_mode & 0o077:
        return f"others may read it: its mode is {stat.S_IMODE(status.st_mode):04o}"
    return ""


def missing(paths: Paths, asked: Iterable[AskedSecret]) -> tuple[AskedSecret, ...]:
    """What is asked for and cannot be given."""
    there = {kept.name for kept in kept_secrets(paths) if not kept.fault}
    return tuple(each for each in asked if each.name not in there)


def keep(paths: Paths, secret: SecretValue) -> bool:
    """Keep a value in place of the one before, durably.

    Must be called under ``exclusive_secrets``.

    Returns:
        Whether it is another one; if not, nothing was written.

    Raises:
        NoData: the partition is not mounted.
    """
    folder = _folder(paths)
    place = folder / secret.name
    if _has(place, secret):
        return False
    if place.is_dir() and not place.is_symlink():
        raise BadSecret(f"{place} is a folder", hint="remove it, then send the secret again")
    write_durably(place, secret.content, mode=FILE_MODE)
    return True


def _has(place: Path, secret: SecretValue) -> bool:
    try:
        found = _look_at(place)
        if found.fault or found.note:
            return False
        return read_bounded(place, MAX_BYTES, follow_links=False) == secret.content
    except FileNotFoundError:
        return False


def _folder(paths: Paths) -> Path:
    """The folder of the values, closed to others, without what a cut has left."""
    folder, data = paths.secrets, data_of(paths)
    if folder.is_symlink():
        folder.unlink()
    if not folder.is_dir():
        folder.mkdir(mode=FOLDER_MODE)
        sync_folder(data)
    if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
        folder.chmod(FOLDER_MODE)
    for left in folder.glob(".*.new"):
        left.unlink()
    return folder


def remove(paths: Paths, name: str) -> bool:
    """Remove a value, durably.

    Must be called under ``exclusive_secrets``.

    Returns:
        Whether there was one.

    Raises:
        BadSecret: it is not the name of a secret.
        NoData: the partition is not mounted.
    """
    check_name(name)
    folder = _folder(paths)
    try:
        (folder / name).unlink()
    except FileNotFoundError:
        return False
    sync_folder(folder)
    return True


def make_device_key(paths: Paths) -> bool:
    """Make the key of this device, if it has none.

    Returns:
        Whether it was made now.

    Raises:
        NoData: the partition is not mounted.
        BadSecret: something else is in its place, which is left alone.
    """
    data_of(paths)
    place = paths.device_key
    try:
        found = place.lstat()
    except FileNotFoundError:
        found = None
    if found is None or (stat.S_ISREG(found.st_mode) and not found.st_size):
        write_durably(place, os.urandom(KEY_BYTES), mode=FILE_MODE)
        return True
    if not stat.S_ISREG(found.st_mode) or found.st_size != KEY_BYTES:
        raise BadSecret(f"{place} is no device key", hint="look at it; without it, one is made")
    return False
