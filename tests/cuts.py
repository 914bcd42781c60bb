"""The power is cut before each step of some work that reaches the disk.

A *step* is a call that changes files or makes a change durable: a function of ``os``, or the
opening, or a write, of a file that Python buffers. What Python still has in its buffers is lost.

``states`` does the work once and copies what it works on before each step: so each copy is what a
cut at that step leaves, and nothing that the work still wants to do afterwards, not even tidying
up, has happened to it. Where a step has changed nothing, as an fsync, the state before it is the
state after it and is given once. ``stop_after`` ends a process at its n-th step.
"""

import contextlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import pytest

from reconix.base.process import run

STEPS = (
    *("fsync", "fdatasync", "sync"),
    *("rename", "replace", "link", "symlink", "unlink", "remove", "mkdir", "rmdir", "mkfifo"),
    *("write", "writev", "pwrite", "pwritev", "sendfile", "copy_file_range", "posix_fallocate"),
    *("truncate", "ftruncate", "chmod", "fchmod", "chown", "fchown", "lchown"),
    *("utime", "setxattr", "removexattr"),
)
"""The functions of ``os`` that change a disk, or make a change durable."""

STOPPED = 9
"""The exit status of a process that was stopped."""

Step = Callable[[], None]


class _CountedFile(io.FileIO):
    """A file whose writes are steps."""

    before: Step = staticmethod(lambda: None)

    def write(self, content: object, /) -> int:
        self.before()
        return super().write(content)  # type: ignore[arg-type]


@contextlib.contextmanager
def every_step(before: Step) -> Iterator[None]:
    """Within this, ``before`` is called before each step of this process."""
    with pytest.MonkeyPatch.context() as patch:
        count_steps(before, patch.setattr)
        yield


def count_steps(before: Step, set_attribute: Callable[[object, str, object], None]) -> None:
    """Let ``before`` be called before each step of this process."""
    for name in STEPS:
        set_attribute(os, name, _counted(getattr(os, name), before))
    set_attribute(io, "open", _counted_open(io.open, before))


def _counted(real: Callable[..., object], before: Step) -> Callable[..., object]:
    def step(*arguments: object, **named: object) -> object:
        before()
        return real(*arguments, **named)

    return step


def _counted_open(real: Callable[..., object], before: Step) -> Callable[..., object]:
    """``io.open``, through which ``pathlib`` opens all files."""

    class File(_CountedFile):
        pass

    File.before = staticmethod(before)

    def opened(
        file: int | str | Path,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[str, int], int] | None = None,
    ) -> object:
        if not set("wax+") & set(mode):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        before()
        raw = File(file, mode.replace("b", "").replace("t", ""), closefd=closefd, opener=opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)

    return opened


def stop_after(steps: int) -> None:
    """End this process when it is about to make one step more."""
    left = steps

    def before() -> None:
        nonlocal left
        if left == 0:
            os._exit(STOPPED)
        left -= 1

    count_steps(before, setattr)


# -- states ----------------------------------------------------------------------------------------


@dataclass
class _Copies:
    """The states of a folder while work goes on in it."""

    place: Path
    steps: int = 0
    found: list[Path] = field(default_factory=list)
    _last: bytes = b""
    _is_copying: bool = False

    def before(self) -> None:
        """Note the state in which the next step finds the folder."""
        if not self._is_copying:
            self._is_copying = True
            self.steps += 1
            self.note()
            self._is_copying = False

    def note(self) -> None:
        """Copy the folder, if it is another one than the last time."""
        now = _fingerprint(self.place)
        if now != self._last:
            self._last = now
            self.found.append(self.place.with_name(f"{self.place.name}-cut-{self.steps}"))
            run("cp", "-a", "--sparse=always", self.place, self.found[-1])


def states(place: Path, work: Callable[[], object], *, at_least: int) -> list[Path]:
    """Copies of a folder, one for each step of some work in it that was cut; the last was not.

    Args:
        place: all that the work changes.
        work: what is done, once.
        at_least: how many steps it must have; fewer did not reach what was to be cut.
    """
    copies = _Copies(place)
    with every_step(copies.before):
        work()
    assert copies.steps >= at_least, f"{copies.steps} steps: the work did not reach the disk"
    copies.steps += 1
    copies.note()
    return copies.found


def _fingerprint(place: Path) -> bytes:
    """What a folder holds: names, kinds, modes, times, links and contents."""
    state = blake2b()
    for path in sorted(place.rglob("*")):
        status = path.lstat()
        kind = f"{path.name} {status.st_mode} {status.st_nlink} {status.st_mtime_ns} "
        state.update(f"{path.parent} {kind}{status.st_size}\n".encode())
        if stat.S_ISLNK(status.st_mode):
            state.update(os.fsencode(path.readlink()))
        elif stat.S_ISREG(status.st_mode):
            for offset, content in _data(path, status.st_size):
                state.update(b"%d " % offset + content)
    return state.digest()


def _data(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """The parts of a file that are no holes."""
    with path.open("rb") as file:
        end = 0
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole up to the end
                return
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            yield begin, os.pread(file.fileno(), end - begin, begin)
