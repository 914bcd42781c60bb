"""Make the stream that brings devices from one generation to another.

The stream is made from the store alone, no device is needed: it can be kept, copied, broadcast, and
given to any number of devices that have the base. A device takes it with `reconix-device receive`.
The same two generations give the same bytes.

The stream is signed with the keys of the project (`reconix keys list`); a device that trusts them
takes it from anybody. Without --base the stream needs nothing on the device and is as large as a
first installation.

With --base given several times, at most eight, one stream serves devices with any of these
generations: what one of them lacks is in it, and each takes what it needs. It is larger than a
stream for one base and smaller than all of those together; it is meant for broadcast, sticks and
one-way links.

Exit status: 0 success, 2 there is no such generation or there are too many, 59 the store is
damaged or devices would refuse the stream.
"""

import argparse
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import replacing
from reconix.build.pins import Pin, Pins
from reconix.cli import parsers, places
from reconix.cli.answers import answer
from reconix.cli.sizes import human
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.signing.project_keys import signer_of
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import Write
from reconix.transfer.sending import send
from reconix.transfer.sending.send import Sent

STANDARD_OUTPUT = "-"
LATEST = "latest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-b",
        "--base",
        metavar="G",
        action="append",
        default=[],
        help="number or store path of a generation that devices have; may be given several times",
    )
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        default=LATEST,
        help="number or store path of the generation to bring them to (default: the latest)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="the stream; - is the standard output",
    )
    add_trust_arguments(parser)
    parsers.add_json(parser)


def add_trust_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say who signs a stream."""
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a secret key that signs, beside those of the project; may be given several times",
    )
    parser.add_argument(
        "--unsigned", action="store_true", help="do not sign: for devices that require no signature"
    )
    parser.add_argument(
        "--sequence",
        type=int,
        metavar="N",
        help="number by which devices tell new from old (default: that of the generation)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the stream."""
    files = ProjectFiles.read(places.project(arguments))
    with ChrootStore(places.store(arguments)) as store:
        pins = files.pins(store, files.host(arguments.host))
        if arguments.output == STANDARD_OUTPUT:
            _to_standard_output(arguments, store, pins, files)
        else:
            _to_file(arguments, store, pins, files)
    return 0


def make(
    arguments: argparse.Namespace,
    files: ProjectFiles,
    store: ChrootStore,
    bases: Collection[StorePath],
    target: Pin,
    write: Write,
) -> Sent:
    """Make a stream, signed as the project says."""
    sequence = target.number if arguments.sequence is None else arguments.sequence
    signer = None if arguments.unsigned else signer_of(files, arguments.key)
    return send.create(store, bases, target.path, write, sequence=sequence, signer=signer)


def _ends(arguments: argparse.Namespace, pins: Pins) -> tuple[list[Pin], Pin]:
    """Where the stream begins and where it leads."""
    found = {pins.find(base) for base in arguments.base}
    return sorted(found, key=lambda pin: pin.number), pins.find(arguments.generation)


def _paths(bases: Iterable[Pin]) -> list[StorePath]:
    return [base.path for base in bases]


def _to_standard_output(
    arguments: argparse.Namespace, store: ChrootStore, pins: Pins, files: ProjectFiles
) -> None:
    if arguments.json:
        raise UsageError("--json and the stream cannot both go to the standard output")
    if sys.stdout.isatty():
        raise UsageError(
            "refusing to write a stream to a terminal", hint="name a file: --output FILE"
        )
    bases, target = _ends(arguments, pins)
    make(arguments, files, store, _paths(bases), target, sys.stdout.buffer.write)


def _to_file(
    arguments: argparse.Namespace, store: ChrootStore, pins: Pins, files: ProjectFiles
) -> None:
    bases, target = _ends(arguments, pins)
    output = Path(arguments.output)
    with replacing(output) as file:
        sent = make(arguments, files, store, _paths(bases), target, file.write)
    _tell(arguments, bases, target, sent)


def _tell(arguments: argparse.Namespace, bases: list[Pin], target: Pin, sent: Sent) -> None:
    start = " or ".join(f"generation {base.number}" for base in bases) or "nothing"
    answer(
        arguments,
        text=f"{arguments.output}: {human(sent.size_bytes)}, "
        f"from {start} to generation {target.number} of {sent.header.host}",
        document={
            "stream": arguments.output,
            "size_bytes": sent.size_bytes,
            "bases": [str(base.path) for base in bases],
            "generation": str(target.path),
            "number": target.number,
        },
    )
