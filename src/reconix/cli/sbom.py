"""Write a bill of materials: what a host or a system consists of, for programs.

    reconix sbom gateway                               CycloneDX 1.6, on the standard output
    reconix sbom gateway:web --format spdx             SPDX 2.3, of one system
    reconix sbom gateway --output gateway.cdx.json     into a file

It names every Debian package and every wheel of the lock by its package URL, with the hash of its
file, the source package that it is built from, what it needs, and the licences that its copyright
file names to a machine. Kernel, boot loader and the program of the initrd are in it, and the agent.
The same lock gives the same bytes: the date is that of the newest package list in the lock.

Systems must be built, because only what is installed says what needs what. A system that Nix built
is named, with the hash of its closure; ask Nix for its parts.

Exit status: 0 success, 2 there is no such host or system, or it must be built first, 64 the lock
does not fit the configuration.
"""

import argparse
from pathlib import Path

from reconix.base.documents import print_json
from reconix.base.files import write_durably
from reconix.base.text import shown_in_json
from reconix.cli import places
from reconix.cli.answers import give
from reconix.composition import bill, cyclonedx, spdx
from reconix.composition.bill import Bill
from reconix.composition.subject import HostSubject
from reconix.nix.chroot import ChrootStore

_FORMATS = {"cyclonedx": cyclonedx.document, "spdx": spdx.document}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("what", metavar="HOST[:SYSTEM]", nargs="?", help="(default: the only host)")
    parser.add_argument(
        "--format",
        choices=tuple(_FORMATS),
        default="cyclonedx",
        help="CycloneDX 1.6 or SPDX 2.3, both as JSON (default: cyclonedx)",
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="(default: standard output)")


def run(arguments: argparse.Namespace) -> int:
    """Write it."""
    found = _bill(arguments)
    # Somebody may look at it, and names in it are those of others.
    content = shown_in_json(print_json(_FORMATS[arguments.format](found)).decode()).encode()
    if arguments.output is None:
        give(content)
    else:
        write_durably(arguments.output.absolute(), content)
    return 0


def _bill(arguments: argparse.Namespace) -> Bill:
    host, _, system = (arguments.what or "").partition(":")
    subject = HostSubject.read(places.project(arguments), host or None)
    store = places.store(arguments)
    names = [subject.system(system).name] if system else [*subject.host.systems]
    if not store.is_dir():
        raise subject.not_built(names[0])
    with ChrootStore(store) as opened:
        return bill.make(subject, subject.roots(opened, *names), system)
