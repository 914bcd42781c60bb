"""Run a device in QEMU, with its console in this terminal.

Starts the image that `reconix image` made last, or the one that is named. The image itself is never
changed: what the device writes goes into a disk of its own beside it, together with the firmware's
variables, so a device that is started again continues where it was. --fresh forgets all that.

The ports that `[run] forward` of machine.toml names can be reached on 127.0.0.1; the command prints
where. The console is also written to console.log. Ctrl-A X switches the device off at once, like
pulling its plug.

KVM is used if a test shows that it works on this machine, otherwise every instruction is emulated,
as those of another architecture always are.

With --trace the device is started without a terminal, until its system is up, and its kernel writes
down which paths somebody looked for. What minify took and something asked for is told; what no
sentence expects (`minify.without`, and those of reconix) is an error. Then it is switched off. This
needs a host that boots by systemd-boot, since U-Boot adds nothing to the command line of a kernel,
and a key that may log in.

With --trace --follow it goes on: other commands reach it, and it may be updated, change systems,
restart and fall back, until it is off or this command is ended (Ctrl-C). Each path is held against
the system in whose root it was asked for, so containers are told from systems. Names relative to an
open folder are not seen. A device that is traced has one core and somewhat more memory.

Exit status: 0 the device switched itself off or was switched off, 41 QEMU did not start it,
62 --trace found that something asked for what minify took.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import remove_tree
from reconix.cli import needs, places, run_trace
from reconix.cli.answers import say
from reconix.cli.parsers import add_json
from reconix.config.load import load
from reconix.config.schema.hosts import Host
from reconix.project import virtual_device
from reconix.project.virtual_device import Announcement
from reconix.project.workplace import Workplace, pick_host
from reconix.vm import accelerator
from reconix.vm.hardware import Hardware
from reconix.vm.machine import Machine, running
from reconix.vm.qemu import Accelerator, Guest

_PAUSE_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "host", nargs="?", metavar="HOST", help="which host (default: the only one of the project)"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="run this image")
    parser.add_argument(
        "--fresh", action="store_true", help="forget what the device has written before"
    )
    parser.add_argument(
        "--accelerator",
        choices=("auto", *(each.value for each in Accelerator)),
        default="auto",
        help="how to execute the guest (default: KVM if it works)",
    )
    parser.add_argument(
        "--watchdog", action="store_true", help="add a hardware watchdog (i6300esb)"
    )
    parser.add_argument(
        "--trace", action="store_true", help="only start it, and tell what it asks for that is gone"
    )
    parser.add_argument(
        "--follow", action="store_true", help="with --trace: go on until it is switched off"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Start the device and stay until it is off."""
    if arguments.follow and not arguments.trace:
        raise UsageError("--follow says how long to trace", hint="add --trace")
    project = places.project(arguments)
    host = pick_host(load(project), arguments.host)
    if arguments.trace:
        run_trace.expect_traceable(host)
    needs.expect(virtual_device.hardware_of(host).program, *needs.RUN)
    workplace = Workplace(project, host.name)
    image = virtual_device.image_of(workplace, arguments.image)
    workplace.make()
    with virtual_device.occupied(workplace) as announcement:
        if arguments.fresh:
            remove_tree(workplace.vm)
        workplace.vm.mkdir(exist_ok=True)
        guest = _guest(arguments, host, workplace, image)
        if arguments.trace:
            how = _accelerator(arguments.accelerator, guest.hardware)
            ends = "Ctrl-C ends it, and tells what it asked for"
            announce = _announcer(host, workplace, announcement, ends)
            return run_trace.run(arguments, host, workplace, guest, how, announce)
        _run(arguments, host, workplace, guest, announcement)
    return 0


def _guest(arguments: argparse.Namespace, host: Host, workplace: Workplace, image: Path) -> Guest:
    if not (workplace.vm / "disk.qcow2").exists() and image == workplace.image:
        virtual_device.keep_generation(workplace, places.store(arguments))
    disk = virtual_device.disk_over(image, workplace, more_bytes=virtual_device.more_bytes(host))
    return virtual_device.guest(host, workplace, disk, watchdog=arguments.watchdog)


def _run(
    arguments: argparse.Namespace,
    host: Host,
    workplace: Workplace,
    guest: Guest,
    announcement: Announcement,
) -> None:
    with running(
        guest, workplace.vm, _accelerator(arguments.accelerator, guest.hardware), terminal=True
    ) as device:
        _announcer(host, workplace, announcement, "Ctrl-A X switches it off")(device)
        while device.is_running():
            time.sleep(_PAUSE_SECONDS)


def _announcer(
    host: Host, workplace: Workplace, announcement: Announcement, ends: str
) -> Callable[[Machine], None]:
    def announce(device: Machine) -> None:
        announcement.tell(device.ports)
        say("\n".join((f"{host.name} is starting; {ends}", *_where(host, device, workplace))))

    return announce


def _accelerator(choice: str, hardware: Hardware) -> Accelerator:
    if choice == "auto":
        return accelerator.choose(places.cache_home() / "accelerator", hardware)
    return Accelerator(choice)


def _where(host: Host, device: Machine, workplace: Workplace) -> Iterator[str]:
    for forward in host.machine.run.forward:
        port = device.port(forward.port)
        way = f"ssh -p {port} root@127.0.0.1" if forward.name == "ssh" else f"127.0.0.1:{port}"
        yield f"  {forward.name}: {way}"
    yield f"  console: {workplace.vm / 'console.log'}"
    yield "in another terminal: reconix shell, reconix logs -f, reconix deploy"
