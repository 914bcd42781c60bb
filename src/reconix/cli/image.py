"""Make a disk image of a host, ready to be flashed or to run in QEMU.

The image has the partition tables, the boot partition and the store of one generation, and an empty
data partition. Needs no root, mounts nothing, and the same generation gives the same bytes. Beside
the image lies its block map, FILE.bmap: `bmaptool copy FILE /dev/DISK` writes only what must be on
the disk, and checks it. Without that program, `dd` writes all (with `conv=sparse` only to a disk
that was emptied before). The file is sparse: copy it with `cp --sparse=always`, or take the one
that `--compress` writes beside it. The disk must be at least as large as the image, and have
sectors of 512 bytes: `blockdev --getsize64 --getss DISK` says both. What the firmware of the
machine remembers of another system outlives its disk and may keep the device from starting:
docs/flashing.md says what to clear.

`--device SERIAL` makes the image of one device: what `[devices.SERIAL]` in machine.toml says of it
is written to the data partition, signed by the keys that sign updates, with the values of the
secrets that its systems ask for, as far as they are in `secrets/`, and with a key of its own, which
is made once, keys/devices/HOST/SERIAL. The generation is the same for all. Such an image has
secrets in it: only its owner may read it.

Exit status: 0 success, 30-39 or 63 a part is larger than its place on the disk.
"""

import argparse
import shlex
from pathlib import Path

from reconix.base.sizes import human
from reconix.boot.gpt import SECTOR
from reconix.cli import made_image
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.image.compress import Compression, compress
from reconix.image.disk import map_beside
from reconix.image.layout import SYSTEM, guid
from reconix.project.virtual_device import can_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    made_image.add_arguments(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the image (default: where `run` looks)"
    )
    parser.add_argument(
        "--compress",
        choices=[each.value for each in Compression],
        help="write a compressed image beside it, too",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the image."""
    made = made_image.make(arguments, arguments.output)
    packed = compress(made.file, Compression(arguments.compress)) if arguments.compress else None
    stat = made.file.stat()
    system = str(guid(SYSTEM, host=made.host.name)).lower()
    written = made.block_map.mapped_bytes
    answer(
        arguments,
        text=f"{made.file}: generation {made.pin.number} of {made.host.name}, "
        f"{human(stat.st_size)}, {human(written)} to be written\n"
        f"{_compressed(packed)}"
        f"the disk must have at least {stat.st_size} bytes, in sectors of {SECTOR}; "
        f"its system partition is PARTUUID={system}\n{_how_to_flash(made.file, packed)}"
        f"{_how_to_try(arguments, made.file) if can_run(made.host) else ''}",
        document={
            "image": str(made.file),
            "block_map": str(map_beside(made.file)),
            "compressed": None if packed is None else str(packed),
            "number": made.pin.number,
            "generation": str(made.pin.path),
            "size_bytes": stat.st_size,
            "used_bytes": stat.st_blocks * 512,
            "mapped_bytes": written,
            "system_guid": system,
        },
    )
    return 0


def _compressed(packed: Path | None) -> str:
    return "" if packed is None else f"{packed}: {human(packed.stat().st_size)}\n"


def _how_to_flash(made: Path, packed: Path | None = None) -> str:
    """How the image gets to a disk."""
    image = shlex.quote(str(made))
    flashed = image if packed is None else shlex.quote(str(packed))
    return (
        f"flash it: sudo bmaptool copy {flashed} /dev/DISK\n"
        f"      or: sudo dd if={image} of=/dev/DISK bs=4M conv=fsync status=progress\n"
        "          all that was on DISK is gone then; `lsblk` tells which it is"
    )


def _how_to_try(arguments: argparse.Namespace, made: Path) -> str:
    """How to try the image without a disk."""
    which = [] if arguments.host is None else [arguments.host]
    other = [] if arguments.output is None else ["--image", shlex.quote(str(made))]
    return f"\ntry it:   {' '.join(['reconix', 'run', *which, *other])}"
