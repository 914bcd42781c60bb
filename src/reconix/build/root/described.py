"""What packages say about their files, for what is laid over them.

On a device generated files, files of the configuration and trees are laid over the root, and of two
folders of one name the upper one counts. So whoever makes a layer asks here whose a folder is.

Tested by ``tests/unit/build/etc/test_file_metadata.py``.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.build.root.metadata import EPOCH
from reconix.build.users import acls
from reconix.store.images.nodes import Metadata

_USUAL = (Metadata(0o644), Metadata(0o755), Metadata(0o444), Metadata(0o555))


@dataclass(frozen=True, slots=True)
class Packages:
    """What packages have in a root; paths are relative to it."""

    root: Path
    """The Debian root, as it lies in the store of the build machine."""
    entries: Mapping[bytes, Metadata]
    """What is said about its files, with the numbers of the host."""

    def folder(self, path: str) -> Metadata | None:
        """What is said about a folder."""
        return self._find(path, stat.S_IFDIR)

    def file(self, path: str) -> Metadata | None:
        """Whose a file is, if it is not as nearly all are: no right of a program."""
        found = self._find(path, stat.S_IFREG)
        plain = found._replace(mode=found.mode & 0o777) if found else None
        return None if plain in _USUAL else plain

    def _find(self, path: str, kind: int) -> Metadata | None:
        found, place = self.entries.get(path.encode()), self.root / path
        if found is None or not os.path.lexists(place):
            return None
        if stat.S_IFMT(place.lstat().st_mode) != kind:
            return None
        lists = tuple(pair for pair in found.attributes if pair[0] in acls.NAMES)
        return found._replace(mtime=EPOCH, attributes=lists)
