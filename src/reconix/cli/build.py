"""Build the generation of a host from its lock.

The generation holds all systems of the host and the boot partition they need, as one path in the
store. Every input is taken from reconix.lock and checked by size and SHA-256; once the inputs are
in the cache, no network is needed. What has not changed is not made again: a changed setting takes
seconds, only a changed set of packages makes a new root.

Downloads go through the proxies of apt, else through those that `http_proxy`, `https_proxy`,
`all_proxy` and `no_proxy` name.

Each new generation is kept under a number; building the same again gives the same number.

What is told as size is what a device needs: each content once, and images with names and metadata.

A system that has a budget must stay within it. One that is frozen must be the same as in the
generation before; if something changes it, the command says what, and keeps nothing.

The numbers of users and groups are recorded in the lock, because files that devices keep belong to
them: commit it. A change that would give one of them another number is refused.

What a device does not have as its packages do is reported each time, with its path, such as a key
that was made when the packages were installed.

Exit status: 0 success, 2 a mistake in the configuration, 60-69 an input is missing or wrong, or
(63) a budget is exceeded, or a frozen system or the ID of a user would change.
"""

import argparse
from collections.abc import Mapping
from types import MappingProxyType

from reconix.base.documents import JsonInput
from reconix.base.sizes import human
from reconix.build.measured import Measured
from reconix.build.pins import Pin
from reconix.build.root import losses
from reconix.build.users.static_ids import FIRST_SYSTEM, LAST_REGULAR
from reconix.cli import needs, places, registries
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.words import counted
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.project.building import build, debian_roots
from reconix.project.files import ProjectFiles
from reconix.signing.project_keys import with_keys
from reconix.store.generation import read_generation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "--number",
        metavar="NAME=NUMBER",
        type=_user_number,
        action="append",
        default=[],
        help="give a user or group this number, although devices know another one",
    )
    add_json(parser)


def _user_number(word: str) -> tuple[str, int]:
    name, _, number = word.partition("=")
    if not name or not number.isascii() or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=NUMBER")
    if not FIRST_SYSTEM <= int(number) <= LAST_REGULAR:
        raise argparse.ArgumentTypeError(f"{number} is not from {FIRST_SYSTEM} to {LAST_REGULAR}")
    return name, int(number)


def run(arguments: argparse.Namespace) -> int:
    """Build."""
    files = ProjectFiles.read(places.project(arguments))
    build_and_tell(arguments, files, files.host(arguments.host), dict(arguments.number))
    return 0


def build_and_tell(
    arguments: argparse.Namespace,
    files: ProjectFiles,
    host: Host,
    numbers: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Build a host; ``numbers`` are given to users and groups although devices know others."""
    needs.expect_build(host)
    with ChrootStore(places.store(arguments)) as store:
        measured = Measured(store)
        pin = build(files, store, with_keys(files, host), registries.downloads(), numbers, measured)
        _tell(arguments, measured, host, pin)


def _tell(arguments: argparse.Namespace, measured: Measured, host: Host, pin: Pin) -> None:
    store = measured.store
    generation = read_generation(store.store_dir, pin.path)
    size = measured.generation(pin.path).size
    document: JsonInput = {
        "host": host.name,
        "number": pin.number,
        "generation": str(pin.path),
        "systems": {system.name: str(system.toplevel) for system in generation.systems},
        "contents": size.contents,
        "contents_size_bytes": size.contents_bytes,
        "images": size.images,
        "images_size_bytes": size.images_bytes,
        "installed_size_bytes": size.total_bytes,
        "slot_image_size_bytes": generation.slot.size_bytes,
        "losses": {
            name: [str(loss) for loss in losses.read(root)]
            for name, root in debian_roots(store, pin.path, host.systems).items()
        },
    }
    text = (
        f"{host.name}: generation {pin.number}\n{pin.path}\n"
        f"{counted(len(generation.systems), 'system')} of {human(size.total_bytes)} in "
        f"{counted(size.contents, 'file')} and {counted(size.images, 'image')}, "
        f"boot partition {human(generation.slot.size_bytes)}"
    )
    answer(arguments, text=text, document=document)
