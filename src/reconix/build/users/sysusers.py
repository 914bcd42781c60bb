"""Users and groups that files in ``sysusers.d`` declare.

Debian makes them when a package is installed, or at the first start. A root has those of its
packages; here come those of files in the configuration, which no program on a device would make:
``passwd`` is part of the generation. A file of the configuration replaces one of the same name.

A name gets its ID as all others do (``build/users/static_ids.py``): one that a file gives
counts only outside of 100 to 59999, as files of different origin would want the same.

Source: sysusers.d(5).
Tested by ``tests/compat/test_sysusers.py``, against ``systemd-sysusers``.
"""

import itertools
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.users.accounts import Account, Accounts, Group

FOLDER = "sysusers.d"
_FIRST, _LAST = 100, 999
NOLOGIN = "/usr/sbin/nologin"
"""The shell of who cannot log in."""


class BadDeclaration(ReconixError):
    """A line of a file in ``sysusers.d`` cannot be understood."""

    exit_code = 62


@dataclass(frozen=True, slots=True)
class Line:
    """One declaration; a field that is not there is empty."""

    kind: str
    name: str
    number: str = ""
    comment: str = ""
    home: str = ""
    shell: str = ""


def parse(text: str, *, source: str) -> Iterator[Line]:
    """Read the lines of a file.

    Raises:
        BadDeclaration: one has another form.
    """
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        try:
            words = ["" if word == "-" else word for word in shlex.split(line)]
            kind, name, *rest = words
            found = Line(kind.rstrip("!"), name, *rest)
        except (ValueError, TypeError):
            raise BadDeclaration(f"{source}: {line!r} is not a declaration") from None
        if found.kind not in {"u", "g", "m", "r"} or "%" in name:
            raise BadDeclaration(f"{source}: {line!r} declares nothing that is known")
        yield found


def declared(root: Path, given: Mapping[str, bytes]) -> list[Line]:
    """What all files of a system declare.

    Args:
        root: the Debian root.
        given: the files below ``/etc`` that the configuration gives.
    """
    texts = {
        path.name: path.read_bytes()
        for place in ("usr/lib", "etc")
        for path in sorted((root / place / FOLDER).glob("*.conf"))
    }
    for path, content in given.items():
        if path.startswith(f"{FOLDER}/") and path.endswith(".conf"):
            texts[path.removeprefix(f"{FOLDER}/")] = content
    named = sorted(texts.items())
    files = (parse(text.decode(errors="replace"), source=name) for name, text in named)
    return list(itertools.chain.from_iterable(files))


def with_declared(accounts: Accounts, lines: Iterable[Line]) -> Accounts:
    """Accounts and those that are declared; one that exists already stays as it is.

    Groups come first and memberships last, wherever they stand.
    """
    order = {"g": 0, "u": 1, "m": 2, "r": 3}
    for line in sorted(lines, key=lambda line: order[line.kind]):
        if line.kind == "g":
            accounts = _with_group(accounts, line.name, line.number)
        elif line.kind == "u":
            accounts = _with_user(accounts, line)
        elif line.kind == "m":
            accounts = _with_user(accounts, Line("u", line.name))
            accounts = _with_group(accounts, line.number, "").with_member(line.number, line.name)
    return accounts


def _with_user(accounts: Accounts, line: Line) -> Accounts:
    if line.name in {user.name for user in accounts.users}:
        return accounts
    number, _, group = line.number.partition(":")
    users = {user.uid for user in accounts.users}
    if group:
        gid = int(group) if group.isdecimal() else accounts.gid(group)
        uid = _number(accounts, number, users)
    else:
        accounts = _with_group(accounts, line.name, number)
        gid = accounts.gid(line.name)
        others = {each.gid for each in accounts.groups if each.name != line.name}
        uid = _number(accounts, number or str(gid), users | others)
    home, shell = line.home or "/", line.shell or NOLOGIN
    made = Account(line.name, uid, gid, line.comment, home, shell)
    return replace(accounts, users=(*accounts.users, made))


def _with_group(accounts: Accounts, name: str, number: str) -> Accounts:
    if name in {group.name for group in accounts.groups}:
        return accounts
    made = Group(name, _number(accounts, number, _everybody(accounts)))
    return replace(accounts, groups=(*accounts.groups, made))


def _number(accounts: Accounts, wanted: str, taken: set[int]) -> int:
    """The number that is wanted, or the first that is free, from the upper end as systemd does."""
    if wanted.isdecimal() and int(wanted) not in taken:
        return int(wanted)
    everybody = _everybody(accounts)
    return next(number for number in range(_LAST, _FIRST - 1, -1) if number not in everybody)


def _everybody(accounts: Accounts) -> set[int]:
    return {user.uid for user in accounts.users} | {group.gid for group in accounts.groups}
