"""Roots: what must not be collected, and for how long.

=====================================  =========================================================
``gcroots/reconix/<name>``             pinned by us, until it is unpinned
``gcroots/auto``                       what a link elsewhere points to (``link``), while it is there
other links in ``gcroots``             as Nix defines them: into the store, or to a link into it
``profiles``                           the generations of Nix profiles
``temproots/<pid>``                    what a living process builds or uses (``nix/locks.py``)
processes                              whatever has a file of the store open, mapped or as argument,
                                       so a running virtual machine keeps what it runs
=====================================  =========================================================

Source: ``libstore/gc.cc`` of Nix 2.8.
Tested by ``tests/unit/nix/test_collect.py`` and ``tests/compat/test_nix_store.py``.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from reconix.base.errors import UsageError
from reconix.base.files import rename_durably, sync_folder
from reconix.store.paths import STORE_DIR, BadStorePath, StorePath

_OURS = "gcroots/reconix"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_INSIDE = re.compile(rb"/([0-9a-df-np-sv-z]{32}-[0-9A-Za-z+\-._?=]{1,211})")
_MOST_BYTES = 64 << 20


def pin(state: Path, name: str, path: StorePath) -> None:
    """Make a path a root under a name; an older pin of that name is replaced.

    Args:
        state: the folder ``<root>/nix/var/nix``.
        name: letters, digits, ``.``, ``_``, ``-``.
        path: what to keep.

    Raises:
        UsageError: the name cannot be one.
    """
    link = _link(state, name)
    link.parent.mkdir(parents=True, exist_ok=True)
    _replace(link, str(path))


def unpin(state: Path, name: str) -> None:
    """Remove a pin; a missing one is fine."""
    link = _link(state, name)
    if link.is_symlink():
        link.unlink()
        sync_folder(link.parent)


def link(state: Path, place: Path, path: StorePath) -> None:
    """Keep an object as long as a link to it lies at a place outside of the store.

    This is what ``nix-build`` does with ``result``: removing the link releases the object.

    Args:
        state: the folder ``<root>/nix/var/nix``.
        place: where the link goes; an older one is replaced.
        path: what to keep.
    """
    place = place.absolute()
    known = state / "gcroots/auto" / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
    known.parent.mkdir(parents=True, exist_ok=True)
    _replace(known, str(place))
    _replace(place, str(path))


def _replace(link: Path, target: str) -> None:
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    rename_durably(temporary, link)


def pinned(state: Path) -> list[tuple[str, StorePath]]:
    """Our pins and what they keep, sorted by name."""
    folder = state / _OURS
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        (link.name, StorePath.parse(str(link.readlink())))
        for link in links
        if not link.name.startswith(".")
    ]


def _link(state: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a pin",
            hint="use letters, digits, dot, underscore and hyphen",
        )
    return state / _OURS / name


def lasting_roots(state: Path, store_dir: Path) -> set[StorePath]:
    """What the links in ``gcroots`` and ``profiles`` keep."""
    found: set[StorePath] = set()
    for folder in ("gcroots", "profiles"):
        for parent, folders, names in os.walk(state / folder):
            for name in [*folders, *names]:
                found.update(_kept_by(Path(parent, name), store_dir))
    return found


def _kept_by(entry: Path, store_dir: Path) -> Iterator[StorePath]:
    """What one entry keeps: a link into the store, a link to such a link, or a name."""
    if entry.is_symlink():
        target = os.fspath(entry.readlink())
        yield from _in_store(target, store_dir)
        indirect = entry.parent / target
        if indirect.is_symlink():
            yield from _in_store(os.fspath(indirect.readlink()), store_dir)
    elif entry.is_file():
        with contextlib.suppress(BadStorePath):
            yield StorePath.of_basename(entry.name)


def _in_store(target: str, store_dir: Path) -> Iterator[StorePath]:
    """The object that a target lies in, named as in the store or where it is on this machine."""
    if target.startswith(f"{store_dir}/"):
        target = STORE_DIR + target.removeprefix(str(store_dir))
    with contextlib.suppress(BadStorePath):
        yield StorePath.containing(target)


def running_roots(store_dir: Path) -> set[StorePath]:
    """What processes have open, mapped, as working folder, or named on their command line."""
    found: set[StorePath] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for text in _mentions(process):
            found.update(_paths_in(text, os.fsencode(store_dir)))
    return found


def _mentions(process: Path) -> Iterator[bytes]:
    """Texts about a process in which a path may stand; processes may vanish while we look."""
    for name in ("maps", "cmdline"):
        with contextlib.suppress(OSError), (process / name).open("rb") as file:
            yield file.read(_MOST_BYTES)
    with contextlib.suppress(OSError):
        for link in [process / "exe", process / "cwd", *(process / "fd").iterdir()]:
            with contextlib.suppress(OSError):
                yield os.fsencode(link.readlink())


def _paths_in(text: bytes, store_dir: bytes) -> Iterator[StorePath]:
    for start in re.finditer(re.escape(store_dir), text):
        if match := _INSIDE.match(text, start.end()):
            with contextlib.suppress(BadStorePath):
                yield StorePath.of_basename(match.group(1).decode())
