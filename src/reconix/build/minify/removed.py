"""What rides with a system that has a trap: which files minify took, and what each would take.

Not all that went is of interest on a device. Files that go by a sentence are missed by nobody, but
programs among them are named, for somebody who logs in may want one. Folders are no files.

The form is the agent's (``device/settings/removed.py``).
Tested by ``tests/unit/build/minify/test_removed.py``.
"""

import re
from collections.abc import Container, Iterator
from pathlib import Path

from reconix.build.minify import named
from reconix.build.minify.graph import Because
from reconix.build.minify.origin import Origin
from reconix.build.minify.reasons import Reasons, read_reasons
from reconix.build.software.links import follow, link_target
from reconix.device.settings.removed import Removed, print_removed
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_PROGRAM = re.compile(r"usr/s?bin/[^/]+")


def list_removed(store: ChrootStore, minimal: StorePath, without: Container[str]) -> bytes:
    """The list for the device; nothing for a root that is a full one.

    Args:
        store: has the full root and the reasons.
        minimal: the root that the device gets.
        without: paths, with their slash, of which the project says that nothing needs them.
    """
    origin = Origin.of(store, minimal)
    if origin is None:
        return b""
    reasons = read_reasons(store.path(origin.reasons))
    return print_removed(dict(removed(store.path(origin.root), reasons, without)))


def removed(root: Path, reasons: Reasons, without: Container[str]) -> Iterator[tuple[str, Removed]]:
    """The files that went, with their slash.

    Args:
        root: the full root.
        reasons: for each path of it.
        without: as above.
    """
    for path, because in reasons.goes.items():
        is_expected = named.is_expected(path, because, without)
        is_told = not is_expected or _PROGRAM.fullmatch(path)
        size = _size(root, path) if is_told and path not in reasons.stays else None
        if size is not None:
            yield f"/{path}", Removed(size, _sentence(because) if is_expected else "")


def _sentence(because: Because) -> str:
    return because.how if because.how.isprintable() else because.by or "is expected"


def _size(root: Path, path: str) -> int | None:
    """The bytes of a file, or of what a link leads to; ``None`` for a folder."""
    end = follow(lambda each: link_target(root / each), path)
    place = root / (path if end is None else end)
    if place.is_dir():
        return None
    return place.lstat().st_size if place.exists() else 0
