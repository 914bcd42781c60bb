"""Subordinate IDs: the numbers that a user may give to those inside of his containers.

Without them a container that somebody other than root starts has one user only. ``adduser`` would
assign 65536 to each person; here they follow from the person's UID, so that no two people share one
and that what a container has left on a disk belongs to the same numbers after an update.

Only a system that can use them has them: the programs that hand them out are in the package
``uidmap``. What packages have assigned stays, and so does a file of the configuration.

Source: subuid(5), newuidmap(1).
Tested by ``tests/unit/build/users/test_subordinate_ids.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.base.files import read_text
from reconix.build.users.accounts import Accounts
from reconix.build.users.static_ids import FIRST_REGULAR, LAST_REGULAR
from reconix.config.schema.system import User
from reconix.store.tree import File

_PROGRAM = "usr/bin/newuidmap"
_FILES = ("subuid", "subgid")
_FIRST = 100_000
_EACH = 65_536
_MAX_BYTES = 1 << 20


def files(users: Mapping[str, User], accounts: Accounts, root: Path) -> dict[str, File]:
    """The files that assign them, by path below ``/etc``.

    Args:
        users: those of the configuration.
        accounts: everybody on the system.
        root: the Debian root.
    """
    if not (root / _PROGRAM).exists():
        return {}
    assigned = "".join(_lines(users, accounts))
    return {name: File((_of_packages(root / "etc" / name) + assigned).encode()) for name in _FILES}


def _lines(users: Mapping[str, User], accounts: Accounts) -> Iterator[str]:
    for name in sorted(users):
        uid = accounts.uid(name)
        if FIRST_REGULAR <= uid <= LAST_REGULAR:
            yield f"{name}:{_FIRST + (uid - FIRST_REGULAR) * _EACH}:{_EACH}\n"


def _of_packages(file: Path) -> str:
    return read_text(file, _MAX_BYTES) if file.is_file() else ""
