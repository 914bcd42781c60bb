"""Owners and modes that a store cannot hold: a list beside the tree of a root.

A Nix archive has no owners and one bit of mode, so everything else about owners and modes is
written beside the tree, as a list of exceptions. Below ``/usr`` there are none: a setuid program
comes out without its bit, and the build reports it (``build/root/losses.py``).

Tested by ``tests/unit/build/users/test_ownerships.py``.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

METADATA = "metadata"
"""The list, beside ``usr`` and ``etc`` in a root and in a toplevel."""

LAID_OVER = ("etc", "var", "home", "opt", "root", "srv")
"""Folders of a root that a device can write to: the script of the initrd gives them owners."""


@dataclass(frozen=True, slots=True, order=True)
class Ownership:
    """Owner and mode of one entry outside ``/usr`` that are not the usual ones."""

    path: str
    mode: int
    user: int
    group: int

    def __str__(self) -> str:
        return f"{self.mode:04o} {self.user} {self.group} /{self.path}"


def ownership(path: str, *, mode: int, user: int, group: int) -> Ownership | None:
    """The sidecar entry for a file or folder, if it needs one.

    Args:
        path: relative to the root.
        mode: as in ``st_mode``, with the kind of file.
        user: numeric owner.
        group: numeric group.
    """
    if PurePosixPath(path).parts[0] not in LAID_OVER:
        return None
    usual = {0o755} if stat.S_ISDIR(mode) else {0o644, 0o755, 0o444, 0o555}
    bits = stat.S_IMODE(mode)
    if bits in usual and user == group == 0:
        return None
    return Ownership(path, bits, user, group)


def print_ownerships(entries: Iterable[Ownership]) -> bytes:
    """The sidecar list as text: ``<mode, octal> <user> <group> <path>`` a line, sorted by path.

    Paths with white space cannot stand in it and no Debian package has one there.
    """
    return "".join(f"{entry}\n" for entry in sorted(entries)).encode()


def parse_ownerships(content: bytes) -> list[Ownership]:
    """The entries of a sidecar list."""
    lines = (line.split(" ", 3) for line in content.decode().splitlines())
    return [Ownership(path[1:], int(mode, 8), int(u), int(g)) for mode, u, g, path in lines]
