"""Bring again what is damaged on a device, and nothing else.

A device reads each hour a little of what it has (`disk.scrub` in machine.toml) and remembers what
is damaged; `reconix status --to` shows it, and `reconix-device scrub` reads everything at once.
This command asks for that over ssh, makes a stream with just these contents and images, signed like
an update, and lets the agent receive it. Each is checked on the device and takes the place of the
damaged one. The generation stays what it is, nothing is tried, and the device does not restart.

A program that has read the damaged file already keeps what it has read until it is started again.
For a device without ssh: `reconix send --repair`.

Exit status: 0 repaired, or nothing is damaged; 1 something is still damaged, 50-59 and 80-89 the
device refused the stream, 78 the device cannot be reached.
"""

import argparse
import dataclasses
import tempfile

from reconix.base.text import one_line
from reconix.cli import parsers, places, ssh
from reconix.cli.answers import answer
from reconix.cli.send import add_trust_arguments, make_repair, repaired
from reconix.fleet.delivery import Delivery
from reconix.fleet.remote import DeviceStatus, Remote
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    ssh.add_arguments(parser, virtual=True)
    add_trust_arguments(parser)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Repair it."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    device = ssh.device(arguments, files.workplace(host), host)
    before = device.status()
    delivery = Delivery.begin(device, host.name, before.committed)
    if not before.damaged:
        return _tell(arguments, device, "as far as it has read, nothing is damaged", before, before)
    with ChrootStore(places.store(arguments)) as store, tempfile.TemporaryFile() as stream:
        sent = make_repair(arguments, files, store, before, stream.write)
        digests = frozenset(each.digest for each in before.damaged) - frozenset(sent.missing)
        dataclasses.replace(delivery, repairs=digests).send(stream)
    return _tell(arguments, device, repaired(sent), before, device.status())


def _tell(
    arguments: argparse.Namespace,
    device: Remote,
    what: str,
    before: DeviceStatus,
    after: DeviceStatus,
) -> int:
    left = [one_line(f"still damaged: {each}") for each in after.damaged]
    answer(
        arguments,
        text="\n".join([f"{device.to}: {what}", *left]),
        document={
            "to": device.to,
            "repaired": sorted({each.digest.hex() for each in before.damaged} - _names(after)),
            "damaged": sorted(_names(after)),
        },
    )
    return 1 if left else 0


def _names(status: DeviceStatus) -> set[str]:
    return {each.digest.hex() for each in status.damaged}
