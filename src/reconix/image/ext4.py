"""ext4 file systems made from a description, without root, without mounting, without a clock.

``mkfs.ext4`` makes them, empty. What it would take from the moment or from chance is given:
identifier, hash seed, and the time it writes everywhere. The files come from ``populate.py``.

The file systems have no checksums of their metadata. The superblock would have one too, and it goes
over two sectors, is written in place, and the kernel takes no other superblock: a power cut between
the two sectors would be the end of the device. Without it any mixture of two superblocks mounts,
and the journal protects the rest. What we store has checksums of its own.

A store is mostly names. A new root is a thousand folders of a few names each, and a folder is at
least one block, which the journal writes twice: so the partition of the store has small blocks.

Source: mke2fs(8); libext2fs reads ``E2FSPROGS_FAKE_TIME`` (lib/ext2fs/initialize.c).
Tested by ``tests/compat/test_ext4.py`` with e2fsck and debugfs.
"""

from hashlib import sha256
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.image.new_files import NewFolder
from reconix.image.populate import NoRoom, populate

SMALL_BLOCK_BYTES = 1024
"""For a file system with many small folders, see ``docs/decisions/0037-small-blocks.md``."""

_FEATURES = "^metadata_csum"
_TIME = "1"


class DoesNotFit(ReconixError):
    """The files are larger than their partition."""

    exit_code = 63


def make_ext4(
    image: Path,
    content: NewFolder | None,
    *,
    label: str,
    size_bytes: int,
    block_bytes: int | None = None,
) -> None:
    """Make a file with an ext4 file system.

    Args:
        image: the new file; it is sparse.
        content: what the root of the file system shall hold, or nothing.
        label: its name; identifier and hash seed follow from it.
        size_bytes: of the file system.
        block_bytes: of its blocks; mkfs chooses by the size if not given.

    Raises:
        DoesNotFit: ``content`` is larger than that.
    """
    options = f"hash_seed={_uuid(label, 'seed')},root_owner=0:0,lazy_itable_init=0"
    names = ["-L", label, "-U", _uuid(label, "uuid")]
    words = ["mkfs.ext4", "-q", "-F", *names, "-O", _FEATURES, "-E", options, "-m0"]
    if block_bytes is not None:
        words += ["-b", str(block_bytes)]
    with image.open("wb") as file:
        file.truncate(size_bytes)
    process.run(*words, image, environment=_FIXED_TIME)
    if content is None:
        return
    try:
        populate(image, content)
    except NoRoom as error:
        raise DoesNotFit(
            f"the partition {label} of {size_bytes} bytes is too small for its content: {error}",
            hint=f"increase disk.{label}_size in machine.toml",
        ) from error


_FIXED_TIME = {"E2FSPROGS_FAKE_TIME": _TIME, "SOURCE_DATE_EPOCH": _TIME}


def _uuid(label: str, purpose: str) -> str:
    digits = sha256(f"reconix ext4 {label} {purpose}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
