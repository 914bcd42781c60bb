"""Make a folder of streams that any web server can serve, or that fits on a stick.

Puts streams into DIR that lead to the latest generation: from each of the last ones before it
(--from-last), and a full one that needs nothing (not with --no-full). What lies there already
stays, so that devices that were off for long find a chain. With --together one stream serves all of
those generations: fewer bytes in the folder, more for each device (see `reconix send`).

`index.json` is written last and says what there is; devices pick the cheapest way themselves:
`reconix-device update --from URL`.

The same generations and keys give the same files. A stream that is there already is not made again.

Exit status: 0 success, 2 there is no such generation or key, 50-52 a file of the folder is not a
stream.
"""

import argparse
from pathlib import Path

from reconix.base.files import replacing
from reconix.base.sizes import human
from reconix.build.pins import Pin
from reconix.cli import generations, parsers, places
from reconix.cli.answers import answer
from reconix.cli.send import add_making_arguments, make
from reconix.cli.words import counted
from reconix.fleet import publication
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.transfer.format.catalog import INDEX, Offer

_FROM_LAST = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to put them")
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    generations.add_generation(parser, "to publish: ")
    parser.add_argument(
        "--from-last",
        type=int,
        metavar="N",
        default=_FROM_LAST,
        help="how many generations before it devices may have (default: %(default)s)",
    )
    parser.add_argument("--no-full", dest="full", action="store_false", help="make no full stream")
    parser.add_argument(
        "--together", action="store_true", help="one stream for all of these generations"
    )
    add_making_arguments(parser)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    with ChrootStore(places.store(arguments)) as store:
        pins = files.pins(store, host)
        target = generations.finder(arguments, files, store, host)(arguments.generation)
        last = publication.last_before(pins, store, target, arguments.from_last)
        for bases in publication.starts(last, together=arguments.together, full=arguments.full):
            path = folder / publication.file_name(host.name, bases, target)
            if path.exists():
                continue
            with replacing(path) as file:
                make(arguments, files, store, [base.path for base in bases], target, file.write)
    offers = publication.write_index(folder)
    _tell(arguments, target, offers)
    return 0


def _tell(arguments: argparse.Namespace, target: Pin, offers: list[Offer]) -> None:
    ours = [offer for offer in offers if offer.target == target.path]
    lines = [f"{offer.file}: {human(offer.size_bytes)}" for offer in ours]
    answer(
        arguments,
        text="\n".join([f"{arguments.folder / INDEX}: {counted(len(offers), 'stream')}", *lines]),
        document={
            "index": str(arguments.folder / INDEX),
            "generation": str(target.path),
            "streams": {offer.file: offer.size_bytes for offer in offers},
        },
    )
