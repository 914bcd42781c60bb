"""ext4 file systems made from a description, without root, without mounting, without a clock.

``mkfs.ext4`` makes them, empty. What it would take from the moment or from chance is given:
identifier, hash seed, and the time it writes everywhere. The files come from ``populate.py``.

The file systems have no checksums of their metadata. The superblock would have one too, and it goes
over two sectors, is written in place, and the kernel takes no other superblock: a power cut between
the two sectors would be the end of the device. Without it any mixture of two superblocks mounts,
and the journal protects the rest. What we store has checksums of its own.

What mkfs chooses by itself suits a disk of which it knows nothing. Of a system partition we know
what it holds: files of 30 KB on average, whose number an update may replace but rarely doubles. So
it has fewer inodes, a smaller journal, no room to grow, and small blocks, see
``docs/decisions/0055-pool-and-images.md``.

Source: mke2fs(8); libext2fs reads ``E2FSPROGS_FAKE_TIME`` (lib/ext2fs/initialize.c).
Tested by ``tests/compat/test_ext4.py`` with e2fsck and debugfs.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError
from reconix.image.new_files import NewFolder, walk
from reconix.image.populate import NoRoom, populate
from reconix.store.generation import Integrity

SMALL_BLOCK_BYTES = 1024
"""The last block of a file is half empty on average: so these lose the least."""

VERITY_BLOCK_BYTES = 4096
"""The kernel compares contents in these blocks, and files in smaller ones it cannot."""

_BYTES_PER_INODE = 48 << 10
"""Contents of Debian have 30 KB on average, of a minified system 80; and a system partition is not
full of them: an update needs room for itself (``docs/decisions/0090-inodes-of-a-system.md``)."""
_GENERATIONS = 3
"""What is there, what comes, and as much again: no update can add inodes."""
_SPARE_INODES = 1024
_MAX_JOURNAL_BYTES = 8 << 20
"""With less, an update that replaces a whole root writes more; with more, not less."""
_MIN_JOURNAL_BLOCKS = 1024
"""Smaller ones mkfs refuses."""
_JOURNAL_PART = 64

_NO_CHECKSUMS = "^metadata_csum"
_TIME = "1"


class DoesNotFit(ReconixError):
    """The files are larger than their partition."""

    exit_code = 63


@dataclass(frozen=True, slots=True)
class Format:
    """What a file system is like; mkfs chooses what is not given, by the size.

    Args:
        block_bytes: of its blocks.
        inodes: how many files, links and folders it has room for.
        journal_bytes: of its journal.
        features: of ext4, with ``^`` to leave them out.
        grows_to_bytes: for which size there is room for descriptors; beyond it the kernel puts
            them elsewhere.
    """

    block_bytes: int | None = None
    inodes: int | None = None
    journal_bytes: int | None = None
    features: tuple[str, ...] = ()
    grows_to_bytes: int | None = None

    def words(self) -> list[str]:
        """As mkfs is told."""
        words = ["-O", ",".join((_NO_CHECKSUMS, *self.features))]
        if self.block_bytes is not None:
            words += ["-b", str(self.block_bytes)]
        if self.inodes is not None:
            words += ["-N", str(self.inodes)]
        if self.journal_bytes is not None:
            words += ["-J", f"size={self.journal_bytes >> 20}"]
        return words


BY_SIZE = Format()
GROWING = Format(
    block_bytes=4096, inodes=2048, journal_bytes=_MAX_JOURNAL_BYTES, grows_to_bytes=1 << 40
)
"""Of a partition that is small in the image. The kernel gives each 128 MiB more as many inodes, and
writes zeros over them first: 0.4 % of the disk, while the device runs."""


def system_format(
    content: NewFolder,
    size_bytes: int,
    integrity: Integrity = Integrity.NONE,
    *,
    packed: int = 0,
) -> Format:
    """The format of a system partition.

    Args:
        content: what it holds first.
        size_bytes: of the partition.
        integrity: whether the kernel shall compare contents with their names.
        packed: how many contents come in a pack; each of them may be replaced by a file.
    """
    verity = integrity is Integrity.VERITY
    block_bytes = VERITY_BLOCK_BYTES if verity else SMALL_BLOCK_BYTES
    inodes = _GENERATIONS * (sum(1 for _ in walk(content)) + packed) + _SPARE_INODES
    journal_bytes = min(_MAX_JOURNAL_BYTES, size_bytes // _JOURNAL_PART)
    return Format(
        block_bytes,
        max(inodes, size_bytes // _BYTES_PER_INODE),
        max(journal_bytes, _MIN_JOURNAL_BLOCKS * block_bytes),
        ("^resize_inode", "verity") if verity else ("^resize_inode",),
    )


def make_ext4(
    image: Path,
    content: NewFolder | None,
    *,
    label: str,
    size_bytes: int,
    form: Format = BY_SIZE,
) -> None:
    """Make a file with an ext4 file system.

    Args:
        image: the new file; it is sparse.
        content: what the root of the file system shall hold, or nothing.
        label: its name; identifier and hash seed follow from it.
        size_bytes: of the file system.
        form: what it is like.

    Raises:
        DoesNotFit: ``content`` is larger than that.
    """
    options = f"hash_seed={_uuid(label, 'seed')},root_owner=0:0,lazy_itable_init=0"
    if form.grows_to_bytes is not None and form.block_bytes is not None:
        options += f",resize={form.grows_to_bytes // form.block_bytes}"
    names = ["-L", label, "-U", _uuid(label, "uuid")]
    words = ["mkfs.ext4", "-q", "-F", *names, *form.words(), "-E", options, "-m0"]
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
