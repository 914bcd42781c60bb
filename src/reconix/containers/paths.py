"""Paths in the tree of an image, as a program in the container sees them.

A link in an image is meant for whoever has the image as ``/``. Here it is followed so, name by
name: an absolute one begins at the tree again, and ``..`` in the tree itself is the tree. So
nothing outside is looked at, whatever the links say. The tree is an object of the store, which does
not change.

Tested by ``tests/unit/containers/test_paths.py``.
"""

import stat
from pathlib import Path

_MAX_LINKS = 40  # as the kernel
_HERE = ("", ".")


def inside(root: Path, path: str) -> Path | None:
    """Where a path of a container leads, on this machine.

    Args:
        root: the tree of the image.
        path: absolute, or seen from the root.

    Returns:
        A file, folder or anything else that is no link; nothing if there is nothing.
    """
    waiting, links = path.split("/")[::-1], 0
    found: list[str] = []
    while waiting:
        name = waiting.pop()
        if name in _HERE:
            continue
        if name == "..":
            del found[-1:]
            continue
        place = root.joinpath(*found, name)
        kind = _kind(place)
        if kind == stat.S_IFLNK:
            links += 1
            target = str(place.readlink())
            if target.startswith("/"):
                found.clear()
            waiting += target.split("/")[::-1]
        elif kind == stat.S_IFDIR or (kind and not waiting):
            found.append(name)
        else:
            return None
        if links > _MAX_LINKS:
            return None
    return root.joinpath(*found)


def _kind(place: Path) -> int:
    """What is there, as ``stat`` calls it; nothing if there is nothing, or nothing can be."""
    try:
        return stat.S_IFMT(place.lstat().st_mode)
    except (OSError, ValueError):
        return 0
