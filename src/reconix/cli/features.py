"""What reconix needs of a machine: programs, and what it must be able to do.

Each question is put to the machine itself, not to a version: namespaces are made, a guest is run,
room is measured. The answer says what is the case, which commands need it, and how to get it.

Tested by ``tests/unit/cli/test_features.py``.
"""

import os
import platform
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed, find, run, succeeds
from reconix.base.sizes import human
from reconix.build import emulation, isolation
from reconix.build.emulation import NotEmulated
from reconix.build.isolation import NotIsolated
from reconix.cli.install_hints import how_to_install
from reconix.cli.needs import NEEDED_BY, USED_BY
from reconix.config.schema.project import Archive
from reconix.vm import accelerator, firmware, hardware
from reconix.vm.hardware import PC, Hardware
from reconix.vm.qemu import PROGRAM, Accelerator

ROOM_BYTES = 4 << 30
"""Roots, packages and an image of three systems, while they are made."""

IDS = 65536
"""How many user numbers an ordinary user needs: those of a Debian system."""

_KVM = Path("/dev/kvm")
_SUBIDS = (Path("/etc/subuid"), Path("/etc/subgid"))
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What came out.

    Attributes:
        what: was looked for.
        found: its version, or what is the case.
        is_there: whether it is good enough.
        needed_by: commands that cannot work without; empty if all can.
        used_for: what it is good for otherwise.
        remedy: how to get it.
    """

    what: str
    found: str
    is_there: bool
    needed_by: tuple[str, ...] = ()
    used_for: str = ""
    remedy: str = ""

    @property
    def is_missed(self) -> bool:
        """Whether a command cannot work without it."""
        return not self.is_there and bool(self.needed_by)


_BUILDING = ("build", "image")
_SWITCHES = {
    "kernel.unprivileged_userns_clone": "1",
    "kernel.apparmor_restrict_unprivileged_userns": "0",
}
"""What some distributions forbid ordinary users, and the value that allows it."""

_VERSION = re.compile(rb"(?<![A-Za-z\d.])\d+(?:\.\d+)*(?:[-+~.\w]*\w)?")
_SECONDS = 10.0
_SILENT = {"cp", "fsck.fat", "nix", "nix-store", "sh", "ssh-keygen", "sync"}
"""Programs of which a version tells nothing, or that do not tell it; and Nix, which makes a store
in `/nix` before it answers."""
_VERSION_WORD = dict.fromkeys(("mkfs.ext4", "e2fsck", "e2image", "ssh"), "-V")
"""What makes a program tell its version; `--version` for any other."""


def programs() -> Iterator[Finding]:
    """Look for every program that a command runs."""
    yield Finding("python", platform.python_version(), is_there=True, used_for="reconix itself")
    needed, used = _turned(NEEDED_BY), _turned(USED_BY)
    for program in sorted({*needed, *used}):
        is_there = find(program) is not None
        yield Finding(
            program,
            version(program) if is_there else "missing",
            is_there,
            tuple(needed.get(program, ())),
            "" if program in needed else f"{', '.join(used[program])}, in some projects",
            _as_root(how_to_install([program])),
        )


def _turned(table: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Commands by program, in place of programs by command."""
    found: dict[str, list[str]] = {}
    for command, names in table.items():
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(command)
    return found


def version(program: str) -> str:
    """Which version of a program is installed, if it tells; some tell it as a complaint."""
    word = _VERSION_WORD.get(program, "--version")
    if program in _SILENT:
        return ""
    both = ("sh", "-c", 'exec "$@" 2>&1', "sh")
    try:
        said = run(*both, program, word, timeout_seconds=_SECONDS)
    except CommandFailed as error:
        said = b"" if error.status < 0 else error.output  # killed: it did not answer
    number = _VERSION.search(said)
    return number[0].decode(errors="replace") if number else ""


def abilities(store: Path, cache: Path) -> Iterator[Finding]:
    """Look at what this machine can do.

    Args:
        store: where things are built.
        cache: remembers whether KVM works.
    """
    yield _keyring(Path(Archive().keyring))
    yield from _isolation()
    yield from (_firmware(computer) for computer in hardware.ALL.values())
    yield _kvm(cache)
    yield _room(store)
    yield from (_file_system(name) for name in ("overlay", "erofs"))
    yield from _other_architectures()


def _keyring(keyring: Path) -> Finding:
    is_there = keyring.is_file()
    return Finding(
        "keys of the Debian archive",
        str(keyring) if is_there else "missing",
        is_there,
        ("lock",),
        remedy=_install("debian-archive-keyring"),
    )


def _isolation() -> Iterator[Finding]:
    """Whether packages can be installed cut off, and for an ordinary user the parts of that."""
    if not isolation.is_root():
        yield _subordinate_ids(_user())
    if find("unshare") is None or find("sh") is None:
        return  # which is told as a program that is missing
    try:
        isolation.check()
    except NotIsolated:
        yield Finding("namespaces", "forbidden", False, _BUILDING, remedy=_allow_namespaces())
    else:
        yield Finding("namespaces", "can be made", True, _BUILDING)


def _subordinate_ids(user: str) -> Finding:
    """Source: subuid(5): name or number, first, count."""
    counts = [max(_granted(file, user), default=0) for file in _SUBIDS]
    number = f"{min(counts)} user numbers" if min(counts) else "none"
    words = "--add-subuids 100000-165535 --add-subgids 100000-165535"
    return Finding(
        "/etc/subuid, /etc/subgid",
        number,
        min(counts) >= IDS,
        _BUILDING,
        remedy=_as_root(f"usermod {words} {user}"),
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in a container that was told a number
        return str(os.geteuid())


def _granted(file: Path, user: str) -> Iterator[int]:
    if file.is_file():
        for line in read_bounded(file, _MAX_BYTES).decode(errors="replace").splitlines():
            name, count = line.partition(":")[0], line.rpartition(":")[2]
            if name in (user, str(os.geteuid())) and count.isdecimal():
                yield int(count)


def _allow_namespaces() -> str:
    """What forbids them, as far as the kernel says so."""
    for name, allowed in _SWITCHES.items():
        setting = Path("/proc/sys", name.replace(".", "/"))
        if setting.is_file() and setting.read_text().strip() != allowed:
            return _as_root(f"sysctl {name}={allowed}")
    if not isolation.is_root() and find("newuidmap") is None:
        return _install("uidmap")
    return "a container or a chroot is in the way: let it make namespaces and mounts, or leave it"


def _as_root(command: str) -> str:
    """A command that only root may run, as this user types it."""
    return command if isolation.is_root() or command.startswith("get ") else f"sudo {command}"


def _install(*packages: str) -> str:
    return _as_root(f"apt install {' '.join(packages)}")


def _firmware(computer: Hardware) -> Finding:
    """Nothing works without that of the usual computer; others are needed by their boards."""
    code, is_usual = firmware.installed(computer), computer is PC
    return Finding(
        "UEFI firmware for QEMU" if is_usual else f"firmware for QEMU, {computer.name}",
        "missing" if code is None else str(code),
        code is not None,
        ("run",) if is_usual else (),
        used_for="" if is_usual else "run: boards that it is for",
        remedy=_install(computer.firmware_package),
    )


def _kvm(cache: Path) -> Finding:
    """A guest that is emulated takes ten times as long, and works."""
    works = find(PROGRAM) is not None and accelerator.choose(cache) is Accelerator.KVM
    if works:
        return Finding("KVM", "works", True, used_for="run: virtual devices at full speed")
    if not _KVM.exists():
        found, remedy = "not there", "switch virtualisation on in the firmware of this machine"
    elif not os.access(_KVM, os.R_OK | os.W_OK):
        found, remedy = "forbidden", _as_root(f"adduser {_user()} kvm")
    elif find(PROGRAM) is None:
        found, remedy = "not tried: QEMU is missing", ""
    else:
        found, remedy = "there, but a test guest does not run in it", ""
    used_for = "run: virtual devices at full speed; without it they are emulated"
    return Finding("KVM", found, False, used_for=used_for, remedy=remedy)


def _room(store: Path) -> Finding:
    place = next(each for each in (store, *store.parents) if each.exists())
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    return Finding(
        "room for the store",
        f"{human(free)} free in {place}",
        free >= ROOM_BYTES,
        _BUILDING,
        remedy=f"{human(ROOM_BYTES)} are enough to begin with; another place: --store DIR",
    )


def _file_system(name: str) -> Finding:
    known = read_bounded(Path("/proc/filesystems"), _MAX_BYTES).decode().split()
    is_there = name in known or (
        find("modprobe") is not None and succeeds("modprobe", "--dry-run", name)
    )
    return Finding(
        f"file system {name}",
        "the kernel has it" if is_there else "missing",
        is_there,
        used_for="tests: images, mounted as a device does",
        remedy="a kernel with it",
    )


def _other_architectures() -> Iterator[Finding]:
    """Whether programs of other architectures run here, which their packages' scripts are."""
    for architecture in Architecture:
        if not architecture.is_of_this_machine:
            yield _other_architecture(architecture)


def _other_architecture(architecture: Architecture) -> Finding:
    try:
        emulation.own_rule(architecture)
    except NotEmulated:
        found = "do not run"
    else:
        found = "run, emulated"
    return Finding(
        f"programs of {architecture.value}",
        found,
        found != "do not run",
        used_for=f"build: devices that are {architecture.value}",
        remedy=_install(emulation.PACKAGE),
    )
