"""Update this device, choose its system, and see what it did.

The device always boots the committed generation. An update is received, written to another boot
slot and tried once. If it is healthy it is confirmed and becomes the committed one; otherwise the
device falls back and `status` says why.

Exit status: 0 done, 2 wrong usage, 20-29 store, 30-39 boot and disk, 40-49 programs and files,
50-59 the stream, 70-79 the device, 80-89 trust and transport; 1 anything else.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base import progress
from reconix.base.documents import JsonInput, show_json, show_json_line
from reconix.base.errors import ReconixError
from reconix.base.progress_lines import JsonLines, Lines
from reconix.base.text import message, one_line, shown
from reconix.device.device import Device
from reconix.device.paths import Paths

if TYPE_CHECKING:
    from reconix.device.commands.update import Try
    from reconix.device.update.repository import Available

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = __doc__
_BROKEN_PIPE = 32
Arguments = argparse.Namespace


def main(words: Sequence[str] | None = None, device: Device | None = None) -> int:
    """Run one command and give its exit status."""
    arguments = make_parser().parse_args(words)
    progress.listen((JsonLines if arguments.json else Lines)(_say_progress))
    try:
        command: Callable[[Device, Arguments], int] = arguments.command
        return command(device or _this_device(), arguments)
    except ReconixError as error:
        return _complain(arguments, str(error), error.hint, error.exit_code)
    except BrokenPipeError:
        return _BROKEN_PIPE
    except OSError as error:
        return _complain(arguments, str(error), "see the kernel's log: dmesg", 40)


def _this_device() -> Device:
    from reconix.device.firmware import firmware_of

    paths = Paths()
    return Device(paths, firmware_of(paths))


def _tell(arguments: Arguments, text: str) -> None:
    """Say a result: in words, or as a line of JSON."""
    if arguments.json:
        print(show_json_line({"event": "result", "message": text}), flush=True)
    else:
        _say(message(text))


def _teller(arguments: Arguments) -> Callable[[str], None]:
    return partial(_tell, arguments)


def _say(text: str) -> None:
    print(shown(text), flush=True)


def _say_json(document: JsonInput) -> None:
    print(show_json(document), flush=True)


def _say_progress(text: str) -> None:
    print(message(text), file=sys.stderr, flush=True)


def _complain(arguments: Arguments, fact: str, hint: str, exit_code: int) -> int:
    if arguments.json:
        error = {"event": "error", "message": fact, "hint": hint}
        print(show_json_line({**error, "exit_code": exit_code}), flush=True)
    _say_progress(f"reconix-device: {fact}")
    if hint:
        _say_progress(f"  {hint}")
    return exit_code


# -- the commands ----------------------------------------------------------------------------------


def _status(device: Device, arguments: Arguments) -> int:
    """Show what runs, what boots next, and how the last update ended."""
    from reconix.device.status.json import status_document
    from reconix.device.status.read import read_status
    from reconix.device.status.text import status_lines

    status = read_status(device)
    if arguments.json:
        _say_json(status_document(status))
    else:
        _say("\n".join(map(one_line, status_lines(status))))
    return 0


def _receive(device: Device, arguments: Arguments) -> int:
    """Receive an update, write it to an idle slot and restart into its trial."""
    from reconix.device.commands.update import Link, receive_update

    from_link = arguments.source == "-"
    source = Link(sys.stdin.fileno(), arguments.resume_at) if from_link else Path(arguments.source)
    then = _try(arguments) if arguments.apply else None
    receive_update(device, _teller(arguments), source, then)
    return 0


def _update(device: Device, arguments: Arguments) -> int:
    """Check a folder or a web server for an update, take it by the cheapest streams and try it."""
    from reconix.base.http import proxy_variables
    from reconix.device.commands.update import take_update
    from reconix.device.update.repository import UNLIMITED, Repository, check
    from reconix.device.update.retry import held_back

    limit = UNLIMITED if arguments.any_size else None
    variables = proxy_variables(os.environ)
    repository = Repository.of(device, arguments.place, limit_bytes=limit, variables=variables)
    found = check(device, repository)
    if arguments.check or found.target is None:
        return _tell_found(arguments, found)
    if arguments.unattended and (why := held_back(device, str(found.target), time.time())):
        _tell(arguments, why)
    else:
        take_update(device, _teller(arguments), repository, found, _try(arguments))
    return 0


def _try(arguments: Arguments) -> "Try":
    from reconix.device.commands.update import Try

    return Try(arguments.system, restarts=arguments.restart, is_needed=arguments.trial)


def _tell_found(arguments: Arguments, found: "Available") -> int:
    if arguments.json:
        _say_json(found.document())
    elif found.target is None:
        offered = "nothing for this host" if found.offered is None else f"number {found.offered}"
        _say(f"nothing new: this device is at number {found.sequence}, the index has {offered}")
    else:
        _say(f"{found.target}: {found.size_bytes} bytes in {len(found.chain)} streams")
    return 0


def _resume_offset(device: Device, arguments: Arguments) -> int:
    """Print the offset at which to resume a stream that was cut off; 0: at its beginning."""
    from reconix.device.update.receive import held_document
    from reconix.transfer.receiving.spool import Spool

    held = Spool(device.paths.spool).held()
    if arguments.json:
        _say_json(held_document(held))
    else:
        _say(str(0 if held is None else held.offset))
    return 0


def _apply(device: Device, arguments: Arguments) -> int:
    """Write an installed generation to an idle slot and restart into its trial."""
    from reconix.device.commands.update import apply_installed
    from reconix.store.paths import StorePath

    generation = StorePath.parse(arguments.generation)
    apply_installed(device, _teller(arguments), generation, _try(arguments))
    return 0


def _boot(device: Device, arguments: Arguments) -> int:
    """Choose the system of the next boot, or of every boot; or start it now.

    Now means by a soft reboot where both systems agree on the kernel: everything that runs is
    stopped, and the other system starts from a root of its own. The boot after that is an ordinary
    one.
    """
    from reconix.device.commands.select import When, boot_system

    now = When.NOW_FULLY if arguments.full else When.NOW
    when = now if arguments.now else When.LATER
    boot_system(device, _teller(arguments), arguments.system, when, always=arguments.always)
    return 0


def _live(device: Device, arguments: Arguments) -> int:
    """Start an installed generation by a soft reboot, until the next boot; commit nothing.

    For whoever develops on a device. It must agree with what runs on the kernel, and pass its
    health checks, or the device restarts. The next boot is that of the committed generation.
    """
    from reconix.device.commands.select import run_live
    from reconix.store.paths import StorePath

    run_live(device, _teller(arguments), StorePath.parse(arguments.generation))
    return 0


def _schedule(device: Device, arguments: Arguments) -> int:
    """For the unit: start the system that is due by the schedule."""
    from reconix.device.commands.select import follow_schedule

    follow_schedule(device, _teller(arguments))
    return 0


def _rollback(device: Device, arguments: Arguments) -> int:
    """Leave the generation on trial, or try the generation that was committed before."""
    from reconix.device.commands.update import roll_back

    roll_back(device, _teller(arguments), restarts=arguments.restart)
    return 0


def _confirm(device: Device, arguments: Arguments) -> int:
    """Confirm the generation on trial, or the system that runs, without waiting for health checks.

    A schedule may require that a system is confirmed within some time after its start.
    """
    from reconix.device.commands.update import confirm_running

    confirm_running(device, _teller(arguments))
    return 0


def _verify(device: Device, arguments: Arguments) -> int:
    """Read all that is installed, and the slots, and compare them with what was installed."""
    from reconix.device.update.verify import verify

    wrong = verify(device)
    for fact in wrong:
        _tell(arguments, fact)
    if not wrong:
        _tell(arguments, "everything is as it was installed")
    return 20 if wrong else 0


def _scrub(device: Device, arguments: Arguments) -> int:
    """Read on in what is installed, a little each time, and remember what is damaged.

    It goes on where it has ended; without --at-most it reads up to the end of the pass. While
    another command changes the device it reads nothing.
    """
    from reconix.device.state.lock import being_changed
    from reconix.device.update.scrub import scrub

    if being_changed(device.paths):
        _tell(arguments, "another command is running on this device; nothing is read now")
        return 0
    done = scrub(device, limit_bytes=arguments.at_most and arguments.at_most << 20)
    found = done.scrubbed
    for each in found.damaged:
        _tell(arguments, str(each))
    wrong = len(found.damaged) + found.others
    _tell(arguments, f"{done.read_bytes} bytes read, {wrong} damaged")
    return 20 if wrong else 0


def _collect(device: Device, arguments: Arguments) -> int:
    """Free the space of generations that are no longer needed, and of a stream that was cut off."""
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.collect import collect
    from reconix.transfer.receiving.spool import Spool

    with exclusive_rw(device.paths):
        removed = collect(device, device.recall())
        Spool(device.paths.spool).discard()
    _tell(arguments, f"{removed.count} files removed, {removed.size_bytes} bytes")
    return 0


def _reset(device: Device, arguments: Arguments) -> int:
    """Factory reset: erase the data that one system has kept, or all systems."""
    from reconix.device.commands.restarting import restart
    from reconix.device.factory_reset import order_reset
    from reconix.device.state.lock import exclusive_rw

    with exclusive_rw(device.paths):
        order_reset(device, system=arguments.system)
    whose = f"of system {arguments.system}" if arguments.system else "of all systems"
    _tell(arguments, f"the data {whose} will be erased at the next boot")
    if not arguments.system:
        from reconix.device.state.secrets import kept_secrets

        for kept in kept_secrets(device.paths):
            _tell(arguments, f"secret {kept.name} will be erased as well")
    if arguments.restart:
        restart(_teller(arguments))
    return 0


def _rescue(device: Device, arguments: Arguments) -> int:
    """Rebuild the partition tables of a disk from its prepared arrays when both are damaged."""
    from reconix.boot.disk import DiskFile
    from reconix.boot.rescue import rescue
    from reconix.boot.tables import Slot

    with DiskFile(arguments.disk, exclusive=True) as disk:
        done = rescue(disk, Slot(arguments.slot))
    for fact in done or ("nothing is damaged",):
        _tell(arguments, fact)
    return 0


def _discard(device: Device, arguments: Arguments) -> int:
    """For the unit: delete what a factory reset has set aside."""
    from reconix.device.factory_reset import discard

    _tell(arguments, f"deleted {discard(device)} folders that a factory reset had set aside")
    return 0


def _grow(device: Device, arguments: Arguments) -> int:
    """For the unit: let data take what is left of the disk."""
    from reconix.device.growth import grow

    _tell(arguments, grow(device))
    return 0


def _start(device: Device, arguments: Arguments) -> int:
    """For the unit: find out what runs, and follow up on the boot before."""
    from reconix.device.select.start import start

    started = start(device)
    _tell(arguments, f"system {started.booted.system}, slot {started.booted.slot}")
    if started.restart:
        from reconix.device.hardware.restart import force_restart  # late: hardly ever needed

        force_restart(device.paths)
    return 0


def _watch(device: Device, arguments: Arguments) -> int:
    """For the unit: check the health of what is on trial; confirm it, or restart."""
    from reconix.device.hardware.restart import force_restart
    from reconix.device.select.watch import watch

    if watch(device):
        return 0
    force_restart(device.paths)
    return 1


def _apply_identity(device: Device, arguments: Arguments) -> int:
    """For the unit: apply the identity of this device."""
    from reconix.device.identity import apply_identity, read_identity

    identity = read_identity(device)
    if identity is not None:
        apply_identity(identity, device.paths.root)
        _tell(arguments, f"this is {identity.serial}")
    return 0


def _secrets(device: Device, arguments: Arguments) -> int:
    """Take a secret of this device, list them, or remove one; no command shows a value.

    receive NAME   read the value from standard input and restart the units that read it
    list           what the installed systems ask for, and what is here
    remove NAME    forget the value
    """
    from reconix.device.commands import secrets

    if arguments.action == "list":
        found = secrets.look(device)
        if arguments.json:
            _say_json(found.document())
        else:
            _say("\n".join(map(one_line, found.lines())))
        return 0
    name = secrets.named(arguments.name)
    if arguments.action == "remove":
        secrets.remove(device, _teller(arguments), name)
    else:
        source = sys.stdin.buffer
        secret = secrets.arrived(source, name, has_digest=arguments.with_digest)
        secrets.receive(device, _teller(arguments), secret, restarts=arguments.restart)
    return 0


def _containers(device: Device, arguments: Arguments) -> int:
    """List the containers of the system that runs, and how they are."""
    from reconix.device.commands import containers

    seen = containers.look(device)
    if arguments.json:
        _say_json({"containers": [each.document() for each in seen]})
    else:
        _say("\n".join(map(one_line, containers.table(seen))))
    return 0


def _exec(device: Device, arguments: Arguments) -> int:
    """Run a program in a container, by default a shell.

    It has the user, the environment and the folder of the container's own program, and a terminal
    if this command has one. Options of this command stand before the name. The exit status is that
    of the program.
    """
    from reconix.device.commands.containers import enter

    words = tuple(arguments.words)
    return enter(device, arguments.name, words, has_terminal=os.isatty(0) and os.isatty(1))


def _logs(device: Device, arguments: Arguments) -> int:
    """Show what a container has said since the kernel was started."""
    from reconix.device.commands.containers import hear

    def say(line: str) -> None:
        _say(one_line(line))

    hear(device, arguments.name, say, lines=arguments.lines, follows=arguments.follow)
    return 0


def _modaliases(device: Device, arguments: Arguments) -> int:
    """Print what the devices of this machine call themselves, a line each.

    The list is for `minify.devices_files`: of the kernel's modules a system then has only those for
    these devices. Connect all that may be connected before.
    """
    from reconix.device.hardware.modaliases import read_modaliases

    found = read_modaliases(device.paths.sysfs)
    if arguments.json:
        _say_json({"modaliases": found})
    else:
        _say("\n".join(found))
    return 0


def _make_key(device: Device, arguments: Arguments) -> int:
    """For the unit: make the key of this device, if it has none."""
    from reconix.device.state.secrets import make_device_key

    if make_device_key(device.paths):
        _tell(arguments, "made the key of this device")
    return 0


def _wifi_settings(device: Device, arguments: Arguments) -> int:
    """For the unit: put the settings of a Wi-Fi network and its password together."""
    from reconix.device.commands.wifi import write_settings

    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    place = Path(credentials) if credentials else None
    write_settings(arguments.said, arguments.into, place)
    return 0


def _mark_bad(device: Device, arguments: Arguments) -> int:
    """For the unit: record that the agent failed, so that what is on trial is not kept."""
    from reconix.device.select.watch import mark_bad

    mark_bad(device, arguments.reason)
    return 0


# -- the command line ------------------------------------------------------------------------------


def make_parser() -> argparse.ArgumentParser:
    """The command line; the manual page is made from it."""
    parser = argparse.ArgumentParser(
        prog="reconix-device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command_name", metavar="COMMAND", required=True)
    _add(commands, "status", _status)
    receive = _with_apply(_add(commands, "receive", _receive))
    receive.add_argument("source", nargs="?", metavar="FILE", default="-", help="[standard input]")
    receive.add_argument(
        "--resume-at", type=int, metavar="BYTE", default=0, help="the input begins at this byte"
    )
    receive.add_argument(
        "--no-apply", dest="apply", action="store_false", help="only install it in the store"
    )
    _add(commands, "resume-offset", _resume_offset, before="offset")
    update = _with_apply(_add(commands, "update", _update))
    update.add_argument(
        "--from", dest="place", metavar="URL|DIR", help="where [update.url of the configuration]"
    )
    update.add_argument("--check", action="store_true", help="only print what is available")
    update.add_argument("--unattended", action="store_true", help="do not retry what was not kept")
    update.add_argument(
        "--any-size", action="store_true", help="ignore the limit on the size of a download"
    )
    apply = _with_apply(_add(commands, "apply", _apply))
    apply.add_argument("generation", metavar="PATH", help="store path of the generation")
    boot = _add(commands, "boot", _boot)
    boot.add_argument("system", metavar="SYSTEM", help="name of the system")
    boot.add_argument("--now", action="store_true", help="at once, by a soft reboot if possible")
    boot.add_argument("--full", action="store_true", help="with --now: a full restart")
    boot.add_argument("--always", action="store_true", help="as long as it comes up healthy")
    live = _add(commands, "live", _live)
    live.add_argument("generation", metavar="PATH", help="store path of the generation")
    _with_reboot(_add(commands, "rollback", _rollback))
    _add(commands, "confirm", _confirm)
    _add(commands, "verify", _verify)
    _add(commands, "scrub", _scrub).add_argument(
        "--at-most", type=int, metavar="MIB", help="how much to read now [all that is left]"
    )
    _add(commands, "collect", _collect)
    reset = _with_reboot(_add(commands, "reset", _reset))
    reset.add_argument("--system", metavar="NAME", help="only the data of this system")
    rescue = _add(commands, "rescue", _rescue)
    rescue.add_argument("disk", metavar="DISK", type=Path, help="the whole disk, or its image")
    rescue.add_argument("--slot", metavar="N", type=int, required=True, help="the slot to select")
    _with_secret(_add(commands, "secrets", _secrets))
    _add(commands, "modaliases", _modaliases)
    _add_containers(commands)
    _add_for_units(commands)
    return parser


def _add_containers(commands: "Commands") -> None:
    _add(commands, "containers", _containers)
    enter = _add(commands, "exec", _exec)
    enter.add_argument("name", metavar="NAME", help="of the container")
    enter.add_argument(
        "words", metavar="COMMAND", nargs=argparse.REMAINDER, help="and its words [/bin/sh]"
    )
    logs = _add(commands, "logs", _logs)
    logs.add_argument("name", metavar="NAME", help="of the container")
    logs.add_argument("-f", "--follow", action="store_true", help="show what comes, too")
    logs.add_argument(
        "-n", "--lines", metavar="N", type=int, default=200, help="how many [200]; 0: all"
    )


def _add_for_units(commands: "Commands") -> None:
    _add(commands, "start", _start)
    _add(commands, "make-key", _make_key)
    _add(commands, "discard", _discard)
    _add(commands, "grow", _grow)
    _add(commands, "watch", _watch)
    _add(commands, "schedule", _schedule)
    _add(commands, "apply-identity", _apply_identity, before="identify")
    wifi = _add(commands, "wifi-settings", _wifi_settings)
    wifi.add_argument("said", metavar="FILE", type=Path, help="what the generation says")
    wifi.add_argument("into", metavar="OUTPUT", type=Path, help="the settings of wpa_supplicant")
    _add(commands, "mark-bad", _mark_bad, before="abandon").add_argument(
        "--reason", default="the agent failed", help="the reason to record"
    )


def _add(
    commands: "Commands",
    name: str,
    command: Callable[[Device, Arguments], int],
    *,
    before: str = "",
) -> argparse.ArgumentParser:
    """Add a command, also by the name that agents before had for it, if that was another one."""
    text = (command.__doc__ or "").strip()
    aliases = [before] if before else []
    parser = commands.add_parser(
        name, aliases=aliases, help=text.partition("\n")[0], description=text
    )
    parser.add_argument("--json", action="store_true", help="for programs: JSON, progress as lines")
    parser.set_defaults(command=command)
    return parser


def _with_apply(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--system", metavar="NAME", help="system of the trial [the one that runs]")
    parser.add_argument(
        "--restart",
        dest="trial",
        action="store_true",
        help="try it by a restart even if nothing of what runs changes",
    )
    return _with_reboot(parser)


def _with_secret(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("receive", "list", "remove"), help="see above")
    parser.add_argument("name", nargs="?", metavar="NAME", default="", help="of the secret")
    parser.add_argument(
        "--with-digest", action="store_true", help="receive: SHA-256 of the value precedes it"
    )
    parser.add_argument(
        "--no-restart", dest="restart", action="store_false", help="receive: restart no unit"
    )


def _with_reboot(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--no-reboot", dest="restart", action="store_false", help="do not restart")
    return parser


if __name__ == "__main__":
    sys.exit(main())
