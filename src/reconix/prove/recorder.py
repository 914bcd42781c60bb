"""Recording: a disk image as a block device that remembers every write and every flush.

    image ◄── blklogwrites ──► log        qemu-storage-daemon
                  │
              FUSE export                 a file that is the disk
              ┌───┴────┐
         loop: disk   loop: system        block devices; a flush becomes an fsync, becomes a flush
                        │
                      mount               ext4, as the device mounts it

The code under test runs here, on the real kernel's ext4 and block layer, and knows nothing of it.
Needs root, for loop devices and mounts; no module of the kernel besides ``loop``, ``fuse``, ext4.

The file system is mounted with ``noauto_da_alloc``: otherwise ext4 itself writes a file out when it
is renamed over another one, and hides that nobody asked for it.

Source: qemu-storage-daemon(1); ext4(5). Tested by ``tests/crash/test_prover.py``.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError

MOUNT_OPTIONS = "noatime,noauto_da_alloc"
_READY_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


class CannotRecord(ReconixError):
    """This machine cannot record a disk."""

    exit_code = 36


class Pace(Enum):
    """When the kernel writes what nobody has asked it to make durable yet.

    It may do so at any time. Late shows what was not asked for; early shows what must not be there
    yet, in the middle of a change that otherwise would be one commit of the journal.
    """

    QUIET = "late"
    RESTLESS = "early"


@dataclass(frozen=True, slots=True)
class Recording:
    """A disk under recording.

    Attributes:
        disk: the block device.
        system: where its system partition is mounted, read-only.
        log: the file with everything that was written.
        pace: when the kernel writes back on its own.
    """

    disk: Path
    system: Path
    log: Path
    pace: "Pace"

    def position(self) -> int:
        """How far the log is now: whatever has been written stands before this byte."""
        return self.log.stat().st_size

    @contextlib.contextmanager
    def writable(self) -> Iterator[None]:
        """Let the system partition be writable, as the agent does for its work."""
        process.run("mount", "-o", f"remount,rw,{MOUNT_OPTIONS}", self.system)
        try:
            with self._pace():
                yield
        finally:
            process.run("mount", "-o", "remount,ro", self.system)

    @contextlib.contextmanager
    def _pace(self) -> Iterator[None]:
        if self.pace is Pace.QUIET:
            yield
            return
        done = threading.Event()
        writer = threading.Thread(target=self._write_back, args=[done])
        writer.start()
        try:
            yield
        finally:
            done.set()
            writer.join()

    def _write_back(self, done: threading.Event) -> None:
        while not done.is_set():
            process.run("sync", "--file-system", self.system)


@contextlib.contextmanager
def recording(
    image: Path, folder: Path, *, offset: int, size_bytes: int, pace: Pace
) -> Iterator[Recording]:
    """Record what is done to an image.

    Args:
        image: a disk; it is changed.
        folder: where the log and what else is needed goes.
        offset: where the system partition begins, in bytes.
        size_bytes: how large that is.
        pace: when the kernel writes back on its own.

    Raises:
        CannotRecord: without root, or when QEMU does not start.
    """
    if os.geteuid() != 0:
        raise CannotRecord("recording a disk needs loop devices and mounts", hint="run it as root")
    log, shown, system = folder / "log", folder / "shown", folder / "system"
    log.write_bytes(b"")
    shown.touch()
    system.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_exported(image, log, shown))
        disk = stack.enter_context(loop(shown))
        part = stack.enter_context(
            loop(shown, "--offset", str(offset), "--sizelimit", str(size_bytes))
        )
        stack.enter_context(_mounted(part, system))
        yield Recording(disk, system, log, pace)


@contextlib.contextmanager
def _exported(image: Path, log: Path, shown: Path) -> Iterator[None]:
    pid_file = shown.with_name("daemon.pid")
    pid_file.unlink(missing_ok=True)
    child = process.start(
        "qemu-storage-daemon",
        *("--blockdev", f"driver=file,node-name=image,filename={_quoted(image)}"),
        *("--blockdev", f"driver=file,node-name=log,filename={_quoted(log)}"),
        *("--blockdev", "driver=blklogwrites,node-name=recorded,file=image,log=log"),
        "--export",
        f"type=fuse,id=shown,node-name=recorded,mountpoint={_quoted(shown)},writable=on",
        *("--pidfile", pid_file),
    )
    try:
        ends = time.monotonic() + _READY_SECONDS
        while not pid_file.exists():
            if child.poll() is not None or time.monotonic() > ends:
                raise CannotRecord(
                    "qemu-storage-daemon does not show the disk",
                    hint="it needs /dev/fuse, and a QEMU with blklogwrites",
                )
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        child.terminate()
        child.wait()
        if os.path.ismount(shown):
            process.run("umount", "--lazy", shown)


def _quoted(path: Path) -> str:
    """A path within the options of QEMU, where a comma stands twice."""
    return str(path.absolute()).replace(",", ",,")


@contextlib.contextmanager
def loop(file: Path, *options: str) -> Iterator[Path]:
    """A file as a block device; the options are those of losetup."""
    device = Path(process.run("losetup", "--find", "--show", *options, file).decode().strip())
    try:
        yield device
    finally:
        process.run("losetup", "--detach", device)


@contextlib.contextmanager
def _mounted(device: Path, place: Path) -> Iterator[None]:
    process.run("mount", "-t", "ext4", "-o", f"ro,{MOUNT_OPTIONS}", device, place)
    try:
        yield
    finally:
        process.run("umount", place)
