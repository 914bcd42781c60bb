"""Access control lists of POSIX, as far as numbers of users and groups stand in them.

A list is an extended attribute: a version, then eight bytes for each entry. Entries for one user or
one group have the number in them, so they change with it (``static_ids.py``).

::

    0    version 2, four bytes
    4    tag, two bytes: 2 a user, 8 a group, others without a number
    6    permissions, two bytes
    8    number, four bytes
    ...  the next entry

All numbers are little-endian.

Source: Linux, include/uapi/linux/posix_acl_xattr.h; acl(5).
Tested by ``tests/unit/build/users/test_acls.py``.
"""

import struct
from collections.abc import Mapping

NAMES = (b"system.posix_acl_access", b"system.posix_acl_default")
"""The attributes that are such lists."""

_HEAD = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION = 2
_USER, _GROUP = 0x02, 0x08


def renumbered(value: bytes, uids: Mapping[int, int], gids: Mapping[int, int]) -> bytes:
    """The same list with the new numbers of users and groups.

    One that is written in another way stays as it is; the kernel refuses it.
    """
    body = value[_HEAD.size :]
    if value[: _HEAD.size] != _HEAD.pack(_VERSION) or len(body) % _ENTRY.size:
        return value
    new = {_USER: uids, _GROUP: gids}
    entries = [
        (tag, permissions, new.get(tag, {}).get(number, number))
        for tag, permissions, number in _ENTRY.iter_unpack(body)
    ]
    return value[: _HEAD.size] + b"".join(
        _ENTRY.pack(*each) for each in sorted(entries, key=_order)
    )


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    """Entries of a list are sorted by tag and number."""
    return entry[0], entry[2]
