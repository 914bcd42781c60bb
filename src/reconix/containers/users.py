"""The user of an image: which numbers its program runs under.

An image says ``USER``: a name or a number, and after a colon a group. Names are those of its own
``/etc/passwd`` and ``/etc/group``. If no group is said, it is that of the user, with all that have
the user as a member; a number that the image does not know has group 0 and no others, as with all
engines.

These files come from others. A line that is none is passed over, as the programs in the image do
it; a name that is not there is an error before anything is built.

Source: OCI image specification 1.1, *Image Configuration*, ``User``; passwd(5); group(5).
Tested by ``tests/unit/containers/test_users.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import BadFile, read_bounded
from reconix.containers.descriptors import BadImage
from reconix.containers.paths import inside
from reconix.containers.unfit import Unfit
from reconix.store.images.nodes import MAX_ID

_MAX_BYTES = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,10}")
_PASSWD_FIELDS = 7
_GROUP_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Ids:
    """What a process runs under."""

    user: int
    group: int
    groups: tuple[int, ...] = ()
    """Further groups, sorted."""


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    user: int
    group: int


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    group: int
    members: tuple[str, ...]


def find_ids(text: str, root: Path, *, source: str) -> Ids:
    """The numbers of the user of an image; of one that says nothing, those of root.

    Args:
        text: ``USER`` or ``USER:GROUP``; each a name or a number.
        root: the tree of the image.
        source: the image, for messages.

    Raises:
        Unfit: a name is not in the image, or a number is none.
        BadImage: a table is too large.
    """
    name, mark, group = text.partition(":")
    users = list(_users(_read(root, "/etc/passwd", source)))
    groups = list(_groups(_read(root, "/etc/group", source)))
    found = _find_user(name or "0", users, source)
    if mark and group:
        return Ids(found.user, _find_group(group, groups, source))
    member_of = {each.group for each in groups if found.name and found.name in each.members}
    return Ids(found.user, found.group, tuple(sorted(member_of - {found.group})))


def _find_user(text: str, users: list[_User], source: str) -> _User:
    """A user by name, or else by number."""
    for each in users:
        if each.name == text:
            return each
    number = _number(text)
    if number is None:
        known = ", ".join(sorted(each.name for each in users)[:20]) or "none"
        raise Unfit(
            source,
            f"user {text[:80]!r} is not in its /etc/passwd; there are: {known}",
            "user",
            hint="name the user of the container by a number: user = 1000",
        )
    return next((each for each in users if each.user == number), _User("", number, 0))


def _find_group(text: str, groups: list[_Group], source: str) -> int:
    for each in groups:
        if each.name == text:
            return each.group
    number = _number(text)
    if number is None:
        known = ", ".join(sorted(each.name for each in groups)[:20]) or "none"
        raise Unfit(
            source,
            f"group {text[:80]!r} is not in its /etc/group; there are: {known}",
            "user",
            hint='name the group by a number: user = "1000:1000"',
        )
    return number


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= MAX_ID else None


def _read(root: Path, path: str, source: str) -> str:
    place = inside(root, path)
    if place is None or not place.is_file():
        return ""
    try:
        return read_bounded(place, _MAX_BYTES).decode(errors="replace")
    except BadFile as error:
        raise BadImage(f"{source}: {path} is larger than {_MAX_BYTES} bytes") from error


def _users(content: str) -> Iterator[_User]:
    for fields in _lines(content, _PASSWD_FIELDS):
        user, group = _number(fields[2]), _number(fields[3])
        if user is not None and group is not None:
            yield _User(fields[0], user, group)


def _groups(content: str) -> Iterator[_Group]:
    for fields in _lines(content, _GROUP_FIELDS):
        group = _number(fields[2])
        if group is not None:
            yield _Group(fields[0], group, tuple(filter(None, fields[3].split(","))))


def _lines(content: str, count: int) -> Iterator[list[str]]:
    """The lines of a table that have a name and enough fields."""
    for line in content.split("\n"):
        fields = line.strip().split(":")
        if len(fields) == count and fields[0]:
            yield fields
