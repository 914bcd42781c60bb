"""Make a folder of streams that any web server can serve, or that fits on a stick.

Puts streams into DIR that lead to the latest generation: from each of the last ones before it
(--from-last), and a full one that needs nothing (not with --no-full). What lies there already
stays, so that devices which slept long find a chain. With --together one stream serves all of those
generations: fewer bytes in the folder, more for each device (see `reconix send`).

`index.json` is written last and says what there is; devices find the cheapest way by themselves:
`reconix-device update --from URL`.

The same generations and keys give the same files. A stream that is there already is not made again.

Exit status: 0 done, 2 there is no such generation or key, 50-52 a file of the folder is no stream.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import open_regular, replacing, write_durably
from reconix.build.pins import Pin, Pins
from reconix.cli import parsers, places
from reconix.cli.answers import answer
from reconix.cli.send import LATEST, add_trust_arguments, make
from reconix.cli.sizes import human
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.transfer.format.catalog import INDEX, Offer, print_index
from reconix.transfer.format.stream import MAX_BASES, StreamReader

_SUFFIX = ".rcx"
_FROM_LAST = 3
_MARK = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to put them")
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    parser.add_argument(
        "-g",
        "--generation",
        metavar="G",
        default=LATEST,
        help="what devices shall get (default: the latest)",
    )
    parser.add_argument(
        "--from-last",
        type=int,
        metavar="N",
        default=_FROM_LAST,
        help="how many generations before it devices may have (default: %(default)s)",
    )
    parser.add_argument(
        "--no-full", dest="full", action="store_false", help="no stream that needs nothing"
    )
    parser.add_argument(
        "--together", action="store_true", help="one stream for all of these generations"
    )
    add_trust_arguments(parser)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with ChrootStore(places.store(arguments)) as store:
        pins = files.pins(store, host)
        target = pins.find(arguments.generation)
        for bases in _starts(arguments, store, pins, target):
            path = folder / _name(host.name, bases, target)
            if path.exists():
                continue
            with replacing(path) as file:
                make(arguments, files, store, [base.path for base in bases], target, file.write)
    offers = [_offer(path) for path in sorted(folder.glob(f"*{_SUFFIX}"))]
    write_durably(folder / INDEX, print_index(offers))
    _tell(arguments, target, offers)
    return 0


def _starts(
    arguments: argparse.Namespace, store: ChrootStore, pins: Pins, target: Pin
) -> Iterator[list[Pin]]:
    """What each stream starts from."""
    before = [pin for pin in pins.all() if pin.number < target.number]
    usable = [pin for pin in before if pin.path != target.path and store.is_valid(pin.path)]
    last = usable[len(usable) - min(len(usable), arguments.from_last) :]
    at_once = MAX_BASES if arguments.together else 1
    yield from (last[begin : begin + at_once] for begin in range(0, len(last), at_once))
    if arguments.full:
        yield []


def _name(host: str, bases: list[Pin], target: Pin) -> str:
    """A file name; the beginnings of the paths keep streams of other builds apart."""
    start = f"{_numbers(bases)}.{_mark(bases)}" if bases else "full"
    return f"{host}-{start}-{target.number}.{target.path.hash[:_MARK]}{_SUFFIX}"


def _numbers(bases: list[Pin]) -> str:
    first, last = bases[0].number, bases[-1].number
    return f"{first}" if len(bases) == 1 else f"{first}to{last}"


def _mark(bases: list[Pin]) -> str:
    if len(bases) == 1:
        return bases[0].path.hash[:_MARK]
    return Digest.of("".join(sorted(str(base.path) for base in bases)).encode()).hex()[:_MARK]


def _offer(path: Path) -> Offer:
    with open_regular(path) as file:
        return Offer.of(path.name, path.stat().st_size, StreamReader(file.read).header)


def _tell(arguments: argparse.Namespace, target: Pin, offers: list[Offer]) -> None:
    ours = [offer for offer in offers if offer.target == target.path]
    lines = [f"{offer.file}: {human(offer.size_bytes)}" for offer in ours]
    answer(
        arguments,
        text="\n".join([f"{arguments.folder / INDEX}: {len(offers)} streams", *lines]),
        document={
            "index": str(arguments.folder / INDEX),
            "generation": str(target.path),
            "streams": {offer.file: offer.size_bytes for offer in offers},
        },
    )
