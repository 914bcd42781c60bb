"""Look-ups that found nothing: every path that a process asked for and that was not there.

The kernel writes them down, from when ``begin`` has run until ``end`` has: probes at the return of
the two functions that all system calls go through that open or start a file (``do_filp_open``), or
ask whether it is there (``filename_lookup``), and a filter that lets only ``ENOENT`` of an absolute
path through. They have a buffer of their own, so nobody else who traces is disturbed. A process
may have ended when its look-up is read; so it is written down, too, who has forked whom.

            <...>-345 [000] ..... 2.7: looked_up: (vfs_statx <- filename_lookup) result=-2 …

``struct filename`` begins with the pointer to the path, which the kernel has copied already.

Source: Linux, Documentation/trace/kprobetrace.rst (``$argN`` at a return: since 6.9), events.rst,
ftrace.rst, *Instances*; fs/namei.c.
Tested by ``tests/unit/device/hardware/test_lookups.py``; with a kernel by
``tests/vm/test_hangs.py``.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from reconix.base.process import run
from reconix.base.records import dataclass
from reconix.device.paths import Paths

BUFFER_KIB = 2048
"""Of each core; the kernel needs it only as long as the probes are there."""
_GROUP = "reconix"
_AT_ONCE = 64
"""So many processes may be within a function; of others the kernel says that it has missed them."""
_FETCHED = "comm=$comm path=+0(+0($arg2)):string"
_PROBES = {
    "opened": f"do_filp_open result=$retval:s64 {_FETCHED}",
    "looked_up": f"filename_lookup result=$retval:s32 {_FETCHED}",
}
_OF_NO_ROOT = ("/dev/*", "/proc/*", "/run/*", "/sys/*")
"""What is there is made anew at each start."""
_FILTER = 'result == -2 && path ~ "/*"' + "".join(f' && !(path ~ "{p}")' for p in _OF_NO_ROOT)
_FORKS = "sched/sched_process_fork"
_LOOK_UP = re.compile(
    r" *.+-(?P<pid>\d+) .*?: (?:opened|looked_up): \([^)]*\) result=-2"
    r' comm="(?P<name>.*?)" path="(?P<path>/.*)"'
)
_FORK = re.compile(r".*: sched_process_fork: .* pid=(?P<parent>\d+) .* child_pid=(?P<pid>\d+)")
_LOST = re.compile(r"CPU:\d+ \[LOST (?P<count>\d+) EVENTS\]")


@dataclass(frozen=True, slots=True)
class LookUp:
    """A path that was not there, and the process that asked for it."""

    path: str
    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Fork:
    """A process, and the one that has begun it."""

    pid: int
    parent: int


@dataclass(frozen=True, slots=True)
class Lost:
    """So many events came while the buffer was full."""

    count: int


Event = LookUp | Fork | Lost


def parse_line(line: bytes) -> Event | None:
    """What a line of the buffer says; ``None`` for one that has nothing to say."""
    text = line.decode(errors="replace")
    if found := _LOOK_UP.fullmatch(text):
        return LookUp(found["path"], int(found["pid"]), found["name"])
    if found := _FORK.fullmatch(text):
        return Fork(int(found["pid"]), int(found["parent"]))
    lost = _LOST.fullmatch(text)
    return Lost(int(lost["count"])) if lost else None


def begin(paths: Paths) -> None:
    """Have the kernel write down what is not found; nothing may be left of a time before.

    Raises:
        OSError, ReconixError: the kernel cannot.
    """
    if not (paths.tracing / "kprobe_events").exists():
        run("mount", "-t", "tracefs", "tracefs", paths.tracing)
    instance = _instance(paths)
    instance.mkdir()
    _write(instance / "buffer_size_kb", str(BUFFER_KIB))
    for name, probe in _PROBES.items():
        _add(paths, f"r{_AT_ONCE}:{_GROUP}/{name} {probe}")
        _write(instance / f"events/{_GROUP}/{name}/filter", _FILTER)
    _write(instance / f"events/{_FORKS}/enable", "1")
    for name in _PROBES:
        _write(instance / f"events/{_GROUP}/{name}/enable", "1")


def stop(paths: Paths) -> None:
    """Have nothing more come; what is there can still be read."""
    _write(_instance(paths) / "tracing_on", "0")


def has_begun(paths: Paths) -> bool:
    """Whether the kernel writes it down."""
    return _instance(paths).exists()


def end(paths: Paths) -> None:
    """Have the kernel forget all of it; where it has not begun nothing is done."""
    instance = _instance(paths)
    if not instance.exists():
        return
    for name in _PROBES:
        with contextlib.suppress(OSError):  # it may not have come so far
            _write(instance / f"events/{_GROUP}/{name}/enable", "0")
    instance.rmdir()
    for name in _PROBES:
        with contextlib.suppress(OSError):
            _add(paths, f"-:{_GROUP}/{name}")


@contextlib.contextmanager
def reading(paths: Paths) -> Iterator[int]:
    """The lines of the buffer; each is there once. Reading does not wait.

    Raises:
        OSError: nothing was begun.
    """
    descriptor = os.open(_instance(paths) / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _instance(paths: Paths) -> Path:
    return paths.tracing / "instances" / _GROUP


def _add(paths: Paths, line: str) -> None:
    """To truncate this file would remove the probes of everybody."""
    _write(paths.tracing / "kprobe_events", line, os.O_APPEND)


def _write(file: Path, text: str, how: int = 0) -> None:
    descriptor = os.open(file, os.O_WRONLY | how)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)
