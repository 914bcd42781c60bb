"""Show what is built in this project, and what runs on a device.

Without --to: the generations of a host that are in the build store, the oldest first, and whether
the image of `reconix run` is there and its device runs. With --to: what the agent of a device says
over ssh, and which of these generations the device has committed; with --device: what that of the
virtual device says that runs.

Exit status: 0 success, 78 the device cannot be reached.
"""

import argparse

from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.text import one_line
from reconix.build.pins import Pin
from reconix.cli import parsers, places, ssh
from reconix.cli.answers import answer
from reconix.fleet.remote import DeviceStatus, Ended
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles
from reconix.project.workplace import Workplace


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
    with ChrootStore(places.store(arguments)) as store:
        pins = files.pins(store, host).all()
    workplace = files.workplace(host)
    if arguments.to is None and not arguments.device:
        _tell_project(arguments, workplace, pins)
    elif arguments.to is not None and arguments.device:
        raise UsageError(
            "--device is the virtual device, and --to another one", hint="leave out one"
        )
    else:
        _tell_device(arguments, ssh.device(arguments, workplace, host).status(), pins)
    return 0


def _tell_project(arguments: argparse.Namespace, workplace: Workplace, pins: list[Pin]) -> None:
    image = workplace.image if workplace.image.is_file() else None
    lines = [f"{workplace.host}: generation {pin.number}  {pin.path}" for pin in pins]
    nothing = [f"{workplace.host}: nothing is built yet (reconix build {workplace.host})"]
    shown = f"image: {image}" if image else f"image: none (reconix image {workplace.host})"
    document: JsonInput = {
        "host": workplace.host,
        "generations": [{"number": pin.number, "generation": str(pin.path)} for pin in pins],
        "image": str(image) if image else None,
    }
    answer(arguments, text="\n".join([*(lines or nothing), shown]), document=document)


def _tell_device(arguments: argparse.Namespace, status: DeviceStatus, pins: list[Pin]) -> None:
    number = next((pin.number for pin in pins if pin.path == status.committed), None)
    known = f"generation {number}" if number else "a generation that is not in the build store"
    lines = [
        f"host       {status.host}",
        f"running    system {status.system or 'unknown'}",
        f"committed  {known}  {status.committed}",
        f"update     {status.phase}{f': {status.on_trial}' if status.on_trial else ''}",
        *_newer_lines(number, pins),
        *([f"next boot  something else: {status.astray}"] if status.astray else []),
        *_last_lines(status),
        *_left_lines(status),
        *_damaged_lines(status),
        *(f"missing    secret {name}" for name in status.missing_secrets),
    ]
    answer(arguments, text="\n".join(map(one_line, lines)), document=_document(status, number))


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
        "missing_secrets": list(status.missing_secrets),
        "installed": list(status.installed),
        "damaged": [
            {"kind": each.kind, "digest": each.digest.hex(), "files": list(each.files)}
            for each in status.damaged
        ],
    }
