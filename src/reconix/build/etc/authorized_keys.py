"""Who may log in: what the configuration says, and nothing that persists on a device.

A home folder may persist, and with it ``.ssh/authorized_keys``. If that file were copied there, a
key that was revoked would go on to work and a new one would not. So the keys stay where the
generation has them, and each home has a link to them, which is made anew at every start; where the
configuration gives somebody no key, a file that is there goes. OpenSSH is told to look nowhere
else. dropbear knows one folder for everybody, or the home.

    /etc/reconix/authorized_keys/<user>      the generation's, and those of the device's identity
    <home>/.ssh/authorized_keys            → there

``.ssh`` itself is made a folder if it is a link: else its owner could lead the way elsewhere.

Source: tmpfiles.d(5): the first line for a path counts, so the name of the file is an early one;
sshd_config(5): the first value counts.
Tested by ``tests/unit/build/etc/test_authorized_keys.py``, with systemd-tmpfiles.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from reconix.build.users.accounts import Account, Accounts
from reconix.config.schema.system import User
from reconix.store.tree import File

KEYS = "reconix/authorized_keys"
LINES = "tmpfiles.d/00-reconix-users.conf"
_SSHD = "ssh/sshd_config.d/00-reconix.conf"
_NO_HOMES = ("/nonexistent", "/usr", "/bin", "/sbin", "/dev", "/proc", "/sys")
"""Where nobody can put a file; Debian's system users have such homes."""


def files(users: Mapping[str, User], accounts: Accounts, root: Path) -> dict[str, File]:
    """The keys of each user and what leads there, by path below ``/etc``.

    Args:
        users: those of the configuration.
        accounts: everybody on the system.
        root: the Debian root.
    """
    keys = {name: user.keys() for name, user in sorted(users.items())}
    made = {f"{KEYS}/{name}": File(_lines(each)) for name, each in keys.items() if each}
    lines: list[str] = []
    for account in accounts.users:
        if _is_a_home(account.home):
            lines += _own_folders(account) if _logs_in(users.get(account.name)) else ()
            lines += _way_to_keys(account, has_keys=bool(keys.get(account.name)))
    made[LINES] = File(_lines(dict.fromkeys(lines)))
    if (root / "usr/sbin/sshd").exists():
        made[_SSHD] = File(f"AuthorizedKeysFile /etc/{KEYS}/%u\n".encode())
    return made


def _logs_in(user: User | None) -> bool:
    return user is not None and not user.system


def _own_folders(account: Account) -> Iterator[str]:
    owner = f"{account.name} {account.gid}"
    if account.home in ("/root", f"/home/{account.name}"):
        yield f"d {account.home} 0700 {owner} -"
    yield f"d= {account.home}/.ssh 0700 {owner} -"


def _way_to_keys(account: Account, *, has_keys: bool) -> Iterator[str]:
    place = f"{account.home}/.ssh/authorized_keys"
    if has_keys:
        yield f"L+ {place} - - - - /etc/{KEYS}/{account.name}"
    else:
        yield f"r {place}"
    yield f"r {place}2"


def _is_a_home(path: str) -> bool:
    home = PurePosixPath(path)
    return home != PurePosixPath("/") and not any(map(home.is_relative_to, _NO_HOMES))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
