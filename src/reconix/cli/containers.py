"""List the containers of a host, and what each takes on a device.

    reconix containers gateway           of all systems
    reconix containers gateway:web       of one system

Alone is what only this container has on a device, shared what another container or the system has
as well: each content of a file is on a device once. Names, owners and files of a few bytes are not
counted. The generation that was built last is shown, or the one with --generation. How containers
do on a device is told there: `reconix-device containers`.

Exit status: 0 success, 2 there is no such host, system or generation.
"""

import argparse
from collections.abc import Sequence

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.cli import generations, places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.composition.containers import Measured, measured
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.generation import Generation, read_generation

_SHOWN_DIGITS = 12
_HEADER = ("size", "alone", "shared", "container", "digest", "made of")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("what", metavar="HOST[:SYSTEM]", nargs="?", help="(default: the only host)")
    generations.add_generation(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """List them."""
    name, _, system = (arguments.what or "").partition(":")
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(name or None)
    with ChrootStore(places.store(arguments)) as store:
        pin = generations.finder(arguments, files, store, host)(arguments.generation)
        generation = read_generation(store.store_dir, pin.path)
        _expect_system(generation, system)
        found = [each for each in measured(store, generation) if system in ("", each.system)]
    document: JsonInput = {
        "host": generation.host,
        "number": pin.number,
        "generation": str(generation.path),
        "containers": [_document(each) for each in found],
    }
    answer(arguments, text="\n".join(_lines(found)), document=document)
    return 0


def _expect_system(generation: Generation, system: str) -> None:
    known = [each.name for each in generation.systems]
    if system and system not in known:
        raise UsageError(
            f"{generation.host} has no system {system!r}", hint=f"there are: {', '.join(known)}"
        )


def _lines(found: Sequence[Measured]) -> list[str]:
    if not found:
        return ["there are no containers"]
    rows = [_HEADER, *map(_cells, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [one_line(_line(row, widths)) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Numbers to the right, words to the left."""
    numbers = [cell.rjust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
    words = [cell.ljust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
    return "  ".join([*numbers, *words]).rstrip()


def _cells(each: Measured) -> tuple[str, ...]:
    digest = each.container.digest
    return (
        human(each.size_bytes),
        human(each.alone_bytes),
        human(each.shared_bytes),
        f"{each.system}:{each.container.name}",
        f"sha256:{digest.hex()[:_SHOWN_DIGITS]}" if digest else "-",
        each.container.what,
    )


def _document(each: Measured) -> JsonInput:
    digest = each.container.digest
    return {
        "system": each.system,
        "name": each.container.name,
        "image": each.container.image or None,
        "digest": None if digest is None else str(digest),
        "packages": list(each.container.packages),
        "network": each.container.network,
        "size_bytes": each.size_bytes,
        "alone_bytes": each.alone_bytes,
        "shared_bytes": each.shared_bytes,
    }
