"""The users of the configuration, among the accounts that packages have created.

A user has a primary group of the same name. If a package has created a group of that name, or
Debian always has one, such as ``operator``, it is that group: a name has one meaning.

A system user is one for services, as packages make them: he cannot log in, and if no home is given
he has the one that Debian gives to such users, where nothing can be.

Tested by ``tests/unit/build/users/test_configured_users.py``.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.build.users import sysusers
from reconix.build.users.accounts import Account, Accounts, Group
from reconix.build.users.static_ids import Population
from reconix.config.schema.system import System, User

_NO_HOME = "/nonexistent"
"""Debian Policy 9.2.3: of users whose home must not exist."""


def package_accounts(root: Path, system: System) -> Accounts:
    """The accounts that packages and declarations have created.

    Args:
        root: the Debian root.
        system: machine and system file, merged.
    """
    given = {
        path: b"" if file.link is not None else file.read()
        for path, file in system.files.items()
        if path.startswith(f"{sysusers.FOLDER}/")
    }
    lines = sysusers.declared(root, given)
    return sysusers.with_declared(Accounts.read(root / "etc"), lines)


def population(root: Path, system: System) -> Population:
    """The names on a system, before it is known which ID each has."""
    wanted = {name: user.uid for name, user in system.users.items()}
    services = frozenset(name for name, user in system.users.items() if user.system)
    return Population(package_accounts(root, system), wanted, services)


def with_users(accounts: Accounts, wanted: Mapping[str, User], ids: Mapping[str, int]) -> Accounts:
    """Accounts and the users of the configuration; one that exists already stays as it is.

    Args:
        accounts: those of packages.
        wanted: users of the configuration.
        ids: the IDs of those that do not exist yet.

    Raises:
        UnknownAccount: there is no such group.
    """
    for name in sorted(wanted):
        if name not in [user.name for user in accounts.users]:
            accounts = _with_user(accounts, name, ids[name], wanted[name])
    for name in sorted(wanted):
        for group in wanted[name].groups:
            accounts = accounts.with_member(group, name)
    return accounts


def _with_user(accounts: Accounts, name: str, number: int, user: User) -> Accounts:
    groups = accounts.groups
    if name not in [group.name for group in groups]:
        groups = (*groups, Group(name, number))
    gid = next(group.gid for group in groups if group.name == name)
    home = user.home or (_NO_HOME if user.system else f"/home/{name}")
    made = Account(name, number, gid, "", home, sysusers.NOLOGIN if user.system else user.shell)
    return Accounts((*accounts.users, made), groups)
