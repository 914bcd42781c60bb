"""The one place that starts programs.

A program is started with words, never with a shell line, and with an environment and a umask that
do not leak the locale, the time zone or the habits of whoever runs us. The result is its output or
an exception that shows the command and the last of what it said.

Proven by ``tests/unit/base/test_process.py``.
"""

import contextlib
import os
import shlex
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, BinaryIO

from reconix.base.errors import ReconixError

Word = str | Path
_LAST_BYTES = 1024
_UMASK = 0o022

INSTALLED_BY = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "debugfs": "e2fsprogs",
    "dpkg-deb": "dpkg",
    "e2fsck": "e2fsprogs",
    "e2image": "e2fsprogs",
    "fsck.fat": "dosfstools",
    "git": "git",
    "losetup": "mount",
    "mcopy": "mtools",
    "mdir": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "mosquitto_pub": "mosquitto-clients",
    "nix": "nix-bin",
    "nix-store": "nix-bin",
    "qemu-storage-daemon": "qemu-system-common",
    "qemu-system-x86_64": "qemu-system-x86",
    "sgdisk": "gdisk",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Which Debian package has a program."""


class ProgramMissing(ReconixError):
    """A program that we need is not installed."""

    exit_code = 40

    def __init__(self, program: str) -> None:
        package = INSTALLED_BY.get(program, program)
        super().__init__(f"{program} is not installed", hint=f"apt install {package}")
        self.program = program


class CommandFailed(ReconixError):
    """A program ended with an exit status other than 0."""

    exit_code = 41

    def __init__(self, words: Iterable[Word], *, status: int, said: bytes) -> None:
        line = shlex.join(str(word) for word in words)
        last = said[-_LAST_BYTES:].decode(errors="replace").strip()
        super().__init__(f"`{line}` exited with {status}: {last}")
        self.status, self.said = status, said


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that programs get: ours, with fixed locale and time zone, plus ``extra``."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", **(extra or {})}


def run(
    *words: Word,
    stdin: bytes | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
) -> bytes:
    """Run a program to its end and give its standard output.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: it exited with something other than 0, or took longer than allowed.
    """
    try:
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            cwd=folder,
            env=clean_environment(environment),
            timeout=timeout_seconds,
            umask=_UMASK,
            check=False,
        )
    except FileNotFoundError as error:
        if folder is not None and not folder.is_dir():
            raise
        raise ProgramMissing(str(words[0])) from error
    except subprocess.TimeoutExpired as error:
        said = f"no end after {timeout_seconds} s".encode()
        raise CommandFailed(words, status=-1, said=said) from error
    if done.returncode != 0:
        raise CommandFailed(words, status=done.returncode, said=done.stderr or done.stdout)
    return done.stdout


def succeeds(*words: Word, timeout_seconds: float | None = None) -> bool:
    """Run a program for its exit status alone."""
    try:
        run(*words, timeout_seconds=timeout_seconds)
    except CommandFailed:
        return False
    return True


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
        raise ProgramMissing(str(words[0])) from error


@contextlib.contextmanager
def reading(*words: Word, environment: Mapping[str, str] | None = None) -> Iterator[BinaryIO]:
    """Run a program and read its standard output as it comes.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: when the block is left, if the program failed.
    """
    child = start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, environment=environment)
    assert child.stdout is not None and child.stderr is not None
    said = bytearray()
    errors = child.stderr
    listener = threading.Thread(target=lambda: said.extend(errors.read()), daemon=True)
    listener.start()
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
        listener.join()
        errors.close()
    if status != 0:
        raise CommandFailed(words, status=status, said=bytes(said))


@contextlib.contextmanager
def feeding(*words: Word, environment: Mapping[str, str] | None = None) -> Iterator[BinaryIO]:
    """Run a program and write its standard input as it comes; the end of the block is its end.

    What the program says is kept for the error. If it ends early, the broken pipe ends the block,
    and its failure is raised instead.

    Raises:
        ProgramMissing: there is no such program.
        CommandFailed: when the block is left, if the program failed.
    """
    with open(os.memfd_create("said"), "w+b") as said:  # noqa: PTH123 - a descriptor, not a path
        child = start(
            *words, stdin=subprocess.PIPE, stdout=said, stderr=said, environment=environment
        )
        assert child.stdin is not None
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
        if child.returncode != 0:
            said.seek(max(0, said.tell() - _LAST_BYTES))
            raise CommandFailed(words, status=child.returncode, said=said.read())
