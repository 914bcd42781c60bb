"""Show what is built in this project, and what runs on a device.

Without --to: the generations of a host that are in the build store, the oldest first, each with its
age, what a device needs for it, and what has changed since the one before; and whether the image of
`reconix run` is there and its device runs. With --to: what the agent of a device says
over ssh, and which of these generations the device has committed; with --device: what that of the
virtual device says that runs.

Exit status: 0 success, 78 the device cannot be reached.
"""

import argparse
import time
from collections.abc import Iterator

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.build.inspect.generations import Difference
from reconix.build.inspect.packages import PackageChange
from reconix.build.pins import Pin
from reconix.cli import parsers, places, ssh
from reconix.cli.answers import answer
from reconix.cli.words import ago, counted
from reconix.fleet.remote import DeviceRoom, DeviceStatus, Ended, FlashWear, FreeRoom
from reconix.nix.chroot import ChrootStore
from reconix.project import virtual_device
from reconix.project.files import ProjectFiles
from reconix.project.history import Built, history
from reconix.project.workplace import Workplace

_EXPLAINED = 10
"""Of so many generations, the newest, it is told what has changed."""

_NAMED = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("host", nargs="?", help="which host (default: the only one)")
    ssh.add_arguments(parser, virtual=False)
    parser.add_argument(
        "--device", action="store_true", help="ask the virtual device that `reconix run` started"
    )
    parsers.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(arguments.host)
    workplace = files.workplace(host)
    with ChrootStore(places.store(arguments)) as store:
        kept = files.pins(store, host)
        pins = kept.all()
        if arguments.to is None and not arguments.device:
            built = list(history(store, kept, explained=_EXPLAINED))
            _tell_project(arguments, workplace, built)
            return 0
    if arguments.to is not None and arguments.device:
        raise UsageError("--device is the virtual device, --to another one", hint="leave out one")
    _tell_device(arguments, ssh.device(arguments, workplace, host).status(), pins)
    return 0


def _tell_project(arguments: argparse.Namespace, workplace: Workplace, built: list[Built]) -> None:
    host, image = workplace.host, workplace.image if workplace.image.is_file() else None
    now = time.time()
    lines = [line for each in built for line in _built_lines(host, each, now)]
    nothing = [f"{host}: nothing is built yet (reconix build {host})"]
    shown = f"image: {image}" if image else f"image: none (reconix image {host})"
    runs = virtual_device.runs(workplace)
    device = ["device: runs (reconix shell, reconix status --device)"] if runs else []
    document: JsonInput = {
        "host": host,
        "generations": [_built_document(each) for each in built],
        "image": str(image) if image else None,
        "runs": runs,
    }
    text = "\n".join(map(one_line, [*(lines or nothing), shown, *device]))
    answer(arguments, text=text, document=document)


def _built_lines(host: str, built: Built, now: float) -> Iterator[str]:
    size = "" if built.size_bytes is None else human(built.size_bytes)
    name = f"{host}: generation {built.pin.number}"
    yield f"{name}  {ago(now - built.built_at):<14} {size:>10}  {built.pin.path}"
    if built.changed is not None:
        yield f"    since generation {built.before}: {_changed(built.changed)}"


def _changed(changed: Difference) -> str:
    """What has changed, in one line: systems in which the same has are named together."""
    together: dict[str, list[str]] = {}
    for system in changed.touched:
        packages = [each for each in changed.packages if system in each.systems]
        together.setdefault(_listed(packages), []).append(system)
    told = [f"{', '.join(systems)}: {what}" for what, systems in together.items()]
    return "; ".join(told) or "no system is another one"


def _listed(changes: list[PackageChange]) -> str:
    what = [_package(each) for each in changes[:_NAMED]]
    more = len(changes) - len(what)
    what += [counted(more, "more package")] if more else []
    return ", ".join(what) or "files and settings"


def _package(change: PackageChange) -> str:
    name, before, after = change.name, change.before, change.after
    if before is None or after is None:
        return f"- {name}" if after is None else f"+ {name} {after.version}"
    return f"{name} {before.version} → {after.version}"


def _built_document(built: Built) -> dict[str, JsonInput]:
    changed = built.changed
    return {
        "number": built.pin.number,
        "generation": str(built.pin.path),
        "built_at": int(built.built_at),
        "size_bytes": built.size_bytes,
        "since": built.before,
        "systems": None if changed is None else list(changed.touched),
        "packages": None if changed is None else [_package(each) for each in changed.packages],
    }


def _tell_device(arguments: argparse.Namespace, status: DeviceStatus, pins: list[Pin]) -> None:
    number = next((pin.number for pin in pins if pin.path == status.committed), None)
    known = f"generation {number}" if number else "a generation that is not in the build store"
    lines = [
        f"host       {status.host}",
        f"running    system {status.system or 'unknown'}",
        *([f"live       {_live(status, pins)}, until the next boot"] if status.is_live else []),
        f"committed  {known}  {status.committed}",
        f"update     {status.phase}{f': {status.on_trial}' if status.on_trial else ''}",
        *_newer_lines(number, pins),
        *([f"next boot  something else: {status.astray}"] if status.astray else []),
        *_last_lines(status),
        *_left_lines(status),
        *_damaged_lines(status),
        *(f"untried    system {name}" for name in status.untried),
        *_room_lines(status.room),
        *_wear_lines(status.wear),
        *(f"missing    secret {name}" for name in status.missing_secrets),
        *(f"missed     {line}" for line in (status.missed.lines() if status.missed else ())),
    ]
    answer(arguments, text="\n".join(map(one_line, lines)), document=_document(status, number))


def _live(status: DeviceStatus, pins: list[Pin]) -> str:
    """What runs there without being committed."""
    numbers = [pin.number for pin in pins if str(pin.path) == status.runs]
    return f"generation {numbers[-1]}  {status.runs}" if numbers else status.runs


def _newer_lines(number: int | None, pins: list[Pin]) -> list[str]:
    """Whether the device is behind: it cannot know that itself if its mirror is frozen."""
    latest = max((pin.number for pin in pins), default=None)
    if latest is None or number == latest:
        return []
    return [f"           generation {latest} is the latest that is built here"]


def _last_lines(status: DeviceStatus) -> list[str]:
    if status.last is None:
        return ["last       nothing was tried yet"]
    return [f"last       {status.last.result}  {status.last.generation}", *_because(status.last)]


def _left_lines(status: DeviceStatus) -> list[str]:
    """Why the device left a system on its own."""
    if status.left is None:
        return []
    return [f"left       system {status.left.generation}", *_because(status.left)]


def _room_lines(room: DeviceRoom | None) -> list[str]:
    if room is None:
        return []
    store, data = _free(room.system), "not there" if room.data is None else _free(room.data)
    return [f"room       store {store}; data {data}"]


def _free(room: FreeRoom) -> str:
    inodes = f", {room.free_inodes} of {counted(room.inodes, 'inode')}" if room.inodes else ""
    return f"{human(room.free_bytes)} of {human(room.size_bytes)}{inodes} free"


def _wear_lines(wear: FlashWear | None) -> list[str]:
    if wear is None:
        return []
    told = [] if wear.used_percent is None else [f"{wear.used_percent} % of its life is used"]
    told += [f"reserve {wear.reserve}"] if wear.reserve else []
    return [f"flash      {', '.join(told)}"] if told else []


def _damaged_lines(status: DeviceStatus) -> list[str]:
    """What the device has found damaged."""
    listed = [f"damaged    {each}" for each in status.damaged]
    return listed + ([f"           and {status.others} more"] if status.others else [])


def _because(ended: Ended) -> list[str]:
    because = ": ".join(part for part in (ended.reason, ended.what) if part)
    return [f"           because: {because}"] if because else []


def _why(ended: Ended) -> dict[str, JsonInput]:
    return {"reason": ended.reason, "what": ended.what, "said": ended.output}


def _document(status: DeviceStatus, number: int | None) -> JsonInput:
    last, left = status.last, status.left
    return {
        "host": status.host,
        "system": status.system,
        "committed": str(status.committed),
        "number": number,
        "phase": status.phase,
        "on_trial": status.on_trial or None,
        "last": (
            {"result": last.result, "generation": last.generation, **_why(last)} if last else None
        ),
        "left_system": {"system": left.generation, **_why(left)} if left else None,
        "astray": status.astray or None,
        "live": status.runs if status.is_live else None,
        "untried": list(status.untried),
        "missing_secrets": list(status.missing_secrets),
        "room": None if status.room is None else _room_document(status.room),
        "wear": None if status.wear is None else _wear_document(status.wear),
        "missed": None if status.missed is None else status.missed.document(),
        "installed": list(status.installed),
        "damaged": [
            {"kind": each.kind, "digest": each.digest.hex(), "files": list(each.files)}
            for each in status.damaged
        ],
    }


def _room_document(room: DeviceRoom) -> JsonInput:
    data = None if room.data is None else _free_document(room.data)
    return {"system": _free_document(room.system), "data": data}


def _free_document(room: FreeRoom) -> JsonInput:
    return {
        "size_bytes": room.size_bytes,
        "free_bytes": room.free_bytes,
        "inodes": room.inodes,
        "free_inodes": room.free_inodes,
    }


def _wear_document(wear: FlashWear) -> JsonInput:
    return {"used_percent": wear.used_percent, "reserve": wear.reserve or None}
