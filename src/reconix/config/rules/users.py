"""A user has one UID on all systems, which no other user has, and a way to log in, or none.

The systems of a host share a disk, and files belong to numbers. A user for services has a number of
those that packages give to theirs, and nothing with which one logs in.

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
_FIRST_PERSON = 1000
_SSH = {"dropbear.service", "ssh.service"}


def check_users(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the users of a system."""
    users = [
        (name, user.uid) for name, user in sorted(system.users.items()) if user.uid is not None
    ]
    yield from _numbers_can_be_given(users, table, file)
    yield from _services_do_not_log_in(system, table, file)
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


def _services_do_not_log_in(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for name, user in sorted(system.users.items()):
        if not user.system:
            continue
        users = table.entries.get("users")
        written = users.entries.get(name) if isinstance(users, Table) else None
        for option in ("shell", "authorized_keys", "authorized_keys_files"):
            if isinstance(written, Table) and option in written.entries:
                place = place_of(table, "users", name, option, default=file)
                fact = f"{name} is a system user and cannot log in"
                yield Problem(place, dotted(dotted("users", name), option), fact, "remove it")
        if name == "root" or (user.uid is not None and user.uid >= _FIRST_PERSON):
            place = place_of(table, "users", name, "system", default=file)
            fact = f"system users have numbers from {_FIRST_UID} to {_FIRST_PERSON - 1}"
            hint = "remove system, or uid"
            yield Problem(place, dotted(dotted("users", name), "system"), fact, hint)


def check_users_of_all(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    """What must hold between the users of all systems of a host."""
    yield from _each_is_of_one_kind(host, tables, file)
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


def _each_is_of_one_kind(host: Host, tables: Mapping[str, Table], file: Place) -> Iterator[Problem]:
    first: dict[str, tuple[str, bool]] = {}
    for name, system in host.systems.items():
        for user, wanted in sorted(system.users.items()):
            other, is_system = first.setdefault(user, (name, wanted.system))
            if is_system != wanted.system:
                kinds = ("a user who logs in", "a system user")
                place = place_of(tables[name], "users", user, "system", default=file)
                fact = f"is {kinds[wanted.system]} in {name}, but {kinds[is_system]} in {other}"
                hint = "systems share a disk: a name has one number in all of them"
                yield Problem(place, dotted("users", user), fact, hint)


def warn_about_users(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """Users that cannot log in."""
    for name, user in system.users.items():
        has_key = user.authorized_keys or user.authorized_keys_files
        if _SSH & set(system.services.enable) and not has_key and not user.system:
            place = place_of(table, "users", name, default=file)
            hint = "add authorized_keys or authorized_keys_files"
            yield Problem(place, dotted("users", name), "has no key and cannot log in", hint)
