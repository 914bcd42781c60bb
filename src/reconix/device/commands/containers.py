"""Commands about the containers of the system that runs: list them, enter one, read what they say.

Which there are says the system, or what an update without a restart has brought in its place; how
they are say systemd, whose units they are, and their folders in ``/run``. Nothing is asked of a
container itself. How long something has been so is said by the monotonic clock, as the time of day
of a device may be wrong.

Tested by ``tests/unit/device/test_container_commands.py``.
"""

from collections.abc import Callable, Iterator

from reconix.base.documents import JsonInput
from reconix.base.errors import ReconixError, UsageError
from reconix.base.process import reading, run, start
from reconix.base.records import dataclass
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.settings.containers import Container, containers_object, read_containers
from reconix.device.state.running import read_toplevel
from reconix.store.paths import StorePath

SHELL = ("/bin/sh",)
_ASK_SECONDS = 10.0
_LINE_BYTES = 1 << 16
_SHOWN_DIGITS = 12
_PROPERTIES = "Id,ActiveState,NRestarts,StateChangeTimestampMonotonic,MemoryCurrent"
_UNITS_OF_TIME = ((86400, "d"), (3600, "h"), (60, "min"))


class NotRunning(ReconixError):
    """A container that was to be entered does not run."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container, and how it is.

    Attributes:
        container: as the system has it.
        state: of its unit, as systemd calls it.
        seconds: for how long that has been so, if systemd says.
        restarts: how often it was started again.
        health: ``healthy``, ``unhealthy``, ``starting``; nothing if no command says.
        memory_bytes: what it uses, if systemd knows.
    """

    container: Container
    state: str
    seconds: int | None
    restarts: int
    health: str
    memory_bytes: int | None

    def document(self) -> JsonInput:
        """As JSON."""
        digest = self.container.digest
        return {
            "name": self.container.name,
            "image": self.container.image or None,
            "digest": None if digest is None else str(digest),
            "packages": list(self.container.packages),
            "unit": self.container.unit,
            "network": self.container.network,
            "state": self.state,
            "seconds": self.seconds,
            "restarts": self.restarts,
            "health": self.health or None,
            "memory_bytes": self.memory_bytes,
        }

    def cells(self) -> tuple[str, ...]:
        """As a line of a table."""
        digest = self.container.digest
        return (
            self.container.name,
            self.state,
            "-" if self.seconds is None else _ago(self.seconds),
            str(self.restarts),
            self.health or "-",
            "-" if self.memory_bytes is None else f"{self.memory_bytes / (1 << 20):.1f} MiB",
            self.container.what,
            f"sha256:{digest.hex()[:_SHOWN_DIGITS]}" if digest else "-",
        )


_HEADER = ("name", "state", "since", "restarts", "health", "memory", "image", "digest")


def look(device: Device) -> tuple[Seen, ...]:
    """The containers of the system that runs, by name.

    Raises:
        ReconixError: it cannot be found out.
    """
    found = installed(device)
    if not found:
        return ()
    words = ("systemctl", "show", f"--property={_PROPERTIES}", *(each.unit for each in found))
    said = run(*words, timeout_seconds=_ASK_SECONDS).decode(errors="replace")
    blocks = (dict(_pairs(block)) for block in said.split("\n\n"))
    shown = {block.get("Id", ""): block for block in blocks}
    now = device.clock.now()
    return tuple(_seen(each, shown.get(each.unit, {}), device.paths, now) for each in found)


def installed(device: Device) -> tuple[Container, ...]:
    """What the system that runs has, or what took its place without a restart."""
    try:
        link = device.paths.changed_containers.readlink()
        found: StorePath | None = StorePath.of_basename(link.name)
    except FileNotFoundError:
        found = containers_object(device.registry, read_toplevel(device.paths))
    return read_containers(device.registry, found)


def table(seen: tuple[Seen, ...]) -> list[str]:
    """Lines with columns, for people."""
    if not seen:
        return ["this system has no containers"]
    rows = [_HEADER, *(each.cells() for each in seen)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def enter(device: Device, name: str, words: tuple[str, ...], *, has_terminal: bool) -> int:
    """Run a program in a container, on what we have as input and output; gives its exit status.

    Raises:
        UsageError: there is no such container. NotRunning: it does not run.
    """
    container = _named(device, name)
    if not (device.paths.crun / name).is_dir():
        raise NotRunning(
            f"container {name} does not run", hint=f"see why: systemctl status {container.unit}"
        )
    options = (f"--root={device.paths.crun}", "--cgroup-manager=disabled")
    terminal = ("--tty",) if has_terminal else ()
    child = start("crun", *options, "exec", *terminal, name, *(words or SHELL), stdin=0)
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()


def hear(
    device: Device, name: str, say: Callable[[str], None], *, lines: int, follows: bool
) -> None:
    """Say what a container has said since the kernel was started.

    Args:
        device: this one.
        name: of the container.
        say: takes each line.
        lines: how many of the last; 0 for all.
        follows: whether to go on with what comes.

    Raises:
        UsageError: there is no such container.
    """
    words = (
        "journalctl",
        *("--boot", "--no-pager", "--quiet", "--no-hostname"),
        f"--lines={lines or 'all'}",
        *(("--follow",) if follows else ()),
        f"--unit={_named(device, name).unit}",
    )
    with reading(*words) as source:
        while line := source.readline(_LINE_BYTES):
            say(line.decode(errors="replace").rstrip("\n"))


def _named(device: Device, name: str) -> Container:
    known = {each.name: each for each in installed(device)}
    if name not in known:
        raise UsageError(
            f"this system has no container {name[:80]!r}",
            hint=f"there are: {', '.join(known) or 'none'}",
        )
    return known[name]


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        key, _, value = line.partition("=")
        yield key, value


def _seen(container: Container, shown: dict[str, str], paths: Paths, now: float) -> Seen:
    changed = _number(shown.get("StateChangeTimestampMonotonic", ""))
    return Seen(
        container,
        state=shown.get("ActiveState", "unknown"),
        seconds=max(0, int(now - changed / 1_000_000)) if changed else None,
        restarts=_number(shown.get("NRestarts", "")) or 0,
        health=_health(container, paths) if shown.get("ActiveState") == "active" else "",
        memory_bytes=_number(shown.get("MemoryCurrent", "")),
    )


def _health(container: Container, paths: Paths) -> str:
    if not container.has_health:
        return ""
    folder = paths.containers / container.name
    found = (word for word in ("healthy", "unhealthy") if (folder / word).exists())
    return next(found, "starting")


def _number(text: str) -> int | None:
    """A number of systemd; what it does not know it spells otherwise, or as 2⁶⁴ - 1."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _ago(seconds: int) -> str:
    for size, unit in _UNITS_OF_TIME:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
