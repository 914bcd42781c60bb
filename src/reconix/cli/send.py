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

Compiled modules of Python are made by the device, of their sources, if its agent knows how and
runs on the Python that is in the base. --for cpu sends them.

With --repair the stream brings no generation, but again what is damaged on a device: the file is
what `reconix-device status --json` has printed there. See also `reconix repair`.

Exit status: 0 success, 2 there is no such generation or there are too many, 59 the store is
damaged or devices would refuse the stream.
"""

import argparse
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import read_bounded, replacing
from reconix.base.sizes import human
from reconix.build.pins import Pin
from reconix.cli import generations, parsers, places
from reconix.cli.answers import answer
from reconix.cli.generations import Find
from reconix.fleet.remote import DeviceStatus, parse_status
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.signing.project_keys import signer_of
from reconix.store.paths import StorePath
from reconix.transfer.format.stream import Write
from reconix.transfer.sending import send
from reconix.transfer.sending.means import Sparing
from reconix.transfer.sending.repair import RepairSent, create_repair
from reconix.transfer.sending.send import Sent

STANDARD_OUTPUT = "-"
_MAX_STATUS_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-b",
        "--base",
        metavar="G",
        action="append",
        default=[],
        help=f"what devices have: {generations.WORDS}; may be given several times",
    )
    generations.add_generation(parser, "what to bring them to: ")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="the stream; - is the standard output",
    )
    parser.add_argument(
        "--repair",
        type=Path,
        metavar="FILE",
        help="bring again what this status of a device says is damaged",
    )
    add_making_arguments(parser)
    parsers.add_json(parser)


def add_making_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a stream is made, and who signs it."""
    parser.add_argument(
        "--for",
        dest="sparing",
        type=Sparing,
        choices=[*Sparing],
        default=Sparing.LINK,
        help="what is dear to devices: the link (default), or the processor, which then has "
        "nothing to compress or to compile again; that pays above a few Mbit/s",
    )
    add_trust_arguments(parser)


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
        if arguments.repair is not None:
            _repair(arguments, store, files)
            return 0
        find = generations.finder(arguments, files, store, files.host(arguments.host))
        if arguments.output == STANDARD_OUTPUT:
            _to_standard_output(arguments, store, find, files)
        else:
            _to_file(arguments, store, find, files)
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
    return send.create(
        store,
        bases,
        target.path,
        write,
        sequence=sequence,
        signer=signer,
        sparing=arguments.sparing,
    )


def make_repair(
    arguments: argparse.Namespace,
    files: ProjectFiles,
    store: ChrootStore,
    status: DeviceStatus,
    write: Write,
) -> RepairSent:
    """Make the stream that repairs a device, signed as the project says.

    Raises:
        UsageError: nothing is damaged there, or no generation of it is in the build store.
    """
    if not status.damaged:
        raise UsageError("as far as that device has read, nothing is damaged")
    host = files.host(arguments.host)
    numbers = {pin.path: pin.number for pin in files.pins(store, host).all()}
    installed = [StorePath.parse(path) for path in status.installed]
    known = {path: numbers.get(path, 0) for path in installed if store.is_valid(path)}
    if status.host != host.name or not known:
        raise UsageError(
            f"the build store has no generation of {host.name} that is on that device",
            hint="build again what it runs",
        )
    target = status.committed if status.committed in known else min(known)
    wanted = [each.digest for each in status.damaged]
    signer = None if arguments.unsigned else signer_of(files, arguments.key)
    return create_repair(store, known, target, wanted, write, signer=signer)


def _repair(arguments: argparse.Namespace, store: ChrootStore, files: ProjectFiles) -> None:
    if arguments.base or arguments.generation != generations.LATEST:
        raise UsageError("--repair brings no generation: use it without --base and --generation")
    content = read_bounded(arguments.repair, _MAX_STATUS_BYTES)
    status = parse_status(content, source=str(arguments.repair))
    if arguments.output == STANDARD_OUTPUT:
        _expect_stream_alone(arguments)
        make_repair(arguments, files, store, status, sys.stdout.buffer.write)
        return
    with replacing(Path(arguments.output)) as file:
        sent = make_repair(arguments, files, store, status, file.write)
    answer(
        arguments,
        text=f"{arguments.output}: {repaired(sent)}",
        document={
            "stream": arguments.output,
            "size_bytes": sent.size_bytes,
            "repaired": sent.header.repaired,
            "missing": [digest.hex() for digest in sent.missing],
        },
    )


def repaired(sent: RepairSent) -> str:
    """What a repair stream brings, in words."""
    count, missing = sent.header.repaired, len(sent.missing)
    more = f"; {missing} are not in the build store" if missing else ""
    return f"{human(sent.size_bytes)}, repairs {count} contents and images{more}"


def _expect_stream_alone(arguments: argparse.Namespace) -> None:
    if arguments.json:
        raise UsageError("--json and the stream cannot both go to the standard output")
    if sys.stdout.isatty():
        raise UsageError(
            "refusing to write a stream to a terminal", hint="name a file: --output FILE"
        )


def _ends(arguments: argparse.Namespace, find: Find) -> tuple[list[Pin], Pin]:
    """Where the stream begins and where it leads."""
    found = {find(base) for base in arguments.base}
    return sorted(found, key=lambda pin: pin.number), find(arguments.generation)


def _paths(bases: Iterable[Pin]) -> list[StorePath]:
    return [base.path for base in bases]


def _to_standard_output(
    arguments: argparse.Namespace, store: ChrootStore, find: Find, files: ProjectFiles
) -> None:
    _expect_stream_alone(arguments)
    bases, target = _ends(arguments, find)
    make(arguments, files, store, _paths(bases), target, sys.stdout.buffer.write)


def _to_file(
    arguments: argparse.Namespace, store: ChrootStore, find: Find, files: ProjectFiles
) -> None:
    bases, target = _ends(arguments, find)
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
