"""Owners and modes of the generated files in ``/etc``.

On a device they are laid over what packages have there, and of two folders of one name the upper
one counts. So a folder of ours is what packages make it: ``/etc/ssl/private`` stays closed if a key
is added. A file in the place of one that not everybody may read, or that is not root's, is taken
for that one: ``/etc/shadow``. What the configuration says about a file counts more than both.

Tested by ``tests/unit/build/etc/test_file_metadata.py``.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.build.root.metadata import EPOCH, OURS, PROGRAM
from reconix.build.users import acls
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import ITSELF, Entries
from reconix.store.tree import File, Folder

_USUAL = (Metadata(0o644), Metadata(0o755), Metadata(0o444), Metadata(0o555))


@dataclass(frozen=True, slots=True)
class Packages:
    """What packages have in ``/etc``."""

    root: Path
    """The Debian root, as it lies in the store of the build machine."""
    entries: Mapping[bytes, Metadata]
    """What is said about its files, with the numbers of the host."""

    def folder(self, path: str) -> Metadata | None:
        """What is said about a folder below ``/etc``."""
        return self._find(path, stat.S_IFDIR)

    def file(self, path: str) -> Metadata | None:
        """Whose a file below ``/etc`` is, if it is not as nearly all are: no right of a program."""
        found = self._find(path, stat.S_IFREG)
        plain = found._replace(mode=found.mode & 0o777) if found else None
        return None if plain in _USUAL else plain

    def _find(self, path: str, kind: int) -> Metadata | None:
        inside = f"etc/{path}" if path else "etc"
        found, place = self.entries.get(inside.encode()), self.root / inside
        if found is None or not os.path.lexists(place):
            return None
        if stat.S_IFMT(place.lstat().st_mode) != kind:
            return None
        lists = tuple(pair for pair in found.attributes if pair[0] in acls.NAMES)
        return found._replace(mtime=EPOCH, attributes=lists)


def describe(tree: Folder, configured: Mapping[str, Metadata], packages: Packages) -> Entries:
    """What is to be said about the generated files.

    Args:
        tree: all of them.
        configured: what the configuration says about some, by path.
        packages: over whose files they are laid.
    """
    folder = packages.folder("") or PROGRAM
    below = {path.encode(): found for path, found in _describe(tree, "", configured, packages)}
    return tuple(sorted({ITSELF: folder, **below}.items()))


def _describe(
    folder: Folder, under: str, configured: Mapping[str, Metadata], packages: Packages
) -> Iterator[tuple[str, Metadata]]:
    for name, node in folder.entries:
        path = f"{under}{name}"
        if isinstance(node, Folder):
            yield path, packages.folder(path) or PROGRAM
            yield from _describe(node, f"{path}/", configured, packages)
        elif isinstance(node, File):
            yield path, configured.get(path) or packages.file(path) or OURS
