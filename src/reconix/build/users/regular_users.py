"""The regular users of the configuration, among the accounts that packages have created.

A regular user has a primary group of the same name. If a package has created a group of that name,
or Debian always has one, such as ``operator``, it is that group: a name has one meaning.

Tested by ``tests/unit/build/users/test_regular_users.py``.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.build.users import sysusers
from reconix.build.users.accounts import Account, Accounts, Group
from reconix.build.users.static_ids import Population
from reconix.config.schema.system import System, User


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
    return Population(package_accounts(root, system), wanted)


def with_regular_users(
    accounts: Accounts, wanted: Mapping[str, User], ids: Mapping[str, int]
) -> Accounts:
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
            accounts = _with_regular_user(accounts, name, ids[name], wanted[name].shell)
    for name in sorted(wanted):
        for group in wanted[name].groups:
            accounts = accounts.with_member(group, name)
    return accounts


def _with_regular_user(accounts: Accounts, name: str, number: int, shell: str) -> Accounts:
    groups = accounts.groups
    if name not in [group.name for group in groups]:
        groups = (*groups, Group(name, number))
    gid = next(group.gid for group in groups if group.name == name)
    made = Account(name, number, gid, "", f"/home/{name}", shell)
    return Accounts((*accounts.users, made), groups)
