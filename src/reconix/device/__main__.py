"""Keep this device up to date, choose its system, and see what it did.

The device always boots the committed generation. An update is received, written to another boot
slot and tried once; if it proves healthy it is confirmed and becomes the committed one, otherwise
the device comes back by itself and `status` says why.

Exit status: 0 done, 2 wrong usage, 20-29 store, 30-39 boot and disk, 40-49 programs and files,
50-59 the stream, 70-79 the device, 80-89 trust and transport; 1 anything else.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
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
    from reconix.device.update.repository import Available

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
    from reconix.boot.loaders.systemd_boot import Program
    from reconix.boot.oneshots.uefi import Uefi
    from reconix.boot.oneshots.variables import Variables

    paths = Paths()
    program = Program.ARM64 if os.uname().machine == "aarch64" else Program.AMD64
    return Device(paths, Uefi(Variables(paths.efivars), program.value))


def _tell(arguments: Arguments, text: str) -> None:
    """Say a result: in words, or as a line of JSON."""
    if arguments.json:
        print(show_json_line({"event": "result", "message": text}), flush=True)
    else:
        _say(message(text))


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
    """Take an update, write it to the idle slot and restart into its trial."""
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.apply import apply
    from reconix.device.update.receive import receive, receive_file, resuming
    from reconix.device.update.stall import until_stalled

    with exclusive_rw(device.paths):
        if arguments.source == "-":
            link = until_stalled(sys.stdin.fileno())
            with resuming(device, link, arguments.resume_at) as (read, spool):
                generation = receive(device, read, spool)
        else:
            generation = receive_file(device, Path(arguments.source))
        _tell(arguments, f"installed {generation}")
        if not arguments.apply:
            return 0
        slot = apply(device, generation, system=arguments.system)
    return _after_apply(device, slot, arguments)


def _update(device: Device, arguments: Arguments) -> int:
    """Look for an update in a folder or on a web server, take it the cheapest way and try it."""
    from reconix.base.http import proxy_variables
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.apply import apply
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
        return 0
    with exclusive_rw(device.paths):
        for offer in found.chain:
            _tell(arguments, f"installed {repository.take(device, offer)}")
        slot = apply(device, found.target, system=arguments.system)
    return _after_apply(device, slot, arguments)


def _tell_found(arguments: Arguments, found: "Available") -> int:
    if arguments.json:
        _say_json(found.document())
    elif found.target is None:
        offered = "nothing for this host" if found.offered is None else f"number {found.offered}"
        _say(f"there is nothing new: this device is at number {found.sequence}, there is {offered}")
    else:
        _say(f"{found.target}: {found.size_bytes} bytes in {len(found.chain)} streams")
    return 0


def _offset(device: Device, arguments: Arguments) -> int:
    """Say from which byte on a stream must be sent that was cut off; 0 if from its beginning."""
    from reconix.device.update.receive import held_document
    from reconix.transfer.receiving.spool import Spool

    held = Spool(device.paths.spool).held()
    if arguments.json:
        _say_json(held_document(held))
    else:
        _say(str(0 if held is None else held.offset))
    return 0


def _apply(device: Device, arguments: Arguments) -> int:
    """Write an installed generation to the idle slot and restart into its trial."""
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.apply import apply
    from reconix.device.update.rollback import leave_for
    from reconix.store.paths import StorePath

    path = StorePath.parse(arguments.generation)
    with exclusive_rw(device.paths):
        leave_for(device, str(path))
        slot = apply(device, path, system=arguments.system)
    return _after_apply(device, slot, arguments)


def _after_apply(device: Device, slot: int | None, arguments: Arguments) -> int:
    from reconix.device.update.window import waits

    if slot is None:
        _tell(arguments, "this generation is committed already; nothing to do")
        return 0
    _tell(arguments, f"the next boot tries slot {slot}")
    if arguments.reboot and (reason := waits(device, time.localtime())):
        _tell(arguments, reason)
        return 0
    return _restart(arguments)


def _restart(arguments: Arguments) -> int:
    from reconix.device.hardware.restart import ask_to_restart

    if arguments.reboot:
        _tell(arguments, "restarting")
        ask_to_restart()
    return 0


def _boot(device: Device, arguments: Arguments) -> int:
    """Choose the system of the next boot, or of all that follow; or change to it now.

    Now, that is without a restart of the kernel where the two systems agree on it: all that runs is
    stopped, and the other system starts from a root of its own. The boot after that is an ordinary
    one.
    """
    from reconix.device.select.choose import Reboot, choose_always, choose_once, choosing

    kind = Reboot.SOFT if arguments.reboot and _can_switch(device, arguments) else Reboot.FULL
    with choosing(device, kind, always=arguments.always):
        (choose_always if arguments.always else choose_once)(device, arguments.system, kind)
    if kind is Reboot.SOFT:
        return _switch(device, arguments)
    when = "every boot" if arguments.always else "the next boot"
    _tell(arguments, f"{when} starts system {arguments.system}")
    return _restart(arguments)


def _can_switch(device: Device, arguments: Arguments) -> bool:
    from reconix.device.select.soft_reboot import obstacle

    if arguments.full:
        return False
    reason = obstacle(device, arguments.system)
    if reason is not None:
        progress.note(f"a full restart, because {reason}")
    return reason is None


def _switch(device: Device, arguments: Arguments) -> int:
    from reconix.device.select.soft_reboot import soft_reboot

    committed = device.generation(device.recall().committed.generation)
    _tell(arguments, f"system {arguments.system} takes over")
    soft_reboot(device.paths, committed.system(arguments.system).toplevel)
    return 0


def _schedule(device: Device, arguments: Arguments) -> int:
    """For the unit: let the system take over that the schedule wants now."""
    import time

    from reconix.device.hardware.inhibitors import RestartInhibited
    from reconix.device.select.choose import Reboot, choose_once, choosing
    from reconix.device.select.follow import due, note_due

    found = due(device, time.time())
    if found is None or found.start is None:
        _tell(arguments, f"wanted: {found.wanted}" if found else "there is no schedule")
        if found is not None:
            note_due(device.paths, found)
        return 0
    arguments = Arguments(**vars(arguments), system=found.start, full=False, reboot=True)
    kind = Reboot.SOFT if _can_switch(device, arguments) else Reboot.FULL
    with choosing(device, kind):
        choose_once(device, found.start, kind)
    note_due(device.paths, found)
    try:
        return _switch(device, arguments) if kind is Reboot.SOFT else _restart(arguments)
    except RestartInhibited:
        device.paths.schedule.unlink(missing_ok=True)  # so it is wanted still at the next look
        raise


def _rollback(device: Device, arguments: Arguments) -> int:
    """Leave the generation on trial, or try the one that was committed before this one."""
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.rollback import RolledBack, rollback

    with exclusive_rw(device.paths):
        done = rollback(device)
    _tell(arguments, done.value)
    return 0 if done is RolledBack.DISARMED else _restart(arguments)


def _confirm(device: Device, arguments: Arguments) -> int:
    """Keep the generation on trial without waiting for its health checks; let the system stay.

    A schedule may want that a system is confirmed within some time after its start.
    """
    from reconix.base.files import write_durably
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.confirm import confirm

    with exclusive_rw(device.paths):
        _tell(arguments, "confirmed" if confirm(device) else "it is committed already")
    write_durably(device.paths.is_confirmed, b"")
    return 0


def _verify(device: Device, arguments: Arguments) -> int:
    """Read every object and slot and compare them with what was installed."""
    from reconix.device.update.verify import verify

    wrong = verify(device)
    for fact in wrong:
        _tell(arguments, fact)
    if not wrong:
        _tell(arguments, "everything is as it was installed")
    return 20 if wrong else 0


def _collect(device: Device, arguments: Arguments) -> int:
    """Give back the space of old generations, and of a stream that was cut off."""
    from reconix.device.state.lock import exclusive_rw
    from reconix.device.update.collect import collect
    from reconix.transfer.receiving.spool import Spool

    with exclusive_rw(device.paths):
        removed = collect(device, device.recall())
        Spool(device.paths.spool).discard()
    _tell(arguments, f"{len(removed.names)} objects removed")
    return 0


def _reset(device: Device, arguments: Arguments) -> int:
    """Forget what a system has kept, or all of them: what persists is as on a new device."""
    from reconix.device.factory_reset import order_reset
    from reconix.device.state.lock import exclusive_rw

    with exclusive_rw(device.paths):
        order_reset(device, system=arguments.system)
    whose = f"of system {arguments.system}" if arguments.system else "of all systems"
    _tell(arguments, f"the data {whose} go at the next boot")
    return _restart(arguments)


def _rescue(device: Device, arguments: Arguments) -> int:
    """Make the partition tables of a disk again from its prepared arrays, when both are damaged."""
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

    _tell(arguments, f"deleted {discard(device)} folders that a reset has set aside")
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
    """For the unit: check the health of what is on trial; keep it, or restart."""
    from reconix.device.hardware.restart import force_restart
    from reconix.device.select.watch import watch

    if watch(device):
        return 0
    force_restart(device.paths)
    return 1


def _identify(device: Device, arguments: Arguments) -> int:
    """For the unit: apply what this device has of its own."""
    from reconix.device.identity import apply_identity, read_identity

    identity = read_identity(device)
    if identity is not None:
        apply_identity(identity, device.paths.root)
        _tell(arguments, f"this is {identity.serial}")
    return 0


def _abandon(device: Device, arguments: Arguments) -> int:
    """For the unit: the agent failed while a generation is on trial; record that."""
    from reconix.device.select.watch import abandon

    abandon(device, arguments.reason)
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
    _add(commands, "offset", _offset)
    update = _with_apply(_add(commands, "update", _update))
    update.add_argument(
        "--from", dest="place", metavar="URL|DIR", help="where [update.url of the configuration]"
    )
    update.add_argument("--check", action="store_true", help="only say what there is")
    update.add_argument("--unattended", action="store_true", help="leave alone what was not kept")
    update.add_argument("--any-size", action="store_true", help="however large the download is")
    apply = _with_apply(_add(commands, "apply", _apply))
    apply.add_argument("generation", metavar="PATH", help="store path of the generation")
    boot = _add(commands, "boot", _boot)
    boot.add_argument("system", metavar="SYSTEM", help="name of the system")
    boot.add_argument(
        "--now", dest="reboot", action="store_true", help="at once, if possible by a soft reboot"
    )
    boot.add_argument("--full", action="store_true", help="with --now: restart the kernel, too")
    boot.add_argument("--always", action="store_true", help="as long as it comes up healthy")
    _with_reboot(_add(commands, "rollback", _rollback))
    _add(commands, "confirm", _confirm)
    _add(commands, "verify", _verify)
    _add(commands, "collect", _collect)
    reset = _with_reboot(_add(commands, "reset", _reset))
    reset.add_argument("--system", metavar="NAME", help="only what this system has of its own")
    rescue = _add(commands, "rescue", _rescue)
    rescue.add_argument("disk", metavar="DISK", type=Path, help="the whole disk, or its image")
    rescue.add_argument("--slot", metavar="N", type=int, required=True, help="what shall boot")
    _add(commands, "start", _start)
    _add(commands, "discard", _discard)
    _add(commands, "watch", _watch)
    _add(commands, "schedule", _schedule)
    _add(commands, "identify", _identify)
    _add(commands, "abandon", _abandon).add_argument(
        "--reason", default="the agent failed", help="what to record"
    )
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[Device, Arguments], int],
) -> argparse.ArgumentParser:
    text = (command.__doc__ or "").strip()
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="for programs: JSON, progress as lines")
    parser.set_defaults(command=command)
    return parser


def _with_apply(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--system", metavar="NAME", help="system of the trial [the one that runs]")
    return _with_reboot(parser)


def _with_reboot(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--no-reboot", dest="reboot", action="store_false", help="restart later, yourself"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
