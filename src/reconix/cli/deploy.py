"""Bring a device to another generation and wait until it keeps it or comes back.

Without --to it is the virtual device that `reconix run` has started.

Asks the device over ssh which generation it runs, makes the stream from that one, and pipes it
to the agent. The device checks it, writes it to the boot slot that is not in use and restarts into
a trial. The command waits for the end of the trial and reports it: the generation is kept, or the
device is back at the old one and says why. What changes nothing of what runs there is kept without
a restart, unless --restart asks for one.

If the build store no longer has the generation of the device, or with --full, the stream needs
nothing on the device and is as large as a first installation. If the link is cut, the command
resumes where the device says it can, even when it is run again later; what arrived is not sent
twice.

With --dry-run nothing is sent. The stream is made, and told is what it would take: bytes on the
link (with --link how long there), the most room in the store, what is written to the flash, memory,
what restarts, and whether the budgets `update` and `writes` of the project are kept. The device is
asked what it has; with --base it need not be there. --svg draws which systems, containers and
parts of them it reaches, and what goes on.

With --watch it builds and deploys, and does so again after each change of a file of the project;
mistakes are told, and it goes on. Changed containers alone, and
what does not run, take no restart. Hidden files do not count. Ctrl-C ends it.

With --live the generation is only started: by a soft reboot, until the next boot, which is that of
the generation before. No slot is written and nothing is committed; what is not healthy is left by a
restart. This is for a device that one develops on, and goes with --watch. The device refuses it
where another kernel is needed, and where it requires signatures and was sent none that it knows.

Exit status: 0 the device keeps the generation or had it already, 31, 50-59 and 80-89 the device
refused the stream, 78 the device cannot be reached, 79 it came back to the old generation. With
--dry-run: 56 the device has too little room, 63 a budget is exceeded.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import UsageError
from reconix.base.sizes import human
from reconix.build.pins import Pin
from reconix.cli import dry_run, failures, generations, parsers, places, secret_values, ssh
from reconix.cli.answers import answer
from reconix.cli.build import build_and_tell
from reconix.cli.send import add_making_arguments, make
from reconix.cli.watching import follow
from reconix.config.schema.hosts import Host
from reconix.fleet import trial
from reconix.fleet.delivery import Delivery
from reconix.fleet.forecast.links import NAMED, Link
from reconix.fleet.remote import DeviceStatus, Remote
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.store.paths import StorePath

_DEFAULT_WAIT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Delivered:
    """What it took to bring a generation to a device."""

    base: StorePath | None
    sent_bytes: int
    send_seconds: float
    trial_seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    ssh.add_arguments(parser, virtual=True)
    generations.add_generation(parser)
    parser.add_argument(
        "--full", action="store_true", help="send everything, whatever the device has"
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="try it by a restart even if nothing of what runs there changes",
    )
    parser.add_argument(
        "--wait",
        type=int,
        metavar="SECONDS",
        default=_DEFAULT_WAIT_SECONDS,
        help="how long to wait for the end of the trial (default: %(default)s; 0: do not wait)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="send nothing; say what it would take"
    )
    parser.add_argument(
        "--watch", action="store_true", help="build and deploy now, and after each change of a file"
    )
    parser.add_argument(
        "--live", action="store_true", help="only start it, until the next boot; commit nothing"
    )
    parser.add_argument(
        "--link",
        type=Link.parse,
        metavar="LINK",
        help=f"with --dry-run: say how long it takes on one of {', '.join(NAMED)}, "
        "or at so many bits in a second, such as 9600 or 64k",
    )
    parser.add_argument(
        "-b",
        "--base",
        metavar="G",
        help=f"with --dry-run: what the device has: {generations.WORDS} (default: ask it)",
    )
    parser.add_argument(
        "--svg",
        metavar="FILE",
        type=Path,
        help="with --dry-run: draw what it reaches in each system",
    )
    add_making_arguments(parser)
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy."""
    folder = places.project(arguments)
    if arguments.live and (arguments.dry_run or arguments.restart):
        raise UsageError("--live goes without --dry-run and --restart")
    if arguments.watch:
        _expect_to_watch(arguments)
        tell = partial(failures.show, as_json=arguments.json, verbose=arguments.verbose)
        follow(folder, partial(_build_and_deploy, arguments), tell)
    files = ProjectFiles.read(folder)
    host = files.host(arguments.host)
    if arguments.dry_run:
        return dry_run.run(arguments, files, host)
    if any(word is not None for word in (arguments.link, arguments.base, arguments.svg)):
        raise UsageError("--link, --base and --svg go with --dry-run")
    _deploy(arguments, files, host)
    return 0


def _expect_to_watch(arguments: argparse.Namespace) -> None:
    if arguments.dry_run or arguments.generation != generations.LATEST:
        raise UsageError("--watch goes without --dry-run and --generation")


def _build_and_deploy(arguments: argparse.Namespace) -> None:
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    build_and_tell(arguments, files, host)
    _deploy(arguments, files, host)


def _deploy(arguments: argparse.Namespace, files: ProjectFiles, host: Host) -> None:
    device = ssh.device(arguments, files.workplace(host), host)
    with ChrootStore(places.store(arguments)) as store:
        pin = generations.finder(arguments, files, store, host)(arguments.generation)
        delivery = Delivery.begin(
            device, host.name, pin.path, restarts=arguments.restart, is_live=arguments.live
        )
        secret_values.warn_of_lacking(delivery.device, host)
        if delivery.is_done:
            nothing = Delivered(pin.path, 0, 0, 0)
            _tell(arguments, device, pin, nothing, "it has this generation already")
            return
        base = None if arguments.full else delivery.base(store)
        sent_bytes, began = 0, time.monotonic()
        if not delivery.is_installed:
            with tempfile.TemporaryFile() as stream:
                make(arguments, files, store, [base] if base else [], pin, stream.write)
                sent_bytes = delivery.send(stream)
        elif not arguments.live:
            delivery.apply()
        send_seconds = time.monotonic() - began
    began = time.monotonic()
    if arguments.live:
        outcome = _go_live(delivery, arguments.wait)
        delivered = Delivered(base, sent_bytes, send_seconds, time.monotonic() - began)
        _tell(arguments, device, pin, delivered, outcome)
        return
    outcome = "its trial begins"
    if arguments.wait:
        now = trial.wait(delivery, seconds=arguments.wait)
        for line in now.missed_by(pin.path):
            progress.note(f"missed: {line}")
        outcome = _kept(now)
    delivered = Delivered(base, sent_bytes, send_seconds, time.monotonic() - began)
    _tell(arguments, device, pin, delivered, outcome)


def _go_live(delivery: Delivery, seconds: int) -> str:
    """Start what was sent; gives what came of it."""
    delivery.go_live()
    if not seconds:
        return "it starts, until the next boot"
    trial.wait_live(delivery, seconds=seconds)
    return "it is live until the next boot, and not kept"


def _kept(status: DeviceStatus) -> str:
    """That a device has kept a generation, and what of it has yet to show that it works."""
    untried = ", ".join(status.untried)
    return f"it is kept; not yet tried: {untried}" if untried else "it is kept"


def _tell(
    arguments: argparse.Namespace, device: Remote, pin: Pin, delivered: Delivered, outcome: str
) -> None:
    answer(
        arguments,
        text=f"{device.to}: generation {pin.number}: {outcome} "
        f"({human(delivered.sent_bytes)} sent in {delivered.send_seconds:.0f} s, "
        f"trial {delivered.trial_seconds:.0f} s)",
        document={
            "to": device.to,
            "number": pin.number,
            "generation": str(pin.path),
            "base": None if delivered.base is None else str(delivered.base),
            "sent_bytes": delivered.sent_bytes,
            "send_milliseconds": int(delivered.send_seconds * 1000),
            "trial_milliseconds": int(delivered.trial_seconds * 1000),
            "outcome": outcome,
        },
    )
