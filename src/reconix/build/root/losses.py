"""What a root lacks although its packages have it: reported at every build.

A store has no owners, one bit of mode and no other attributes. What a device can write to gets them
back from a list (``build/users/ownerships.py``); below ``/usr`` they are gone, and with them what
some programs depend on, such as ``sudo``. And some files are taken out because no two builds or
devices may share them (``build/root/residue.py``). Nobody should have to find out on the device, so
a root has a list of both beside its folders, and every build prints it.

    losses    <path> TAB <what is lost> a line, sorted

Tested by ``tests/unit/build/root/test_losses.py``.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.units.unit_files import SHIPPED
from reconix.build.users.accounts import Accounts
from reconix.build.users.ownerships import LAID_OVER

FILE = "losses"
_MAX_BYTES = 1 << 20
_BITS = ((stat.S_ISUID, "set-user-ID"), (stat.S_ISGID, "set-group-ID"), (stat.S_ISVTX, "sticky"))
_ATTRIBUTES = {
    "security.capability": "capabilities",
    "system.posix_acl_access": "ACL",
    "system.posix_acl_default": "default ACL",
}
_OF_THE_SYSTEM = ("boot", "dev", "media", "mnt", "proc", "run", "sys", "tmp")
"""Mounted over, or made by the initrd."""
_FIRST_BOOT = re.compile(rb"^ConditionFirstBoot=\s*(yes|true|on|1)", re.MULTILINE)
_REPLACED = ("first-boot-complete.target", "sshd-keygen.service", "systemd-firstboot.service")
"""Not needed: the identity and the keys of a device are made in another way."""
_MADE_AT_START = ("var/log/",)
"""What packages ask for there, ``systemd-tmpfiles`` gives."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """What one entry of a root lost."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"/{self.path} ({self.what})"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a package says about a file or folder and a store cannot."""

    path: str
    mode: int
    """As in ``st_mode``."""
    user: int
    group: int
    attributes: tuple[str, ...] = ()

    def losses(self, accounts: Accounts) -> Iterator[Loss]:
        """What of it is lost, if anything."""
        gone = [*self._attributes()]
        if self.path.partition("/")[0] not in (*LAID_OVER, *_OF_THE_SYSTEM):
            gone = [*self._bits(accounts), *gone]
        if gone and not self.path.startswith(_MADE_AT_START):
            yield Loss(self.path, ", ".join(gone))

    def _bits(self, accounts: Accounts) -> Iterator[str]:
        users = {user.uid: user.name for user in accounts.users}
        groups = {group.gid: group.name for group in accounts.groups}
        owner, group = users.get(self.user, self.user), groups.get(self.group, self.group)
        of = {stat.S_ISUID: f" {owner}", stat.S_ISGID: f" {group}", stat.S_ISVTX: ""}
        yield from (f"{name}{of[bit]}" for bit, name in _BITS if self.mode & bit)
        if self.user:
            yield f"owner {owner}"
        if self.group and not self.mode & stat.S_ISGID:
            yield f"group {group}"
        if not self.mode & 0o004:
            yield f"mode {stat.S_IMODE(self.mode) & 0o777:04o}: everybody can read it"

    def _attributes(self) -> Iterator[str]:
        yield from (_ATTRIBUTES.get(name, f"attribute {name}") for name in sorted(self.attributes))


def never_started(root: Path) -> Iterator[Loss]:
    """Units that wait for a first boot, which never happens: every boot begins with an identity."""
    for unit in sorted((root / SHIPPED).glob("*.*")):
        is_told = unit.is_file() and not unit.is_symlink() and unit.name not in _REPLACED
        if is_told and _FIRST_BOOT.search(unit.read_bytes()):
            yield Loss(f"{SHIPPED}/{unit.name}", "never starts: it waits for a first boot")


def print_losses(losses: Iterable[Loss]) -> bytes:
    """The list as it lies in a root."""
    return "".join(f"{loss.path}\t{loss.what}\n" for loss in sorted(losses)).encode()


def read(root: Path) -> tuple[Loss, ...]:
    """The list of a root; one that was built before there was one has none."""
    if not (root / FILE).is_file():
        return ()
    lines = read_bounded(root / FILE, _MAX_BYTES).decode().splitlines()
    return tuple(Loss(*line.split("\t", 1)) for line in lines)


def report(roots: Mapping[str, Path]) -> Iterator[str]:
    """What to report about the roots of systems, once for those with the same losses."""
    systems: dict[tuple[Loss, ...], list[str]] = {}
    for system, root in roots.items():
        systems.setdefault(read(root), []).append(system)
    for lost, names in systems.items():
        if lost:
            every = "".join(f"\n  {loss}" for loss in lost)
            yield f"{', '.join(names)}: not on the device as in its packages:{every}"
