"""The files that say who exists: passwd, group, shadow, gshadow.

The packages of a system bring their own users, made by maintainer scripts when the root was built.
The configuration adds users of its own (``build/users/configured_users.py``); a device needs both.
Nobody has a password: ``*`` never matches.

Source: passwd(5), group(5), shadow(5).
Tested by ``tests/unit/build/users/test_accounts.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import read_text

_MAX_BYTES = 1 << 22


class BadAccounts(ReconixError):
    """The account files of a root are malformed."""

    exit_code = 63


class UnknownAccount(ReconixError):
    """The configuration names a user or group that the system does not have."""

    exit_code = 62


@dataclass(frozen=True, slots=True)
class Account:
    """One user."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str

    def __str__(self) -> str:
        return f"{self.name}:x:{self.uid}:{self.gid}:{self.comment}:{self.home}:{self.shell}"


@dataclass(frozen=True, slots=True)
class Group:
    """One group."""

    name: str
    gid: int
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:x:{self.gid}:{','.join(self.members)}"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everybody on a system."""

    users: tuple[Account, ...]
    groups: tuple[Group, ...]

    @classmethod
    def read(cls, etc: Path) -> "Accounts":
        """Those of a root, from its ``etc``.

        Raises:
            BadAccounts: a line, or a number in one, is malformed.
        """
        users = (_fields(line) for line in read_text(etc / "passwd", _MAX_BYTES).splitlines())
        groups = (_fields(line) for line in read_text(etc / "group", _MAX_BYTES).splitlines())
        try:
            return cls(
                tuple(Account(f[0], int(f[2]), int(f[3]), f[4], f[5], f[6]) for f in users),
                tuple(Group(f[0], int(f[2]), tuple(filter(None, f[3].split(",")))) for f in groups),
            )
        except (IndexError, ValueError) as error:
            raise BadAccounts(f"{etc}/passwd or group has a malformed line") from error

    def uid(self, name: str) -> int:
        """The number of a user.

        Raises:
            UnknownAccount: there is no account of this name.
        """
        for user in self.users:
            if user.name == name:
                return user.uid
        raise UnknownAccount(f"no user {name!r}", hint="is it misspelt, or is its package missing?")

    def gid(self, name: str) -> int:
        """The number of a group.

        Raises:
            UnknownAccount: there is no account of this name.
        """
        for group in self.groups:
            if group.name == name:
                return group.gid
        raise UnknownAccount(
            f"no group {name!r}", hint="is it misspelt, or is its package missing?"
        )

    def home(self, name: str) -> str:
        """The home folder of a user."""
        self.uid(name)
        return next(user.home for user in self.users if user.name == name)

    def with_member(self, group: str, user: str) -> "Accounts":
        """These, and a user as a further member of a group.

        Raises:
            UnknownAccount: there is no such group.
        """
        self.gid(group)
        groups = (
            replace(each, members=tuple(sorted({*each.members, user})))
            if each.name == group
            else each
            for each in self.groups
        )
        return replace(self, groups=tuple(groups))

    def files(self) -> dict[str, bytes]:
        """The four files, by their names below ``/etc``."""
        return {
            "passwd": _lines(self.users),
            "group": _lines(self.groups),
            "shadow": _lines(f"{user.name}:*:1:0:99999:7:::" for user in self.users),
            "gshadow": _lines(f"{g.name}:*::{','.join(g.members)}" for g in self.groups),
        }


def _fields(line: str) -> list[str]:
    return line.split(":")


def _lines(entries: Iterable[object]) -> bytes:
    return "".join(f"{entry}\n" for entry in entries).encode()
