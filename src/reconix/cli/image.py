"""Make a disk image of a host, ready to be flashed or to run in QEMU.

The image has the partition tables, the boot partition and the store of one generation, and an empty
data partition. Needs no root, mounts nothing, and the same generation gives the same bytes. The
file is sparse: copy it with `cp --sparse=always`, write it to a device with `dd` or a flasher (with
`dd conv=sparse` only to a disk that was emptied before). The disk must be at least as large as
the image, and have sectors of 512 bytes: `blockdev --getsize64 --getss DISK` says both. What the
firmware of the machine remembers of another system outlives its disk and may keep the device from
starting: docs/flashing.md says what to clear.

`--device SERIAL` makes the image of one device: what `[devices.SERIAL]` in machine.toml says of it
is written to the data partition, signed by the keys that sign updates, with the values of the
secrets that its systems ask for, as far as they are in `secrets/`, and with a key of its own, which
is made once, keys/devices/HOST/SERIAL. The generation is the same for all. Such an image has
secrets in it: only its owner may read it.

Exit status: 0 success, 30-39 or 63 a part is larger than its place on the disk.
"""

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path

from reconix.base import progress
from reconix.base.sizes import human
from reconix.boot.gpt import SECTOR
from reconix.cli import generations, needs, places, registries, secret_values
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.config.schema.hosts import Host
from reconix.device.state.secrets import FILE_MODE, FOLDER_MODE
from reconix.image.disk import Layout, make_disk
from reconix.image.layout import SYSTEM, guid
from reconix.image.new_files import NewFile, NewNode, new_folder
from reconix.nix import roots
from reconix.nix.chroot import ChrootStore
from reconix.project import secrets
from reconix.project.building import build
from reconix.project.files import ProjectFiles
from reconix.project.secrets import Values, WantedSecret
from reconix.signing import device_keys, identities
from reconix.signing.project_keys import with_keys


def _how_to_go_on(arguments: argparse.Namespace, output: Path) -> str:
    """How the image gets to a disk, and how to try it without one."""
    image = shlex.quote(str(output))
    which = [] if arguments.host is None else [arguments.host]
    other = [] if arguments.output is None else ["--image", image]
    return (
        f"flash it: sudo dd if={image} of=/dev/DISK bs=4M conv=fsync status=progress\n"
        "          all that was on DISK is gone then; `lsblk` tells which it is\n"
        f"try it:   {' '.join(['reconix', 'run', *which, *other])}"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the image (default: where `run` looks)"
    )
    parser.add_argument(
        "--device", metavar="SERIAL", help="the device whose identity it has (default: none)"
    )
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        help=f"{generations.WORDS} (default: build the current one)",
    )
    secret_values.add_arguments(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Make the image."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    needs.expect(*needs.IMAGE, *(needs.PACK if host.machine.disk.compress else ()))
    if not arguments.generation:
        needs.expect_build(host)
    workplace = files.workplace(host)
    workplace.make()
    output: Path = arguments.output or workplace.image
    with ChrootStore(places.store(arguments)) as store:
        if arguments.generation:
            pin = generations.finder(arguments, files, store, host)(arguments.generation)
        else:
            pin = build(files, store, with_keys(files, host), registries.downloads())
        own = _own(arguments, files, host)
        make_disk(store, pin.path, Layout.of(host.machine, own), output.absolute())
        if output == workplace.image:
            roots.link(store.state_dir, workplace.generation, pin.path)
    stat = output.stat()
    system = str(guid(SYSTEM, host=host.name)).lower()
    answer(
        arguments,
        text=f"{output}: generation {pin.number} of {host.name}, {human(stat.st_size)}, "
        f"{human(stat.st_blocks * 512)} used\n"
        f"the disk must have at least {stat.st_size} bytes, in sectors of {SECTOR}; "
        f"its system partition is PARTUUID={system}\n{_how_to_go_on(arguments, output)}",
        document={
            "image": str(output),
            "number": pin.number,
            "generation": str(pin.path),
            "size_bytes": stat.st_size,
            "used_bytes": stat.st_blocks * 512,
            "system_guid": system,
        },
    )
    return 0


def _own(arguments: argparse.Namespace, files: ProjectFiles, host: Host) -> dict[str, NewNode]:
    """What a device has of its own, on its data partition."""
    asked = secrets.wanted(host)
    if arguments.device is None:
        if asked:
            progress.note("secrets come with --device SERIAL, or later: reconix secrets push")
        return {}
    identity = identities.files_of(files, host, arguments.device)
    kept = _secrets(secret_values.values(arguments, files, host), asked)
    key = device_keys.key_of(files, host, arguments.device)
    return {
        **{name: NewFile(content) for name, content in identity.items()},
        device_keys.FILE_NAME: NewFile(key, FILE_MODE),
        **({secrets.FOLDER: new_folder(kept, mode=FOLDER_MODE)} if kept else {}),
    }


def _secrets(values: Values, asked: Iterable[WantedSecret]) -> dict[str, NewNode]:
    kept: dict[str, NewNode] = {}
    for each in asked:
        file = values.find(each.name)
        if file is not None:
            kept[each.name] = NewFile(values.read(file).content, FILE_MODE)
        else:
            less = "" if each.is_required else ", and not required"
            progress.note(f"secret {each.name} has no value in secrets/{less}: it is not written")
    return kept
