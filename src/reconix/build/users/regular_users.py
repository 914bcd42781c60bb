"""The people of the configuration, among the accounts that packages have made.

A person has a group of his own, of his name. If a package has made a group of that name, or Debian
always has one, as it has ``operator``, then it is that group: a name has one meaning.

Tested by ``tests/unit/build/users/test_regular_users.py``.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.build.users import sysusers
from reconix.build.users.accounts import Account, Accounts, Group
from reconix.build.users.static_ids import Population
from reconix.config.schema.system import System, User


def made_by_packages(root: Path, system: System) -> Accounts:
    """Whom packages and declarations have made.

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
    """Everybody on a system, before it is known who has which number."""
    wanted = {name: user.uid for name, user in system.users.items()}
    return Population(made_by_packages(root, system), wanted)


def with_people(
    accounts: Accounts, wanted: Mapping[str, User], numbers: Mapping[str, int]
) -> Accounts:
    """Accounts and the people of the configuration; who is there already stays who he is.

    Args:
        accounts: those of packages.
        wanted: users of the configuration.
        numbers: of those who are not there yet.

    Raises:
        UnknownAccount: there is no such group.
    """
    for name in sorted(wanted):
        if name not in [user.name for user in accounts.users]:
            accounts = _with_person(accounts, name, numbers[name], wanted[name].shell)
    for name in sorted(wanted):
        for group in wanted[name].groups:
            accounts = accounts.with_member(group, name)
    return accounts


def _with_person(accounts: Accounts, name: str, number: int, shell: str) -> Accounts:
    groups = accounts.groups
    if name not in [group.name for group in groups]:
        groups = (*groups, Group(name, number))
    gid = next(group.gid for group in groups if group.name == name)
    made = Account(name, number, gid, "", f"/home/{name}", shell)
    return Accounts((*accounts.users, made), groups)
