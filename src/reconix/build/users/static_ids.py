"""Static IDs: users and groups keep their numbers, whoever comes or goes.

Files that a device keeps belong to a number. A maintainer script that creates a user takes the next
number that is free, so one package more gives another user another number, and after the update its
files belong to somebody else. Therefore:

* a name has an ID that follows from the name alone: 100 to 999 if a package brings it or it is for
  services, 1000 to 59999 for who can log in. If two names want the same one, the later takes the
  next;
* an ID that was assigned once is recorded in the lock (``config/lock/``), for all systems of a
  host, and no other name ever gets it. So not even that pair moves;
* for names that the lock does not know yet, the generation that was built last counts;
* a configuration that wants another ID than devices have is refused.

IDs that Debian assigns globally, below 100, stay; so does 100, the group ``users``.

Source: Debian Policy 9.2.2, *UID and GID classes*.
Tested by ``tests/unit/build/users/test_static_ids.py``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.users import acls
from reconix.build.users.accounts import Account, Accounts, Group
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import Entries

FIRST_SYSTEM = 100
LAST_SYSTEM = 999
FIRST_REGULAR = 1000
LAST_REGULAR = 59999
_ALWAYS = {"users": 100}
"""In the range of packages, but given by base-passwd."""


class WrongId(ReconixError):
    """An ID that a name cannot have.

    Attributes:
        name: whose ID it would be.
    """

    def __init__(self, name: str, fact: str, *, hint: str) -> None:
        super().__init__(fact, hint=hint)
        self.name = name


class IdChanged(WrongId):
    """A name would get another ID than it has on devices."""

    exit_code = 63

    def __init__(self, name: str, *, before: int, after: int) -> None:
        super().__init__(
            name,
            f"{name} has ID {before} on devices and would get {after}: "
            "files that devices keep would change their owner",
            hint=f"remove uid, or set it to {before}; if no kept file belongs to {name}: "
            f"reconix build --number {name}={after}",
        )


class IdReserved(WrongId):
    """The configuration assigns an ID to a name for which Debian has another."""

    exit_code = 62

    def __init__(self, name: str, number: int) -> None:
        super().__init__(
            name,
            f"{name} has ID {number} on every Debian system",
            hint=f"remove users.{name}.uid",
        )


class IdTaken(WrongId):
    """Two names share an ID."""

    exit_code = 62

    def __init__(self, name: str, other: str, number: int) -> None:
        super().__init__(
            name,
            f"{name} has ID {number}, and so has {other}",
            hint="remove uid, or choose another; an ID that was assigned once is never reused",
        )


@dataclass(frozen=True, slots=True)
class Renumbering:
    """The new IDs of the users and groups of a root."""

    uids: dict[int, int]
    gids: dict[int, int]

    @classmethod
    def of(cls, accounts: Accounts, ids: Mapping[str, int]) -> "Renumbering":
        """From the IDs that the accounts have to those that their names should have."""
        return cls(
            {user.uid: ids[user.name] for user in accounts.users if _is_given(user.uid)},
            {group.gid: ids[group.name] for group in accounts.groups if _is_given(group.gid)},
        )

    def accounts(self, found: Accounts) -> Accounts:
        """The same users and groups with their new IDs."""
        return Accounts(
            tuple(self._user(user) for user in found.users),
            tuple(self._group(group) for group in found.groups),
        )

    def entries(self, found: Entries) -> Entries:
        """The same owners, by the new IDs."""
        return tuple((path, self._metadata(metadata)) for path, metadata in found)

    def _metadata(self, found: Metadata) -> Metadata:
        if not found.user and not found.group and not found.attributes:
            return found  # nearly all
        return found._replace(
            user=self.uids.get(found.user, found.user),
            group=self.gids.get(found.group, found.group),
            attributes=tuple(
                (
                    name,
                    acls.renumbered(value, self.uids, self.gids) if name in acls.NAMES else value,
                )
                for name, value in found.attributes
            ),
        )

    def _user(self, user: Account) -> Account:
        uid, gid = self.uids.get(user.uid, user.uid), self.gids.get(user.gid, user.gid)
        return replace(user, uid=uid, gid=gid)

    def _group(self, group: Group) -> Group:
        return replace(group, gid=self.gids.get(group.gid, group.gid))


def choose(
    names: Iterable[str], first: int, last: int, kept: Mapping[str, int] = _ALWAYS
) -> dict[str, int]:
    """An ID for each name, all different, within the range unless the name has one.

    Args:
        names: who needs an ID.
        first: of the range.
        last: of the range.
        kept: IDs that are assigned already, to these names or to others.
    """
    ids = {**_ALWAYS, **kept}
    taken, count = set(ids.values()), last - first + 1
    for name in sorted(set(names) - ids.keys()):
        wish = int.from_bytes(sha256(name.encode()).digest()[:8]) % count
        number = next(
            number
            for step in range(count)
            if (number := first + (wish + step) % count) not in taken
        )
        taken.add(number)
        ids[name] = number
    return {name: ids[name] for name in names}


@dataclass(frozen=True, slots=True)
class Population:
    """Who there is on one system."""

    packages: Accounts
    """As the root has them."""
    configured: Mapping[str, int | None]
    """Users of the configuration, with the ID that it assigns to them, if any."""
    services: frozenset[str] = frozenset()
    """Those of them who are for services: their IDs are from the range of packages."""

    def names(self) -> set[str]:
        """Every name whose ID is ours to assign."""
        return {*_given(self.packages), *self._others()}

    def for_services(self) -> set[str]:
        """Those of the names for which the range of packages is."""
        return _given(self.packages, LAST_SYSTEM) | (self._others() & self.services)

    def _others(self) -> set[str]:
        """The users of the configuration whom no package has created."""
        return self.configured.keys() - {user.name for user in self.packages.users}

    def wanted(self) -> dict[str, int]:
        """IDs that the configuration assigns.

        Raises:
            IdReserved: one is for a name for which Debian has another.
            IdTaken: one is that of such a name.
        """
        wanted = {name: uid for name, uid in sorted(self.configured.items()) if uid is not None}
        for fixed, number in _fixed(self.packages):
            if wanted.get(fixed, number) != number and fixed not in self.names():
                raise IdReserved(fixed, number)
            for name, uid in wanted.items():
                if uid == number and name != fixed:
                    raise IdTaken(name, fixed, uid)
        return {name: uid for name, uid in wanted.items() if name in self.names()}


def of_packages(accounts: Accounts) -> dict[str, int]:
    """IDs for a root, before it is known to which host it belongs."""
    return assign({}, [Population(accounts, {})])


def assign(known: Mapping[str, int], systems: Iterable[Population]) -> dict[str, int]:
    """The ID of every name on the systems of a host.

    Args:
        known: IDs that devices have, by name; no other name gets one of them.
        systems: all of the host, or some that have only names that are known.

    Raises:
        IdChanged: the configuration wants another ID than devices have.
        IdReserved, IdTaken: it assigns one that is not free.
    """
    systems = list(systems)
    ids = {**_ALWAYS, **known}
    expect_distinct(ids)
    for name, uid in (pair for system in systems for pair in system.wanted().items()):
        before = ids.setdefault(name, uid)
        if before != uid:
            raise IdChanged(name, before=before, after=uid)
        for other, number in ids.items():
            if number == uid and other != name:
                raise IdTaken(name, other, uid)
    for_services = {name for system in systems for name in system.for_services()}
    names = {name for system in systems for name in system.names()}
    ids |= choose(for_services, FIRST_SYSTEM, LAST_SYSTEM, ids)
    ids |= choose(names, FIRST_REGULAR, LAST_REGULAR, ids)
    return {name: ids[name] for name in sorted(names)}


def expect_distinct(ids: Mapping[str, int]) -> None:
    """Refuse IDs that two names share.

    Raises:
        IdTaken: there are such.
    """
    names: dict[int, str] = {}
    for name, number in sorted(ids.items()):
        if number in names:
            raise IdTaken(name, names[number], number)
        names[number] = name


def read_ids(etc: Path) -> dict[str, int]:
    """The IDs in the ``etc`` of a system that are ours to assign.

    Raises:
        IdChanged: a user and a group of one name differ.
    """
    found: dict[str, int] = {}
    for name, number in _numbered(Accounts.read(etc)):
        if _is_given(number) and found.setdefault(name, number) != number:
            raise IdChanged(name, before=found[name], after=number)
    return found


def _numbered(accounts: Accounts) -> Iterator[tuple[str, int]]:
    yield from ((user.name, user.uid) for user in accounts.users)
    yield from ((group.name, group.gid) for group in accounts.groups)


def _given(accounts: Accounts, last: int = LAST_REGULAR) -> set[str]:
    """The names whose IDs a package has taken because they were free."""
    return {name for name, number in _numbered(accounts) if FIRST_SYSTEM <= number <= last}


def _fixed(accounts: Accounts) -> Iterator[tuple[str, int]]:
    """Names and IDs that nobody may change."""
    return ((name, number) for name, number in _numbered(accounts) if not _is_given(number))


def _is_given(number: int) -> bool:
    return FIRST_SYSTEM <= number <= LAST_REGULAR
