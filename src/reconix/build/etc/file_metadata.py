"""Owners and modes of generated files, and of files of the configuration.

On a device they are laid over what packages have there, and of two folders of one name the upper
one counts. So a folder of ours is what packages make it: ``/etc/ssl/private`` stays closed if a key
is added. A file in the place of one that not everybody may read, or that is not root's, is taken
for that one: ``/etc/shadow``. What the configuration says about a file counts more than both.

Tested by ``tests/unit/build/etc/test_file_metadata.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconix.build.root.described import Packages
from reconix.build.root.metadata import OURS, PROGRAM
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import ITSELF, Entries
from reconix.store.tree import File, Folder


@dataclass(frozen=True, slots=True)
class Below:
    """What is said of a folder of the root, and of all that is laid over it."""

    packages: Packages
    folder: str
    """In the root; nothing if it is the root itself."""
    configured: Mapping[str, Metadata]
    """What the configuration says about some files, by their paths in the folder."""

    def describe(self, tree: Folder) -> Entries:
        """What is to be said about the files of a tree that is laid over the folder."""
        below = {path.encode(): found for path, found in self._describe(tree, "")}
        return tuple(sorted({ITSELF: self._of_folder(""), **below}.items()))

    def _describe(self, folder: Folder, under: str) -> Iterator[tuple[str, Metadata]]:
        for name, node in folder.entries:
            path = f"{under}{name}"
            if isinstance(node, Folder):
                yield path, self._of_folder(path)
                yield from self._describe(node, f"{path}/")
            elif isinstance(node, File):
                yield path, self._of_file(path, node)

    def _of_folder(self, path: str) -> Metadata:
        return self.packages.folder(self._inside(path)) or PROGRAM

    def _of_file(self, path: str, file: File) -> Metadata:
        said = self.configured.get(path) or self.packages.file(self._inside(path))
        return said or (PROGRAM if file.executable else OURS)

    def _inside(self, path: str) -> str:
        return "/".join(filter(None, (self.folder, path)))
