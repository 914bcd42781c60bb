"""Checking that an object still is what its registration says.

The digest of an object covers every byte of it, so it finds any flipped bit; but it does not tell
where. The folder ``.links`` does: each shared file is named there by the digest that it had when it
was stored. So when an object is found changed, its files are compared with their names.

Tested by ``tests/unit/store/test_registry.py``.
"""

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.store.closure import StoreObject
from reconix.store.links import LinkPool, leaves, link_key
from reconix.store.nar import NarInfo, digest
from reconix.store.paths import StorePath

_SHOWN_FILES = 5


class ContentChanged(ReconixError):
    """The bytes under a store path are not those that were registered."""

    exit_code = 20

    def __init__(
        self,
        path: StorePath,
        *,
        expected: Digest,
        found: Digest,
        files: tuple[str, ...] = (),
    ) -> None:
        where = f"; changed: {', '.join(files[:_SHOWN_FILES])}" if files else ""
        more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
        super().__init__(
            f"{path} was altered: expected {expected}, found {found}{where}{more}",
            hint=f"fetch it again: reconix store repair {path}",
        )
        self.path, self.expected, self.found, self.files = path, expected, found, files


class ObjectMissing(ReconixError):
    """An object is registered, but nothing is there."""

    exit_code = 25

    def __init__(self, path: StorePath) -> None:
        super().__init__(f"{path} is missing", hint=f"fetch it again: reconix store repair {path}")
        self.path = path


def verify_object(store_dir: Path, item: StoreObject) -> None:
    """Read an object and compare it with its registration.

    Raises:
        ContentChanged: it differs; the error names the files if they are known.
        ObjectMissing: nothing is there.
    """
    tree = store_dir / item.path.basename
    if not os.path.lexists(tree):
        raise ObjectMissing(item.path)
    found = digest(tree)
    if found != NarInfo(item.nar, item.nar_size_bytes):
        raise ContentChanged(
            item.path,
            expected=item.nar,
            found=found.digest,
            files=tuple(changed_files(store_dir, tree)),
        )


def verify_all(
    store_dir: Path, items: Iterable[StoreObject]
) -> list[ContentChanged | ObjectMissing]:
    """Check many objects and tell everything that is wrong."""
    wrong: list[ContentChanged | ObjectMissing] = []
    for item in items:
        try:
            verify_object(store_dir, item)
        except (ContentChanged, ObjectMissing) as error:
            wrong.append(error)
    return wrong


def changed_files(store_dir: Path, tree: Path) -> list[str]:
    """The files of an object that are not what their names in ``.links`` say, or have none there.

    Returns:
        Paths relative to the object; ``.`` if the object is a file itself.
    """
    by_inode = LinkPool(store_dir).keys_by_inode()
    known = set(by_inode.values())
    return [
        str(path.relative_to(tree))
        for path in leaves(tree)
        if not _is_unchanged(path, by_inode, known)
    ]


def _is_unchanged(path: Path, by_inode: Mapping[int, str], known: Container[str]) -> bool:
    key = link_key(path)
    stored = by_inode.get(path.lstat().st_ino)
    return key == stored if stored else key in known
