"""Slots: putting an image into one, and knowing that it is there.

An image is written to a slot only where the slot differs, in blocks of 64 KiB: an update that
changes the kernel of one system leaves the others alone, and repeating a finished update writes
nothing. Afterwards everything is read again, from the medium and not from the cache, and hashed:
what was compared on the way in says nothing about what the flash has kept.

Tested by ``tests/unit/boot/test_slots.py`` and ``tests/crash/test_slots_write.py``.
"""

import hashlib
from collections.abc import Iterable, Iterator

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.boot.disk import Disk
from reconix.boot.fat import FatImage

BLOCK_BYTES = 64 << 10
_READ_BYTES = 1 << 20


class SlotSizeDiffers(ReconixError):
    """An image was made for a slot of another size."""

    exit_code = 31

    def __init__(self, *, made_for_bytes: int, slot_bytes: int) -> None:
        super().__init__(
            f"the image was made for a slot of {made_for_bytes} bytes, "
            f"this slot has {slot_bytes} bytes",
            hint="build the generation for the disk of this device",
        )


class WrongImage(ReconixError):
    """A boot tree does not give the image that its generation names."""

    exit_code = 38

    def __init__(self, *, expected: Digest, found: Digest) -> None:
        super().__init__(
            f"the boot tree gives another slot image than its generation names: "
            f"expected {expected}, found {found}",
            hint="send the generation again; its boot tree was altered",
        )
        self.expected, self.found = expected, found


class SlotNotKept(ReconixError):
    """A slot does not contain what was written to it."""

    exit_code = 33

    def __init__(self, *, expected: Digest, found: Digest) -> None:
        super().__init__(
            f"the slot did not keep its image: expected {expected}, read back {found}",
            hint="try again; if it happens again, the medium is failing",
        )
        self.expected, self.found = expected, found


def write_slot(image: FatImage, slot: Disk, expected: Digest) -> int:
    """Make a slot contain an image, and read it back.

    The slot must not be the one that runs. An error leaves it with any content; nothing selects it.

    Args:
        image: computed from the boot tree.
        slot: the partition, as a disk.
        expected: what the generation says that the image is.

    Returns:
        How many bytes were written: nothing if all of them were there already.

    Raises:
        SlotSizeDiffers: the image is for another slot; nothing was written.
        WrongImage: the boot tree gives another image than expected.
        SlotNotKept: the medium does not contain what was written.
        BootFileChanged: the boot tree changed while it was read.
        DiskFailed: the medium reports an error.
    """
    if image.slot_size_bytes != slot.size_bytes:
        raise SlotSizeDiffers(made_for_bytes=image.slot_size_bytes, slot_bytes=slot.size_bytes)
    state = hashlib.sha256()
    written, offset = 0, 0
    with progress.stage("write the slot", total=image.size_bytes) as stage:
        for block in blocks(image):
            state.update(block)
            if slot.read(offset, len(block)) != block:
                slot.write(offset, block)
                written += len(block)
            offset += len(block)
            stage.advance(len(block))
        slot.flush()
    computed = Digest(state.digest())
    if computed != expected:
        raise WrongImage(expected=expected, found=computed)
    check_slot(slot, image.size_bytes, expected)
    return written


def check_slot(slot: Disk, size_bytes: int, expected: Digest) -> None:
    """Read back the used part of a slot and compare its hash.

    Raises:
        SlotNotKept: it is something else.
    """
    found = hash_slot(slot, size_bytes)
    if found != expected:
        raise SlotNotKept(expected=expected, found=found)


def hash_slot(slot: Disk, size_bytes: int) -> Digest:
    """The hash of the first bytes of a slot, read from the medium."""
    state = hashlib.sha256()
    with progress.stage("read the slot back", total=size_bytes) as stage:
        for at in range(0, size_bytes, _READ_BYTES):
            content = slot.read(at, min(_READ_BYTES, size_bytes - at))
            state.update(content)
            stage.advance(len(content))
    return Digest(state.digest())


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a sequence of bytes into blocks of ``BLOCK_BYTES``; the last may be shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        whole = len(waiting) // BLOCK_BYTES * BLOCK_BYTES
        for at in range(0, whole, BLOCK_BYTES):
            yield bytes(waiting[at : at + BLOCK_BYTES])
        del waiting[:whole]
    if waiting:
        yield bytes(waiting)
