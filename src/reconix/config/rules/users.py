"""A user has one UID on all systems, which no other user has, and a way to log in.

The systems of a host share a disk, and files belong to numbers.

Tested by ``tests/unit/config/rules/test_assertions.py``
and ``tests/unit/config/rules/test_users.py``.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System

_FIRST_UID, _LAST_UID = 100, 59999
"""Neither assigned statically by Debian nor reserved by systemd (Debian Policy 9.2.2)."""
_SSH = {"dropbear.service", "ssh.service"}


def check_users(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the users of a system."""
    users = [
        (name, user.uid) for name, user in sorted(system.users.items()) if user.uid is not None
    ]
    yield from _numbers_can_be_given(users, table, file)
    for (one, first), (other, second) in itertools.combinations(users, 2):
        if first == second:
            place = place_of(table, "users", other, "uid", default=file)
            yield Problem(
                place, f"users.{other}.uid", f"is also the UID of {one}", "choose another one"
            )


def _numbers_can_be_given(
    users: Iterable[tuple[str, int]], table: Table, file: Place
) -> Iterator[Problem]:
    for name, uid in users:
        place = place_of(table, "users", name, "uid", default=file)
        if (uid == 0) != (name == "root"):
            fact = "only root has UID 0"
            yield Problem(place, f"users.{name}.uid", fact, "remove uid")
        elif uid and not _FIRST_UID <= uid <= _LAST_UID:
            fact = f"{uid} is reserved for Debian or systemd"
            hint = f"choose one from {_FIRST_UID} to {_LAST_UID}, preferably 1000 or above"
            yield Problem(place, f"users.{name}.uid", fact, hint)


def check_users_of_all(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    """What must hold between the users of all systems of a host."""
    given = [
        (system, user, wanted.uid)
        for system, each in host.systems.items()
        for user, wanted in each.users.items()
        if wanted.uid is not None
    ]
    for (one, first, number), (other, second, uid) in itertools.combinations(given, 2):
        if one != other and (first == second) != (number == uid):
            place = place_of(tables[other], "users", second, "uid", default=file)
            fact = f"is {uid} in {other}, but in {one} {first} has UID {number}"
            hint = "systems share a disk: a UID belongs to one user in all of them"
            yield Problem(place, f"users.{second}.uid", fact, hint)


def warn_about_users(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Users that cannot log in."""
    for name, user in system.users.items():
        has_key = user.authorized_keys or user.authorized_keys_files
        if _SSH & set(system.services.enable) and not has_key:
            place = place_of(table, "users", name, default=file)
            hint = "add authorized_keys or authorized_keys_files"
            yield Problem(place, dotted("users", name), "has no key and cannot log in", hint)
