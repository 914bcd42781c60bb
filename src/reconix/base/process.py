"""The one place that starts programs.

A program is started with words, never with a shell line, and with an environment and a umask that
do not leak the locale, the time zone or the habits of whoever runs us. The result is its output or
an exception that shows the command and the end of its output.

The output of a program may come from the other end of a link, or from a service that has gone wild.
So it is bounded while it is read: an answer has a limit, beyond which the program is killed; of
what is only shown, the end is kept and the rest is discarded as it comes.

Tested by ``tests/unit/base/test_process.py``.
"""

import contextlib
import os
import select
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from reconix.base import text
from reconix.base.errors import ReconixError

Word = str | Path
Hear = Callable[[bytes], object]
ANSWER_BYTES = 16 << 20
"""How much a program may answer, unless its caller says otherwise."""

_LAST_BYTES = 16 << 10
_READ_BYTES = 1 << 16  # what a pipe holds
_LINGER_SECONDS = 5.0
_UMASK = 0o022
_OF_ADMINISTRATORS = ("/usr/sbin", "/sbin")


class ProgramMissing(ReconixError):
    """A program that we need is not installed."""

    exit_code = 40

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed")
        self.program = program


class CommandFailed(ReconixError):
    """A program ended with an exit status other than 0."""

    exit_code = 41

    def __init__(self, words: Iterable[Word], *, status: int, output: bytes) -> None:
        line = shlex.join(str(word) for word in words)
        super().__init__(f"`{line}` exited with {status}: {text.last_words(output)}")
        self.status, self.output = status, output


class AnswerTooLong(CommandFailed):
    """A program printed more than would be accepted as its answer, and was killed."""

    def __init__(self, words: Iterable[Word], *, limit_bytes: int) -> None:
        said = f"killed: its output exceeds {limit_bytes} bytes"
        super().__init__(words, status=-1, output=said.encode())


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that programs get: ours, with fixed locale and time zone, plus ``extra``."""
    fixed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": ":".join(_search_path())}
    return {**os.environ, **fixed, **(extra or {})}


def find(program: str) -> Path | None:
    """Where a program lies that could be started, if it is there."""
    places = (Path(folder, program) for folder in _search_path())
    return next((place for place in places if os.access(place, os.X_OK) and place.is_file()), None)


@contextlib.contextmanager
def preferring(folder: Path) -> Iterator[None]:
    """Within this, programs that lie in a folder come before all others of their name."""
    _preferred.insert(0, str(folder))
    try:
        yield
    finally:
        _preferred.remove(str(folder))


_preferred: list[str] = []


def _search_path() -> list[str]:
    """Where programs are; those of administrators, too, which are not on everybody's ``PATH``."""
    named = [*_preferred, *os.environ.get("PATH", os.defpath).split(":")]
    return [*named, *(folder for folder in _OF_ADMINISTRATORS if folder not in named)]


def run(
    *words: Word,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
    limit_bytes: int = ANSWER_BYTES,
    hear: Hear | None = None,
) -> bytes:
    """Run a program to its end and give its standard output.

    ``hear`` is called with each line of that as it comes.

    Raises:
        ProgramMissing: there is no such program.
        AnswerTooLong: it says more than ``limit_bytes``.
        CommandFailed: it exited with something other than 0, or took longer than allowed.
    """
    answer = _Whole(words, limit_bytes, hear)
    source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with _talking(*words, stdin=source, folder=folder, environment=environment) as child:
        _Talk(words, child, timeout_seconds).hear(answer, stdin or b"")
    return bytes(answer.output)


def run_privately(*words: Word, limit_bytes: int) -> bytes:
    """Run a program whose output nobody else is to see: no error has any of it.

    Raises:
        ProgramMissing: there is no such program.
        AnswerTooLong: it says more than ``limit_bytes``.
        CommandFailed: it exited with something other than 0.
    """
    answer = _Private(words, limit_bytes)
    with _talking(*words) as child:
        _Talk(words, child, None).hear(answer)
    return bytes(answer.output)


def run_for_its_end(*words: Word, timeout_seconds: float | None = None) -> bytes:
    """Run a program to its end, however much it says, and give the last of its standard output.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: it exited with something other than 0, or took longer than allowed.
    """
    answer = _Last()
    with _talking(*words) as child:
        _Talk(words, child, timeout_seconds).hear(answer)
    return bytes(answer.output)


def succeeds(*words: Word, timeout_seconds: float | None = None) -> bool:
    """Run a program for its exit status alone."""
    try:
        run_for_its_end(*words, timeout_seconds=timeout_seconds)
    except CommandFailed:
        return False
    return True


@contextlib.contextmanager
def _talking(
    *words: Word,
    stdin: int = subprocess.DEVNULL,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that we can hear; it is gone when the block is left."""
    pipe = subprocess.PIPE
    child = start(
        *words, stdin=stdin, stdout=pipe, stderr=pipe, folder=folder, environment=environment
    )
    try:
        yield child
    except BaseException:
        child.kill()
        raise
    finally:
        for file in filter(None, (child.stdin, child.stdout, child.stderr)):
            with contextlib.suppress(BrokenPipeError):
                file.close()
        child.wait()


class _Ear(Protocol):
    """Takes what a program says."""

    output: bytearray

    def take(self, data: bytes) -> None:
        """More was said."""

    def end(self) -> bytes:
        """What of it an error may show."""


class _Lines:
    """Gives on each line that is whole; of a line without an end, the end is kept."""

    def __init__(self, hear: Hear | None) -> None:
        self._hear, self._rest = hear, b""

    def take(self, data: bytes) -> None:
        if self._hear is None:
            return
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LAST_BYTES:]
        for line in lines:
            self._hear(line)


class _Whole:
    """Keeps all, up to a limit."""

    def __init__(self, words: Iterable[Word], limit_bytes: int, hear: Hear | None = None) -> None:
        self.output = bytearray()
        self._words, self._limit, self._lines = words, limit_bytes, _Lines(hear)

    def take(self, data: bytes) -> None:
        if len(self.output) + len(data) > self._limit:
            raise AnswerTooLong(self._words, limit_bytes=self._limit)
        self.output += data
        self._lines.take(data)

    def end(self) -> bytes:
        return bytes(self.output[-_LAST_BYTES:])


class _Private(_Whole):
    """Keeps all, and shows nothing."""

    def end(self) -> bytes:
        return b""


class _Last:
    """Keeps the end."""

    def __init__(self) -> None:
        self.output = bytearray()

    def take(self, data: bytes) -> None:
        self.output += data
        del self.output[:-_LAST_BYTES]

    def end(self) -> bytes:
        return bytes(self.output)


class _Talk:
    """What is said to a program and what it says, whichever of the two comes first."""

    def __init__(
        self, words: Iterable[Word], child: "subprocess.Popen[bytes]", seconds: float | None
    ) -> None:
        self._words, self._child, self._seconds = words, child, seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._poll = select.poll()

    def hear(self, answer: _Ear, stdin: bytes = b"") -> None:
        """Give ``stdin`` and take what is said, until the program has ended."""
        complaints = _Last()
        self._exchange(stdin, answer, complaints)
        try:
            status = self._child.wait(self._left())
        except subprocess.TimeoutExpired:
            raise self._too_late() from None
        if status != 0:
            said = complaints.end() or answer.end()
            raise CommandFailed(self._words, status=status, output=said)

    def _exchange(self, stdin: bytes, answer: _Ear, complaints: _Ear) -> None:
        sink, out, errors = self._child.stdin, self._child.stdout, self._child.stderr
        assert out is not None and errors is not None
        ears = {out.fileno(): answer, errors.fileno(): complaints}
        for descriptor in ears:
            self._poll.register(descriptor, select.POLLIN)
        left = memoryview(stdin)
        if sink is not None:
            os.set_blocking(sink.fileno(), False)
            self._poll.register(sink, select.POLLOUT)
        while ears:
            for descriptor in self._ready():
                if descriptor in ears:
                    self._listen(descriptor, ears)
                    continue
                left = left[_write(descriptor, left) :]
                if not left and sink is not None:
                    self._poll.unregister(descriptor)
                    sink.close()

    def _listen(self, descriptor: int, ears: dict[int, _Ear]) -> None:
        data = os.read(descriptor, _READ_BYTES)
        if data:
            ears[descriptor].take(data)
        else:
            self._poll.unregister(descriptor)
            del ears[descriptor]

    def _ready(self) -> list[int]:
        left = self._left()
        if left == 0:  # also where there is always something to hear
            raise self._too_late()
        found = self._poll.poll(None if left is None else 1000 * left)
        if not found:
            raise self._too_late()
        return [descriptor for descriptor, _ in found]

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _too_late(self) -> CommandFailed:
        said = f"timed out after {self._seconds} s"
        return CommandFailed(self._words, status=-1, output=said.encode())


def _write(descriptor: int, data: memoryview) -> int:
    """Write what a pipe takes; one without a reader takes all."""
    try:
        return os.write(descriptor, data[:_READ_BYTES]) if data else 0
    except BrokenPipeError:
        return len(data)


def start(
    *words: Word,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program and leave it running; whoever starts it ends it.

    Raises:
        ProgramMissing: there is no such program.
    """
    try:
        return subprocess.Popen(
            [str(word) for word in words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=clean_environment(environment),
            umask=_UMASK,
        )
    except FileNotFoundError as error:
        if folder is not None and not folder.is_dir():
            raise
        raise ProgramMissing(str(words[0])) from error


class Answering:
    """A program that is left running and answers what it is asked; ``close`` ends it.

    Raises:
        ProgramMissing: there is no such program.
    """

    def __init__(self, *words: Word, environment: Mapping[str, str] | None = None) -> None:
        pipe, nobody = subprocess.PIPE, subprocess.DEVNULL
        self._child = start(*words, stdin=pipe, stdout=pipe, stderr=nobody, environment=environment)

    @property
    def process_id(self) -> int:
        """The number of its process."""
        return self._child.pid

    def ask(self, question: bytes) -> None:
        """Write to its standard input.

        Raises:
            OSError: it has ended.
        """
        assert self._child.stdin is not None
        self._child.stdin.write(question)
        self._child.stdin.flush()

    def hear(self, size_bytes: int) -> bytes:
        """The next bytes of its answer.

        Raises:
            EOFError: it has ended, and gave fewer.
        """
        assert self._child.stdout is not None
        found = self._child.stdout.read(size_bytes)
        if len(found) < size_bytes:
            raise EOFError(f"it ended after {len(found)} of {size_bytes} bytes")
        return found

    def close(self) -> None:
        """End it."""
        self._child.kill()
        with contextlib.suppress(BrokenPipeError):
            self._child.communicate()


@contextlib.contextmanager
def reading(
    *words: Word,
    environment: Mapping[str, str] | None = None,
    hear: Hear | None = None,
) -> Iterator[BinaryIO]:
    """Run a program and read its standard output as it comes.

    Args:
        words: of the command.
        environment: beside ours.
        hear: is called with each line that it complains or reports, from another thread.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: when the block is left, if the program failed.
    """
    child = start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, environment=environment)
    assert child.stdout is not None and child.stderr is not None
    complaints = _Listening(child.stderr, hear)
    try:
        yield child.stdout  # type: ignore[misc] # a pipe is a BinaryIO
        child.stdout.close()
        status = child.wait()
    except BaseException:
        child.kill()
        child.wait()
        child.stdout.close()
        raise
    finally:
        said = complaints.end()
    if status != 0:
        raise CommandFailed(words, status=status, output=said)


@contextlib.contextmanager
def feeding(*words: Word, environment: Mapping[str, str] | None = None) -> Iterator[BinaryIO]:
    """Run a program and write its standard input as it comes; the end of the block is its end.

    The last of what the program says is kept for the error. If it ends early, the broken pipe ends
    the block, and its failure is raised instead.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: when the block is left, if the program failed.
    """
    pipe = subprocess.PIPE
    child = start(
        *words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, environment=environment
    )
    assert child.stdin is not None and child.stdout is not None
    listening = _Listening(child.stdout)
    try:
        yield child.stdin  # type: ignore[misc] # a pipe is a BinaryIO
        child.stdin.close()
    except BrokenPipeError:
        if child.wait() == 0:
            raise
    except BaseException:
        child.kill()
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.wait()
        said = listening.end()
    if child.returncode != 0:
        raise CommandFailed(words, status=child.returncode, output=said)


class _Listening:
    """Takes what comes from a pipe while something else is done, and keeps the end."""

    def __init__(self, pipe: IO[bytes], hear: Hear | None = None) -> None:
        self._pipe, self._heard = pipe, _Last()
        self._lines = _Lines(hear)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._pipe as pipe:
            while data := os.read(pipe.fileno(), _READ_BYTES):
                self._heard.take(data)
                self._lines.take(data)

    def end(self) -> bytes:
        """The last that was said.

        What a program has left running may keep the pipe; that is not waited for.
        """
        self._thread.join(_LINGER_SECONDS)
        return bytes(self._heard.output)
