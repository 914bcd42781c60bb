"""Build the generation of a host from its lock.

The generation holds all systems of the host and the boot partition they need, as one path in the
store. Every input is taken from reconix.lock and checked by size and SHA-256; once the inputs are
in the cache, no network is needed. What has not changed is not made again: a changed setting takes
seconds, only a changed set of packages makes a new root.

Each new generation is kept under a number; building the same again gives the same number.

A system that has a budget must keep it. One that is frozen must be what it was in the generation
before: what reaches it is told, and nothing is kept.

Exit status: 0 it is built, 2 a mistake in the configuration, 60-69 an input is missing or wrong, or
(63) a promise of the configuration is not kept.
"""

import argparse

from reconix.base.documents import JsonInput
from reconix.build import promises
from reconix.build.host import build_host
from reconix.build.pins import Pin
from reconix.cli import places, signers
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.projects import ProjectFiles
from reconix.cli.sizes import human
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build."""
    files = ProjectFiles.read(arguments)
    host = files.host(arguments.host)
    with ChrootStore(places.store(arguments)) as store:
        pin = build(files, store, host)
        _tell(arguments, store, host, pin)
    return 0


def build(files: ProjectFiles, store: ChrootStore, host: Host) -> Pin:
    """Build a host and keep what came out, if it is what the configuration promises."""
    host = signers.with_keys(files, host)
    path = build_host(files.workshop(store), host, files.host_lock(host))
    pins = files.pins(store, host)
    before = [pin.path for pin in pins.all() if store.is_valid(pin.path)]
    promises.check(store, host.systems, path, before[-1] if before else None)
    promises.check_generation(store, path, files.configuration.project.budgets.generation)
    return pins.add(path)


def _tell(arguments: argparse.Namespace, store: ChrootStore, host: Host, pin: Pin) -> None:
    generation = read_generation(store.store_dir, pin.path)
    objects = store.manifest(pin.path).objects
    size = sum(item.nar_size_bytes for item in objects)
    document: JsonInput = {
        "host": host.name,
        "number": pin.number,
        "generation": str(pin.path),
        "systems": {system.name: str(system.toplevel) for system in generation.systems},
        "objects": len(objects),
        "nar_size_bytes": size,
        "slot_image_size_bytes": generation.slot.size_bytes,
    }
    text = (
        f"{host.name}: generation {pin.number}\n{pin.path}\n"
        f"{len(generation.systems)} systems, {len(objects)} objects of {human(size)}, "
        f"boot partition {human(generation.slot.size_bytes)}"
    )
    answer(arguments, text=text, document=document)
