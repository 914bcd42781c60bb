"""ext4 file systems made from a folder, without root, without mounting, without a clock.

``mkfs.ext4 -d`` copies a folder into a new file system, hard links included. What it would take
from the moment or from chance is given: identifier, hash seed, and the time it writes everywhere.
Two times it takes from the copied files, and nobody can set the *change* time of a file, so
``debugfs`` sets them afterwards.

The file systems have no checksums of their metadata. The superblock would have one too, and it goes
over two sectors, is written in place, and the kernel takes no other superblock: a power cut between
the two sectors would be the end of the device. Without it any mixture of two superblocks mounts,
and the journal protects the rest. What we store has checksums of its own.

A store is mostly names. A new root is a thousand folders of a few names each, and a folder is at
least one block, which the journal writes twice: so the partition of the store has small blocks.

Source: mke2fs(8); debugfs(8); libext2fs reads ``E2FSPROGS_FAKE_TIME`` (lib/ext2fs/initialize.c).
Proven by ``tests/compat/test_ext4.py`` with e2fsck and debugfs.
"""

import os
from hashlib import sha256
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed

SMALL_BLOCK_BYTES = 1024
"""For a file system with many small folders, see ``docs/decisions/0037-small-blocks.md``."""

_FEATURES = "^metadata_csum"
_TIME = "1"
_WHEN = "19700101000001"
_FIRST_INODE = 11
_ROOT_INODE = 2


class DoesNotFit(ReconixError):
    """The files are larger than the partition that they should go into."""

    exit_code = 63


def make_ext4(
    image: Path,
    content: Path | None,
    *,
    label: str,
    size_bytes: int,
    block_bytes: int | None = None,
) -> None:
    """Make a file with an ext4 file system.

    Args:
        image: the new file; it is sparse.
        content: a folder that becomes the root of the file system, or nothing.
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
    source = ["-d", str(content)] if content else []
    with image.open("wb") as file:
        file.truncate(size_bytes)
    try:
        process.run(*_as_root(), *words, *source, image, environment=_FIXED_TIME)
    except CommandFailed as error:
        if b"Could not allocate" not in error.said and b"No free space" not in error.said:
            raise
        raise DoesNotFit(
            f"the partition {label} of {size_bytes} bytes is too small for what goes into it",
            hint=f"make disk.{label}_size in machine.toml larger",
        ) from error
    _set_times(image)


_FIXED_TIME = {"E2FSPROGS_FAKE_TIME": _TIME, "SOURCE_DATE_EPOCH": _TIME}


def _as_root() -> list[str]:
    """Words that make our own files look as if root owned them."""
    return [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]


def _uuid(label: str, purpose: str) -> str:
    digits = sha256(f"reconix ext4 {label} {purpose}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def _set_times(image: Path) -> None:
    """Give every inode in use the same change and access time."""
    inodes = [_ROOT_INODE, *range(_FIRST_INODE, _inodes_in_use(image) + 1)]
    commands = "".join(
        f"set_inode_field <{inode}> {field} {_WHEN}\n"
        for inode in inodes
        for field in ("ctime", "atime")
    )
    script = image.with_name(f"{image.name}.debugfs")
    script.write_text(commands)
    process.run("debugfs", "-w", "-f", script, image, environment=_FIXED_TIME)
    script.unlink()


def _inodes_in_use(image: Path) -> int:
    """How many inodes are in use; a new file system gives them out in order."""
    facts = dict(
        line.split(":", 1)
        for line in process.run("dumpe2fs", "-h", image).decode().splitlines()
        if ":" in line
    )
    return int(facts["Inode count"]) - int(facts["Free inodes"])
