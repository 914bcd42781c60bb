"""Numbers of users and groups that do not depend on which packages are installed beside.

A maintainer script that makes a user takes the next number that is free. So one package more, and
the user of another has another number: what it keeps on the device, written under the old number,
would belong to somebody else after the update. Therefore each name gets a number that follows from
the name alone. Two names may want the same number; then the later one in the alphabet takes the
next, and only that pair depends on who else is there.

Source: Debian Policy 9.2.2, *UID and GID classes*: 100-999 are assigned as packages are installed.
Proven by ``tests/unit/build/test_numbers.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from reconix.build.accounts import Account, Accounts, Group
from reconix.build.normalise import Ownership

FIRST = 100
LAST = 999
_COUNT = LAST - FIRST + 1


@dataclass(frozen=True, slots=True)
class Renumbering:
    """The new numbers of the users and groups that packages have made."""

    uids: dict[int, int]
    gids: dict[int, int]

    @classmethod
    def of(cls, accounts: Accounts) -> "Renumbering":
        """From the numbers that the accounts have to those that they should have."""
        uids = {user.name: user.uid for user in accounts.users if _assigned(user.uid)}
        gids = {group.name: group.gid for group in accounts.groups if _assigned(group.gid)}
        numbers = choose(uids.keys() | gids.keys())
        return cls(
            {old: numbers[name] for name, old in uids.items()},
            {old: numbers[name] for name, old in gids.items()},
        )

    def accounts(self, found: Accounts) -> Accounts:
        """The same users and groups with their new numbers."""
        return Accounts(
            tuple(self._user(user) for user in found.users),
            tuple(self._group(group) for group in found.groups),
        )

    def ownership(self, found: Ownership) -> Ownership:
        """The same owner, by his new number."""
        user, group = found.user, found.group
        return replace(found, user=self.uids.get(user, user), group=self.gids.get(group, group))

    def _user(self, user: Account) -> Account:
        uid, gid = self.uids.get(user.uid, user.uid), self.gids.get(user.gid, user.gid)
        return replace(user, uid=uid, gid=gid)

    def _group(self, group: Group) -> Group:
        return replace(group, gid=self.gids.get(group.gid, group.gid))


def choose(names: Iterable[str]) -> dict[str, int]:
    """A number for each name, all different."""
    numbers: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted(names):
        wish = int.from_bytes(sha256(name.encode()).digest()[:8]) % _COUNT
        number = next(
            number
            for step in range(_COUNT)
            if (number := FIRST + (wish + step) % _COUNT) not in taken
        )
        taken.add(number)
        numbers[name] = number
    return numbers


def _assigned(number: int) -> bool:
    return FIRST <= number <= LAST
