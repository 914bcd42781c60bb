"""What packages say about their files besides the content: owner, mode, time, attributes.

The tree of a root cannot hold it, so it is written beside the tree, a line for each file and folder
in the form of a sidecar (``store/sidecar.py``), without the name of the object: that depends on the
list. With the numbers of a host it becomes a sidecar of the root (``build/host.py``).

It comes from the archive that mmdebstrap writes, which has all of that. Equal packages must give
equal lists, on any day and on any machine:

* a file has the time that its package gives it. What was made during the build has the first second
  after 1970, and so have links and folders;
* attributes are kept if packages set them: capabilities, access control lists, and those of users.
  Others are labels that the building machine gives to whatever it writes.

Source: star(5), *POSIX.1-2001 extended headers*; for the spelling of names GNU tar,
``src/xheader.c``.
Tested by ``tests/unit/build/root/test_metadata.py``; with real packages by
``tests/compat/test_build.py``.
"""

import re
import tarfile
from collections.abc import Iterator

from reconix.store.images.nodes import LINK, Attributes, Metadata

FILE = "metadata"
"""The list, beside ``usr`` and ``etc`` in a root."""

EPOCH = 1
"""The time of what has no time of its own, in seconds since 1970."""

OURS = Metadata(0o644)
"""Of a file that we write."""
PROGRAM = Metadata(0o755)
"""Of a program that we write, and of a folder."""

_PREFIX = "SCHILY.xattr."
_KEPT = re.compile(r"user\..+|security\.capability|system\.posix_acl_(access|default)", re.DOTALL)
_OF_THE_MACHINE = re.compile(r"security\.(selinux|SMACK64.*|apparmor|ima|evm)|trusted\..*")


def of_member(member: tarfile.TarInfo, began: float) -> Metadata:
    """What an entry of the archive says.

    Args:
        member: no hard link: that is what it leads to.
        began: when the root began to be made, in seconds since 1970.
    """
    is_of_package = member.isreg() and 0 <= member.mtime < began
    return Metadata(
        LINK.mode if member.issym() else member.mode & 0o7777,
        member.uid,
        member.gid,
        int(member.mtime) if is_of_package else EPOCH,
        _attributes(member),
    )


def lost(member: tarfile.TarInfo) -> Iterator[str]:
    """The attributes of packages that a device does not get."""
    for name, _ in _all_attributes(member):
        if not _KEPT.fullmatch(name) and not _OF_THE_MACHINE.fullmatch(name):
            yield name


def _attributes(member: tarfile.TarInfo) -> Attributes:
    kept = ((name, value) for name, value in _all_attributes(member) if _KEPT.fullmatch(name))
    return tuple(sorted((_bytes(name), _bytes(value)) for name, value in kept))


def _all_attributes(member: tarfile.TarInfo) -> Iterator[tuple[str, str]]:
    """Names and values as ``tarfile`` has them; of a name, ``=`` and ``%`` are escaped."""
    for key, value in sorted(member.pax_headers.items()):
        if key.startswith(_PREFIX):
            name = key.removeprefix(_PREFIX).replace("%3D", "=").replace("%25", "%")
            yield name, value


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
