"""Write a host to a disk, so that the disk is whole, or none.

    reconix install gateway --to /dev/sdX
    reconix install gateway --to ssh://root@192.0.2.7:/dev/mmcblk0 --device GW-0001

The disk is at this computer, or at a device that was started into some rescue system. Here one must
be able to write it: `sudo chown "$USER" /dev/sdX` is enough, and then nothing is built as root. Of
a rescue system only `sh`, `dd`, `blockdev` and `sha256sum` are needed. It must be a whole disk of
which nothing is in use, at least as large as the image, with sectors of 512 bytes. What it is and
what is on it is shown, and asked twice; all of that is gone then. --yes asks nothing.

Only what must be on the disk is written, by the block map of the image. All of it is read back past
the cache and compared; the tables that make it a disk come last. So a disk of which the writing was
interrupted does not start: repeat the command.

--device writes what one device has of its own, as `reconix image --device` does. --dry-run looks at
the disk, says all that, and writes nothing.

Exit status: 0 success, 1 answered with no, 33 the disk is none, is in use, or did not keep what was
written, 35 it is too small, 78 the device does not answer; and those of `image`.
"""

import argparse
import contextlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError, UsageError
from reconix.base.sizes import human
from reconix.cli import made_image, needs, places, ssh
from reconix.cli.answers import answer, complain
from reconix.cli.made_image import MadeImage
from reconix.cli.parsers import add_json
from reconix.config.schema.hosts import Host
from reconix.image.disk import Layout
from reconix.image.flash import flash
from reconix.image.layout import needed_bytes
from reconix.image.local_disk import LocalDisk, describe
from reconix.image.rescue_disk import RescueDisk
from reconix.image.target_disk import Target, TargetDisk
from reconix.project.files import ProjectFiles

_ELSEWHERE = re.compile(r"ssh://(?P<login>[^/\s]+?)(?::(?P<port>\d{1,5}))?:(?P<disk>/dev/[^\s]+)")


class NotConfirmed(ReconixError):
    """Somebody was asked, and did not say yes."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the disk is.

    Args:
        disk: its device, there.
        rescue: at a device that is reached over ssh; None: here.
        login: as ssh is told.
    """

    disk: str
    rescue: RescueDisk | None = None
    login: str = ""

    def describe(self) -> TargetDisk:
        """What the disk is."""
        return describe(Path(self.disk)) if self.rescue is None else self.rescue.describe()

    @contextlib.contextmanager
    def open(self, disk: TargetDisk) -> Iterator[Target]:
        """The disk, to be written."""
        if self.rescue is not None:
            yield self.rescue
            return
        with LocalDisk.open(disk.path) as here:
            yield here

    @property
    def next_step(self) -> str:
        """What is to be done when it is written."""
        if self.rescue is None:
            return "next: put it into the device, and leave no other disk of this host plugged in"
        return f"next: ssh {self.login} reboot, without the medium that it was started from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    made_image.add_arguments(parser)
    parser.add_argument(
        "--to", required=True, metavar="DISK", help="/dev/NAME, or ssh://USER@ADDR:/dev/NAME"
    )
    ssh.add_way_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the disk."""
    needs.expect(*needs.DISK)
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    place = _place(arguments)
    disk = place.describe()
    disk.expect_room(_image_bytes(host))
    if arguments.dry_run:
        _answer(arguments, disk, host, None, "nothing was written")
        return 0
    if not arguments.yes:
        _ask(disk, host)
    workplace = files.workplace(host)
    workplace.make()
    with _image(arguments, workplace.folder) as made, place.open(disk) as target:
        disk.expect_room(made.block_map.size_bytes)
        flash(target, disk, made.file, made.block_map)
        _answer(arguments, disk, host, made, place.next_step)
    return 0


def _image_bytes(host: Host) -> int:
    layout = Layout.of(host.machine)
    return layout.disk_bytes or needed_bytes(layout.sizes)


@contextlib.contextmanager
def _image(arguments: argparse.Namespace, workplace: Path) -> Iterator[MadeImage]:
    """The image, as long as it is needed: it may have secrets in it."""
    with tempfile.TemporaryDirectory(prefix=".install.", dir=workplace) as folder:
        yield made_image.make(arguments, Path(folder, "disk.img"))


def _place(arguments: argparse.Namespace) -> _Place:
    named: str = arguments.to
    if named.startswith("/"):
        return _Place(named)
    found = _ELSEWHERE.fullmatch(named)
    if found is None:
        raise UsageError(
            f"{named!r} names no disk", hint="say /dev/NAME or ssh://USER@ADDR:/dev/NAME"
        )
    arguments.to = found["login"]
    arguments.port = int(found["port"]) if found["port"] else arguments.port
    remote = ssh.remote(arguments)
    return _Place(found["disk"], RescueDisk(remote, found["disk"]), found["login"])


def _ask(disk: TargetDisk, host: Host) -> None:
    """Ask twice: whether, and then which, so that nobody answers without having read it.

    Raises:
        NotConfirmed: it is not wanted.
    """
    name = disk.path.rpartition("/")[2]
    complain(f"{disk}\non it: {disk.on_it}\nall of that will be gone, for an image of {host.name}")
    if _said("Write to it? [yes/no] ") != "yes":
        raise NotConfirmed("nothing was written")
    if _said(f"Say its name to go on [{name}]: ") != name:
        raise NotConfirmed("that is another name: nothing was written")


def _said(question: str) -> str:
    complain(question)
    try:
        return input().strip()
    except EOFError as error:
        raise NotConfirmed(
            "nobody answers: nothing was written", hint="--yes asks nothing"
        ) from error


def _answer(
    arguments: argparse.Namespace, disk: TargetDisk, host: Host, made: MadeImage | None, more: str
) -> None:
    written = 0 if made is None else made.block_map.mapped_bytes
    done = (
        f"an image of {host.name} fits: it takes {_image_bytes(host)} bytes"
        if made is None
        else f"generation {made.pin.number} of {host.name}: {human(written)} written and compared"
    )
    answer(
        arguments,
        text=f"{disk}\n{'on it' if made is None else 'was on it'}: {disk.on_it}\n{done}\n{more}",
        document={
            "disk": disk.path,
            "model": disk.model,
            "size_bytes": disk.size_bytes,
            "was_on_it": [
                {"name": part.name, "label": part.label, "size_bytes": part.size_bytes}
                for part in disk.parts
            ],
            "number": None if made is None else made.pin.number,
            "generation": None if made is None else str(made.pin.path),
            "written_bytes": written,
        },
    )
