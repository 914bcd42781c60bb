"""What a program costs: its time, its processor time, its memory.

A step runs as a child of its own. Processor time is what the kernel counted for it and all that it
waited for. Memory is looked at twenty times a second, for the child and all its descendants: the
largest sum of their resident sets, or the largest high-water mark of one of them, whichever is
more. Pages that processes share count for each, so who works in several processes is not flattered.
But a child between ``vfork`` and ``execve`` has no memory of its own: it *is* in its parent's.

The kernel's own ``ru_maxrss`` is of no use here: it starts with what the parent had before
``execve``. And a child that does nothing but start the program to be measured may be left out.

Source: wait4(2), proc(5), kcmp(2). Tested by ``tests/unit/bench/test_measure.py``.
"""

import contextlib
import ctypes
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base import process
from reconix.base.process import CommandFailed, Word

_PAUSE_SECONDS = 0.05
_PROC = Path("/proc")
_KCMP, _KCMP_VM = 312, 1  # on x86-64


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(
    words: Sequence[Word], log: Path, *, folder: Path | None = None, only_starts: bool = False
) -> Cost:
    """Run a program to its end.

    Args:
        words: the command.
        log: takes what it says.
        folder: where it runs.
        only_starts: it does nothing but start others; its own memory does not count.

    Raises:
        CommandFailed: it did not exit with 0.
    """
    began = time.monotonic()
    with log.open("wb") as said:
        child = process.start(*words, stdout=said, stderr=said, folder=folder)
        watcher = _Watcher(child.pid, only_starts=only_starts)
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        watcher.end()
    if child.returncode:
        raise CommandFailed(words, status=child.returncode, output=log.read_bytes())
    return Cost(
        time.monotonic() - began,
        usage.ru_utime + usage.ru_stime,
        watcher.peak_bytes,
    )


class _Watcher(threading.Thread):
    """Looks at the memory of a process and its descendants until it is ended."""

    def __init__(self, top: int, *, only_starts: bool) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._top, self._only_starts = top, only_starts
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(_PAUSE_SECONDS):
            sizes = memory(self._top)
            if self._only_starts:
                sizes.pop(self._top, None)
            peaks = [size.peak_bytes for size in sizes.values()]
            together = sum(size.resident_bytes for size in sizes.values())
            self.peak_bytes = max(self.peak_bytes, together, *peaks)

    def end(self) -> None:
        """Stop looking."""
        self._done.set()
        self.join()


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process has in memory, and the most that it had."""

    resident_bytes: int
    peak_bytes: int


def memory(top: int) -> dict[int, Memory]:
    """What a process and its descendants have in memory, by their numbers."""
    found, waiting = {}, [(top, 0)]
    while waiting:
        process_id, parent = waiting.pop()
        # One that has ended meanwhile has no memory and no children.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # Asked first: what has its own memory now will not share it again.
            shared = parent and share_memory(parent, process_id)
            lines = parse_memory((_PROC / f"{process_id}/status").read_text())
            if lines and not shared:
                found[process_id] = lines
            waiting += [(child, process_id) for child in _children(process_id)]
    return found


def share_memory(one: int, other: int) -> bool:
    """Whether two processes have the same memory, not only equal pages in it."""
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(_KCMP, one, other, _KCMP_VM, 0, 0) == 0)


def parse_memory(status: str) -> Memory | None:
    """Read ``/proc/<pid>/status``; a process that is about to go has no memory."""
    sizes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.M))
    if len(sizes) < 2:
        return None
    return Memory(int(sizes["VmRSS"]) * 1024, int(sizes["VmHWM"]) * 1024)


def _children(process_id: int) -> list[int]:
    tasks = (_PROC / f"{process_id}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]
