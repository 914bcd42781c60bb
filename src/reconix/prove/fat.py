"""Whether a slot is a consistent FAT file system, said by somebody else: fsck.fat.

A slot is good when it holds a known image, to the byte. That this image is a file system at all is
not taken from who made it; each is shown to ``fsck.fat -n`` once.

Source: fsck.fat(8). Tested by ``tests/unit/prove/test_fat.py``.
"""

import tempfile
from pathlib import Path

from reconix.base import process
from reconix.base.process import CommandFailed
from reconix.prove.blocks import View, read

_READ_BYTES = 1 << 20
_OUTPUT_CHARACTERS = 300


def fat_problem(view: View, offset: int, *, image_bytes: int, slot_bytes: int) -> str:
    """What is wrong with a file system on a disk, or nothing.

    Args:
        view: the disk.
        offset: where the slot begins, in bytes.
        image_bytes: how much of it is used.
        slot_bytes: how large it is.
    """
    with tempfile.TemporaryDirectory(prefix="reconix-prove-") as folder:
        copy = Path(folder, "slot")
        with copy.open("wb") as file:
            for at in range(0, image_bytes, _READ_BYTES):
                file.write(read(view, offset + at, min(_READ_BYTES, image_bytes - at)))
            file.truncate(slot_bytes)
        try:
            process.run("fsck.fat", "-n", copy)
        except CommandFailed as error:
            said = " ".join((error.output or b"").decode(errors="replace").split())
            return said[:_OUTPUT_CHARACTERS] or str(error)
    return ""
