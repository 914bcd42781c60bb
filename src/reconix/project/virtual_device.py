"""The virtual device of a host: its disk over the image, what keeps its generation, the way to it.

What it writes goes to a disk of its own over the image, so an image that was made anew would be
another disk below the same writes: that is refused. The generation that it was started with is kept
in the store, because updates start from it.

While it runs, other commands find the way to it in a file beside its disk:

    running          {"ports": {"22": 40123}}, locked by the command that runs it
    vm/known_hosts   the key that it showed first

The lock ends with that command, however it ends, so what the file says is never believed too long.

Tested by ``tests/unit/project/test_virtual_device.py``.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.base.documents import Fields, print_json
from reconix.base.errors import ReconixError
from reconix.base.files import lock_file, read_bounded, write_durably
from reconix.config.schema.hosts import Host
from reconix.nix import roots
from reconix.project.workplace import NotBuilt, Workplace
from reconix.store.paths import StorePath
from reconix.vm import firmware, hardware
from reconix.vm.disks import overlay
from reconix.vm.hardware import PC, VIRT_ARM64, Hardware
from reconix.vm.qemu import Disk, DiskFormat, Forward, Guest

MORE_BYTES = 1 << 30
"""It takes no room here until it is written."""
_STAMP_BYTES = 1024
_SSH_PORT = 22
_USUAL = {Architecture.AMD64: PC, Architecture.ARM64: VIRT_ARM64}
"""What a host is that names no board."""


class AlreadyRunning(ReconixError):
    """The virtual device of a host runs, and its disk is in use."""

    exit_code = 2


class NotRunning(ReconixError):
    """There is no virtual device that could be reached."""

    exit_code = 78


class ImageChanged(ReconixError):
    """The disk of a virtual device was made over an image that is another one now."""

    exit_code = 2


class NotInQemu(ReconixError):
    """A virtual device cannot have the hardware of a host."""

    exit_code = 2

    def __init__(self, host: Host) -> None:
        super().__init__(
            f"cannot run {host.name}: `reconix run` has no "
            f"{host.machine.board or f'board for {host.architecture.value}'}",
            hint="write its image to a disk of the real board, see docs/boards",
        )


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """How one logs in to a virtual device.

    Attributes:
        user: who.
        port: on 127.0.0.1.
        key: the secret key, if it lies beside the public one.
        known_hosts: remembers the key of the device.
    """

    user: str
    port: int
    key: Path | None
    known_hosts: Path


class Announcement:
    """Tells other commands where a virtual device is."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, ports: Mapping[int, int]) -> None:
        """Say which ports on 127.0.0.1 lead to which of its own."""
        content = print_json({"ports": {str(inner): outer for inner, outer in ports.items()}})
        os.pwrite(self._descriptor, content, 0)


@contextlib.contextmanager
def occupied(workplace: Workplace) -> Iterator[Announcement]:
    """Have the virtual device of a host alone, as long as the block lasts.

    Raises:
        AlreadyRunning: another command has it.
    """
    with lock_file(workplace.running) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"the virtual device {workplace.host} runs already",
                hint=f"log in to it: reconix shell --host {workplace.host}",
            ) from None
        os.ftruncate(descriptor, 0)
        yield Announcement(descriptor)
        os.ftruncate(descriptor, 0)


def runs(workplace: Workplace) -> bool:
    """Whether the virtual device runs."""
    try:
        ports(workplace)
    except NotRunning:
        return False
    return True


def ports(workplace: Workplace) -> Mapping[int, int]:
    """The ports on 127.0.0.1 that lead to the virtual device that runs, by its own.

    Raises:
        NotRunning: none does.
    """
    path = workplace.running
    if path.is_file():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _parse_ports(file.read(_STAMP_BYTES), source=str(path))
    raise NotRunning(
        f"no virtual device of {workplace.host} runs here",
        hint=f"start it in another terminal: reconix run {workplace.host}; or name a device: --to",
    )


def _parse_ports(content: bytes, *, source: str) -> Mapping[int, int]:
    """Read what ``Announcement.tell`` has written; empty before that."""
    if not content:
        return {}
    found = Fields.parse(content, source=source).object("ports")
    return {int(inner): found.number(inner) for inner in found.names()}


def login(workplace: Workplace, host: Host) -> DeviceLogin:
    """How one logs in to the virtual device that runs.

    Raises:
        NotRunning: none does, or its ssh cannot be reached.
    """
    forwards = [each.port for each in host.machine.run.forward if each.name == "ssh"]
    inner = forwards[0] if forwards else _SSH_PORT
    outer = ports(workplace).get(inner)
    if outer is None:
        raise NotRunning(
            f"port {inner} of the virtual device {host.name} cannot be reached",
            hint="is it starting? Else: `forward` below [run] in machine.toml names it `ssh:22`",
        )
    return DeviceLogin("root", outer, secret_key(host), workplace.vm / "known_hosts")


def secret_key(host: Host, user: str = "root") -> Path | None:
    """The secret half of a key that may log in, if it lies beside the public one."""
    for system in host.systems.values():
        files = system.users[user].authorized_keys_files if user in system.users else ()
        for path in files:
            if path.suffix == ".pub" and path.with_suffix("").is_file():
                return path.with_suffix("")
    return None


def keep_generation(workplace: Workplace, store: Path) -> None:
    """Keep what a new device is started with: updates start from it, whatever is built later."""
    if workplace.generation.is_symlink() and store.is_dir():
        path = StorePath.parse(str(workplace.generation.readlink()))
        roots.link(store / "nix/var/nix", workplace.vm / "generation", path)


def image_of(workplace: Workplace, named: Path | None = None) -> Path:
    """The image that was named, else the one that was made last.

    Raises:
        NotBuilt: it is not there.
    """
    image = workplace.image if named is None else named
    if not image.is_file():
        raise NotBuilt(f"there is no image {image}", hint=f"reconix image {workplace.host}")
    return image


def guest(host: Host, workplace: Workplace, disk: Disk, *, watchdog: bool) -> Guest:
    """The virtual device as the host has it."""
    settings, computer = host.machine.run, hardware_of(host)
    return Guest(
        firmware.prepare(workplace.vm / "variables", computer),
        disks=(disk,),
        forwards=tuple(Forward(each.port, each.host_port or 0) for each in settings.forward),
        memory_mib=settings.memory >> 20,
        cores=settings.cores,
        watchdog=watchdog,
        hardware=computer,
    )


def hardware_of(host: Host) -> Hardware:
    """The computer of QEMU that has the hardware of a host.

    Raises:
        NotInQemu: there is none.
    """
    computer = _find_hardware(host)
    if computer is None:
        raise NotInQemu(host)
    return computer


def can_run(host: Host) -> bool:
    """Whether QEMU has the hardware of a host."""
    return _find_hardware(host) is not None


def _find_hardware(host: Host) -> Hardware | None:
    if host.board is None:
        return _USUAL.get(host.architecture)
    return hardware.ALL.get(host.board.qemu or "")


def disk_over(image: Path, workplace: Workplace, *, more_bytes: int = 0) -> Disk:
    """The disk over an image: the one of last time, or a new one, larger by some bytes.

    Raises:
        ImageChanged: there is one, over another image.
    """
    disk, stamp = workplace.vm / "disk.qcow2", workplace.vm / "image"
    if not disk.exists():
        overlay(image, disk, more_bytes=more_bytes)
        write_durably(stamp, _stamp(image))
    elif not stamp.exists() or read_bounded(stamp, _STAMP_BYTES) != _stamp(image):
        raise ImageChanged(
            f"{image} is not the image that the device {workplace.host} was started from",
            hint=f"start a new device: reconix run {workplace.host} --fresh",
        )
    return Disk(disk, DiskFormat.QCOW2)


def more_bytes(host: Host) -> int:
    """By how much the disk is larger than the image, so that data which grows has room for it."""
    return MORE_BYTES if host.machine.disk.data_grows else 0


def _stamp(image: Path) -> bytes:
    """What tells an image from another one, without reading it."""
    status = image.stat()
    return f"{image.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode()
