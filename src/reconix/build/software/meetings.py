"""What a tree meets on a device: files of packages, and what is mounted in it.

Below ``/usr`` the files of a tree replace those of packages, elsewhere the tree hides what is at
its place. Both may be meant, and are told, and so is what a folder has that hardly anybody means to
bring: private files, which everybody on a device can read, and the history of version control. What
cannot work is an error:

* a folder where packages have a file or a link, or the reverse; the script of the initrd goes to
  places step by step, and follows no link;
* files that count when a system is built: nobody would have looked at them;
* something that persists, or a volume, in a tree that has no folder for it: the tree is read-only,
  and nothing can make one.

Tested by ``tests/unit/build/software/test_meetings.py``.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.build.software.source import Node
from reconix.build.software.trees import FoundTree
from reconix.config.schema.system import System

_LIBRARIES = ("usr/lib", "usr/local/lib")
_READ_WHEN_BUILT = ("systemd", "sysusers.d", "modules")
"""Folders in these whose files decide what is built."""
_SET_ID = stat.S_ISUID | stat.S_ISGID
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MANY_NODES = 25_000
"""Above this, an agent needs more memory than usual (docs/spec/stream.md, *Limits*)."""
_HISTORY = (b".git", b".hg", b".svn")
"""What version control keeps in a folder, old contents among it."""


class Misplaced(ReconixError):
    """A tree or a file cannot be at its place, with what else is there.

    Attributes:
        fact: the message without the option.
    """

    exit_code = 62

    def __init__(self, key: str, fact: str, *, hint: str) -> None:
        super().__init__(f"{key}: {fact}", hint=hint)
        self.fact = fact


def check(found: FoundTree, system: System, root: Path) -> None:
    """Refuse a tree that cannot work.

    Args:
        found: the tree.
        system: machine and system file, merged.
        root: the Debian root, as it lies in the store of the build machine.

    Raises:
        Misplaced: see above; or ``set_id`` names what is no program.
    """
    _check_kinds(found, root)
    _check_read_when_built(found)
    _check_mounts(found, system)
    _check_set_id(found)


def _check_kinds(found: FoundTree, root: Path) -> None:
    for path in (*found.folders_around(), found.inside):
        _expect_folder(found, root, path)
    for node in found.source.nodes if found.is_layer else ():
        path = f"{found.inside}/{os.fsdecode(node.path)}"
        if not os.path.lexists(f"{root}/{path}"):  # nearly always, and there may be many
            continue
        if node.is_folder:
            _expect_folder(found, root, path)
        elif _is_real_folder(root / path):
            fact = f"{one_line(os.fsdecode(node.path))} is a file, and packages have a folder there"
            raise Misplaced(found.key, fact, hint="rename it, or leave it out with exclude")


def _expect_folder(found: FoundTree, root: Path, path: str) -> None:
    kind = kind_in_the_way(root / path)
    if kind:
        fact = f"packages have a {kind} at /{one_line(path)}, where a folder would have to be"
        raise Misplaced(found.key, fact, hint="choose another place")


def kind_in_the_way(path: Path) -> str:
    """What stands where a folder would have to be, if it is something else."""
    if not os.path.lexists(path) or _is_real_folder(path):
        return ""
    return "link" if path.is_symlink() else "file"


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _check_read_when_built(found: FoundTree) -> None:
    taken = tuple(f"{folder}/{name}/" for folder in _LIBRARIES for name in _READ_WHEN_BUILT)
    for node in found.source.nodes if found.is_layer else ():
        path = f"{found.inside}/{os.fsdecode(node.path)}"
        if not node.is_folder and path.startswith(taken):
            fact = f"/{one_line(path)} would count when a system is built, and nobody reads it"
            hint = "use units, users or files instead, or make the folder a package"
            raise Misplaced(found.key, fact, hint=hint)


def _check_mounts(found: FoundTree, system: System) -> None:
    folders = {node.path for node in found.source.nodes if node.is_folder}
    for path in mounted_in(found, system):
        inner = str(PurePosixPath(path).relative_to(found.place))
        if inner.encode() not in folders:
            fact = f"{path} is to be mounted, and the folder has no {one_line(inner)}"
            hint = "make that folder in the source; it may be empty"
            raise Misplaced(found.key, fact, hint=hint)


def mounted_in(found: FoundTree, system: System) -> list[str]:
    """What is mounted in a tree when a device has started."""
    volumes = (volume.path for volume in system.volumes.values())
    paths = (*system.persist.shared, *system.persist.paths, *volumes)
    return [path for path in paths if PurePosixPath(path).is_relative_to(found.place)]


def _check_set_id(found: FoundTree) -> None:
    programs = {node.path for node in found.source.nodes if node.is_program}
    for path in found.tree.set_id:
        if path.encode() not in programs:
            fact = f"set_id names {one_line(path)}, which is no program in the folder"
            hint = "is it misspelt, excluded, or not executable?"
            raise Misplaced(found.key, fact, hint=hint)


def told(found: FoundTree, root: Path) -> Iterator[str]:
    """What whoever builds a system should know of a tree: a line each."""
    if found.is_layer:
        paths = (f"{found.inside}/{os.fsdecode(node.path)}" for node in _leaves(found))
        replaced = [path for path in paths if os.path.lexists(f"{root}/{path}")]
        if replaced:
            yield f"{found.place} replaces /{_some(replaced)} of packages"
    else:
        place = root / found.inside
        hidden = sorted(path.name for path in place.iterdir()) if place.is_dir() else []
        if hidden:
            yield f"{found.place} hides {_some(hidden)} of packages"
    yield from _told_of_files(found)
    if len(found.source.nodes) > _MANY_NODES:
        count = len(found.source.nodes)
        yield f"{found.place} has {count} entries: devices need more than 64 MiB to take it"


def _told_of_files(found: FoundTree) -> Iterator[str]:
    files = [node for node in found.source.nodes if node.is_file]
    lost = [
        os.fsdecode(node.path)
        for node in files
        if node.status.st_mode & _SET_ID and os.fsdecode(node.path) not in found.tree.set_id
    ]
    if lost:
        yield f"{found.place}: {_some(lost)} loses the set-ID bit: set_id does not name it"
    private = [os.fsdecode(node.path) for node in files if not node.status.st_mode & _OF_OTHERS]
    if private and len(private) < len(files):  # else it is the umask of whoever made the folder
        yield f"{found.place}: {_some(private)} is private here, and not on a device: use secrets"
    history = [
        os.fsdecode(node.path)
        for node in found.source.nodes
        if node.path.rpartition(b"/")[2] in _HISTORY
    ]
    if history:
        yield f"{found.place}: {_some(history)} comes onto devices: leave it out with exclude"


def _leaves(found: FoundTree) -> Iterator[Node]:
    return (node for node in found.source.nodes if not node.is_folder)


def _some(paths: list[str]) -> str:
    first, *others = map(one_line, paths)
    return f"{first} and {len(others)} more" if others else first
