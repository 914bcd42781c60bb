"""Variables of UEFI as files.

Linux shows each variable as ``<name>-<vendor GUID>``: four bytes of attributes, then the value. A
file must be written in one piece, and the kernel protects most of them with the immutable flag,
because there are firmwares that do not start without theirs. The flag is taken away only from what
we are about to change. What is right already is not written: the memory behind it wears out.

Any folder will do as well as the real one, which is how this is tested.

Source: Linux, *efivarfs.rst*; UEFI Specification 2.10, section 8.2.
Tested by ``tests/unit/boot/oneshots/test_variables.py``.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.records import dataclass

FOLDER = Path("/sys/firmware/efi/efivars")
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
LOADER = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
MAX_BYTES = 64 << 10

_ATTRIBUTES = struct.pack("<I", 0x7)  # kept over power-off; for boot services; for us
_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10
_NO_FLAGS = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)


class FirmwareRefuses(ReconixError):
    """A variable of the firmware cannot be changed."""

    exit_code = 39

    def __init__(self, name: str, *, why: str) -> None:
        super().__init__(
            f"the firmware rejects the variable {name}: {why}",
            hint="without its variables no generation can be tried; "
            "is efivarfs mounted read-write, and is there room in the firmware's memory? "
            'If it keeps none, see `one_shot = "disk"` in the manual of options',
        )
        self.name = name


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables in a folder."""

    folder: Path = FOLDER

    def names(self, vendor: str) -> list[str]:
        """The names of a vendor's variables, sorted."""
        if not self.folder.is_dir():
            return []
        found = (entry.name for entry in os.scandir(self.folder))
        suffix = f"-{vendor}"
        return sorted(name.removesuffix(suffix) for name in found if name.endswith(suffix))

    def get(self, name: str, vendor: str) -> bytes | None:
        """The value of a variable, if there is one."""
        try:
            content = read_bounded(self._path(name, vendor), MAX_BYTES)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EIO):  # EIO: a name without a value
                return None
            raise FirmwareRefuses(name, why=str(error.strerror)) from error
        return content[4:]

    def set(self, name: str, vendor: str, value: bytes) -> None:
        """Give a variable a value that stays over power-off; it is read back.

        Raises:
            FirmwareRefuses: it has not got the value.
        """
        if self.get(name, vendor) == value:
            return
        try:
            _write(self._path(name, vendor), _ATTRIBUTES + value)
        except OSError as error:
            raise FirmwareRefuses(name, why=str(error.strerror)) from error
        if self.get(name, vendor) != value:
            raise FirmwareRefuses(name, why="it does not have the value that was written")

    def remove(self, name: str, vendor: str) -> None:
        """Remove a variable; one that is not there is fine.

        Raises:
            FirmwareRefuses: it is still there.
        """
        path = self._path(name, vendor)
        if not path.exists():
            return  # a read-only file system refuses to remove even this
        try:
            _make_mutable(path)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FirmwareRefuses(name, why=str(error.strerror)) from error

    def _path(self, name: str, vendor: str) -> Path:
        return self.folder / f"{name}-{vendor}"


def _write(path: Path, content: bytes) -> None:
    """Write a file with one call; what is longer in an ordinary folder is cut off after it."""
    _make_mutable(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.EIO, "only a part was taken")
        if os.fstat(descriptor).st_size > len(content):
            os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _make_mutable(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        flags = _flags(descriptor)
        if flags & _IMMUTABLE:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("=q", flags & ~_IMMUTABLE))
    finally:
        os.close(descriptor)


def _flags(descriptor: int) -> int:
    try:
        raw = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8))
    except OSError as error:
        if error.errno in _NO_FLAGS:
            return 0
        raise
    return int.from_bytes(raw[:4], "little")
