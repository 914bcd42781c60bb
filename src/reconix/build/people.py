"""The people of the configuration, among the accounts that packages have made.

Proven by ``tests/unit/build/test_people.py``.
"""

from collections.abc import Mapping

from reconix.build.accounts import Account, Accounts, Group
from reconix.config.schema.system import User

FIRST_UID = 1000


def with_people(accounts: Accounts, wanted: Mapping[str, User]) -> Accounts:
    """Accounts and the people of the configuration; who is there already keeps his number.

    Raises:
        UnknownAccount: a group that there is not.
    """
    for name in sorted(wanted):
        accounts = _with_person(accounts, name, wanted[name])
    return accounts


def _with_person(accounts: Accounts, name: str, wanted: User) -> Accounts:
    if name not in [user.name for user in accounts.users]:
        uid = _free_uid(accounts) if wanted.uid is None else wanted.uid
        made = Account(name, uid, uid, "", f"/home/{name}", wanted.shell)
        accounts = Accounts((*accounts.users, made), (*accounts.groups, Group(name, uid)))
    for group in wanted.groups:
        accounts = accounts.with_member(group, name)
    return accounts


def _free_uid(accounts: Accounts) -> int:
    taken = {user.uid for user in accounts.users} | {group.gid for group in accounts.groups}
    return next(number for number in range(FIRST_UID, 60000) if number not in taken)
