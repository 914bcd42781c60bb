"""The disk image of a host, made for whichever command asked: ``image`` or ``install``.

Tested by ``tests/unit/cli/test_image.py``.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.build.boot import firmware_files
from reconix.build.host import firmware_on_disk
from reconix.build.pins import Pin
from reconix.cli import generations, needs, places, registries, secret_values
from reconix.config.schema.hosts import Host
from reconix.device.state.secrets import FILE_MODE, FOLDER_MODE
from reconix.image.block_map import BlockMap
from reconix.image.disk import Layout, make_disk
from reconix.image.new_files import NewFile, NewNode, new_folder
from reconix.nix import roots
from reconix.nix.chroot import ChrootStore
from reconix.project import secrets
from reconix.project.building import build
from reconix.project.files import ProjectFiles
from reconix.project.secrets import Values, WantedSecret
from reconix.project.workplace import Workplace
from reconix.signing import device_keys, identities
from reconix.signing.project_keys import with_keys


@dataclass(frozen=True, slots=True)
class MadeImage:
    """An image, and what it is of."""

    host: Host
    pin: Pin
    file: Path
    block_map: BlockMap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which image is meant."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
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


def make(arguments: argparse.Namespace, output: Path | None) -> MadeImage:
    """Build what is asked for, and make its image.

    Args:
        arguments: as ``add_arguments`` says.
        output: the image; without it, where ``reconix run`` looks.
    """
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    needs.expect(*needs.IMAGE, *(needs.PACK if host.machine.disk.compress else ()))
    if not arguments.generation:
        needs.expect_build(host)
    workplace = files.workplace(host)
    workplace.make()
    with ChrootStore(places.store(arguments)) as store:
        if arguments.generation:
            pin = generations.finder(arguments, files, store, host)(arguments.generation)
        else:
            pin = build(files, store, with_keys(files, host), registries.downloads())
        own = _own(arguments, files, host)
        loaders = _loaders(files, store, host)
        file = (output or workplace.image).absolute()
        block_map = make_disk(store, pin.path, Layout.of(host.machine, own, loaders), file)
        _remember(store, workplace, file, pin)
    return MadeImage(host, pin, output or workplace.image, block_map)


def _loaders(
    files: ProjectFiles, store: ChrootStore, host: Host
) -> tuple[firmware_files.PlacedFile, ...]:
    """What the board reads outside of partitions, from the lock as it is now."""
    if not host.machine.boot.firmware_files:
        return ()
    workshop = files.workshop(store, registries.downloads())
    return firmware_on_disk(workshop, host, files.host_lock(host))


def _remember(store: ChrootStore, workplace: Workplace, file: Path, pin: Pin) -> None:
    """Keep the generation that ``reconix run`` starts."""
    if file == workplace.image.absolute():
        roots.link(store.state_dir, workplace.generation, pin.path)


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
