"""fs-verity: having the kernel compare a file with its hashes whenever it is read.

It is asked for one file at a time. The kernel hashes the content, puts the hashes behind it and
from then on refuses to open the file for writing; a block that is not what was hashed cannot be
read any more, which is an error of whoever reads it. What the kernel says of a file is the digest
by which the pool names it (``images/verity.py``).

A file system has it or has not: ext4 only if it was made with ``-O verity``. On any other one
nothing is asked for and nothing is compared.

Source: Linux, Documentation/filesystems/fsverity.rst, *User API*; include/uapi/linux/fsverity.h.
Tested by ``tests/unit/store/test_fsverity.py`` where there is none, and by
``tests/vm/test_integrity.py`` with a kernel that has it.
"""

import errno
import os
import struct
from pathlib import Path

from reconix.store.images.verity import BLOCK_BYTES, DIGEST_BYTES

_ENABLE, _MEASURE = 0x40806685, 0xC0046686
_ENABLE_ARGUMENT = struct.Struct("<IIII112x")
"""Version, hash algorithm, size of blocks, size of the salt; no signature."""
_DIGEST = struct.Struct("<HH64s")
"""Hash algorithm, size of the digest, and the digest."""
_SHA256 = 1
_UNSUPPORTED = (errno.ENOTTY, errno.EOPNOTSUPP)


def enable(descriptor: int) -> bool:
    """Have the kernel compare a file from now on; False where that cannot be.

    Nobody may have the file open for writing. What a cut leaves of it is a file without hashes.

    Args:
        descriptor: open for reading.

    Raises:
        OSError: the hashes could not be written.
    """
    import fcntl  # late: the start of a device asks for nothing here

    argument = _ENABLE_ARGUMENT.pack(1, _SHA256, BLOCK_BYTES, 0)
    try:
        fcntl.ioctl(descriptor, _ENABLE, argument)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        if error.errno != errno.EEXIST:
            raise
    return True


def measure(descriptor: int) -> bytes | None:
    """The digest that the kernel compares a file with; None if it compares nothing.

    Raises:
        OSError: the hashes cannot be read.
    """
    import fcntl

    try:
        found = fcntl.ioctl(descriptor, _MEASURE, _DIGEST.pack(0, 64, b""))
    except OSError as error:
        if error.errno in (errno.ENODATA, *_UNSUPPORTED):
            return None
        raise
    _, size_bytes, digest = _DIGEST.unpack(found)
    return bytes(digest[:size_bytes]) if size_bytes == DIGEST_BYTES else None


def is_supported(folder: Path) -> bool:
    """Whether files in the file system of a folder can have hashes."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _MEASURE, _DIGEST.pack(0, 64, b""))
    except OSError as error:
        return error.errno == errno.ENODATA
    finally:
        os.close(descriptor)
    return True


def measure_file(path: Path) -> bytes | None:
    """The digest that the kernel compares the file of a path with; no link is followed.

    Raises:
        OSError: it is not there, or its hashes are damaged.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        return measure(descriptor)
    finally:
        os.close(descriptor)
