"""Which containers are current, and in which images they are: what scripts read below ``/run``.

The containers of a system are those of its toplevel, until an update has changed them without a
restart (``device/update/live.py``). Then these say so, to the generator of their units and to the
script that starts them (``docs/spec/containers.md``):

    /run/reconix/containers/current          a link to the object that tells of them
    /run/reconix/containers/objects/<name>   a copy of that, and of the one before
    /run/reconix/images.more                 images that the system was not started with

A copy has the content that the store promises: the kernel does not compare it as it does the store.

Tested by ``tests/unit/device/state/test_current_containers.py``.
"""

import os
from collections.abc import Collection
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import BadFile, read_bounded, remove_tree, write_durably
from reconix.base.process import run, succeeds
from reconix.device.paths import Paths
from reconix.store.images.nodes import ImageFile, ImageFolder, ImageLink, Node
from reconix.store.images.verity import VerityHash
from reconix.store.paths import BadStorePath, StorePath
from reconix.store.pool import BadContent
from reconix.store.registry import Registry

_EVERYBODY = ("nsenter", "--mount=/proc/1/ns/mnt", "--")
"""Where mounts are seen by all; those of the agent's own namespace nobody else sees."""

_SCRIPT = "/nix/system/agent/container"
_MOUNT_SECONDS = 60.0
_LIST_BYTES = 1 << 16


def point_to(paths: Paths, registry: Registry, path: StorePath) -> None:
    """Let ``current`` lead to a copy of an object; of those before, one is kept.

    Raises:
        NotInstalled, BadContent: there is none, or what it has is not what it should be.
    """
    place, before = copy_of(paths, registry, path), _target(paths)
    fresh = paths.changed_containers.with_name(".current")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(place)
    fresh.rename(paths.changed_containers)
    for each in sorted(paths.container_objects.iterdir()):
        if each not in (place, before):
            remove_tree(each)


def copy_of(paths: Paths, registry: Registry, path: StorePath) -> Path:
    """The copy of an object; it is made if there is none.

    Raises:
        NotInstalled, BadContent: there is no such object, or what it has is not what it should be.
    """
    place = paths.container_objects / path.basename
    if not place.is_dir():
        _copy(registry, path, place)
    return place


def current(paths: Paths) -> StorePath | None:
    """The object that ``current`` leads to; ``None``: that of the toplevel with which it began."""
    target = _target(paths)
    try:
        return None if target is None else StorePath.of_basename(target.name)
    except BadStorePath:
        return None


def _target(paths: Paths) -> Path | None:
    try:
        return paths.changed_containers.readlink()
    except OSError:
        return None


def _copy(registry: Registry, path: StorePath, place: Path) -> None:
    """Put the files of an object below a folder, which has its name when all are there."""
    fresh = place.with_name(".new")
    if fresh.exists():
        remove_tree(fresh)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    _put(registry, registry.tree(path), fresh)
    fresh.rename(place)


def _put(registry: Registry, node: Node, place: Path) -> None:
    match node:
        case ImageFolder():
            place.mkdir()
            place.chmod(0o755)
            for name, inner in node.entries:
                _put(registry, inner, place / os.fsdecode(name))
        case ImageLink():
            place.symlink_to(os.fsdecode(node.target))
        case ImageFile():
            place.write_bytes(_content(registry, node))
            place.chmod(0o644)


def _content(registry: Registry, file: ImageFile) -> bytes:
    if file.is_inline:
        return file.content
    content = registry.pool.read(file.content, file.size_bytes)
    if VerityHash(content).digest() != file.content:
        raise BadContent(file.content, "was altered")
    return content


# -- images ----------------------------------------------------------------------------------------


def needs_images(paths: Paths, images: Collection[Digest]) -> tuple[Digest, ...]:
    """Those of some images that the system was not started with."""
    known = set(_read(paths.run / "images"))
    return tuple(digest for digest in images if digest not in known)


def read_more_images(paths: Paths) -> tuple[Digest, ...]:
    """The images that are needed besides those with which the system was started."""
    return _read(paths.more_images)


def write_more_images(paths: Paths, images: Collection[Digest]) -> None:
    """Say which images are needed besides those with which the system was started."""
    if images:
        line = ",".join(digest.hex() for digest in images)
        write_durably(paths.more_images, f"{line}\n".encode())
    else:
        paths.more_images.unlink(missing_ok=True)


def mount_images() -> None:
    """Mount what containers need, for everybody; what is mounted already stays.

    Raises:
        CommandFailed, ProgramMissing: it cannot be done.
    """
    run(*_EVERYBODY, "/bin/sh", _SCRIPT, "images", timeout_seconds=_MOUNT_SECONDS)


def unmount_others(paths: Paths) -> None:
    """Unmount images that no container needs any more; those that run have mounts of their own."""
    needed = {digest.hex() for digest in (*_read(paths.run / "images"), *read_more_images(paths))}
    for place in sorted((paths.containers / "images").glob("*")):
        if place.name not in needed:
            succeeds(*_EVERYBODY, "umount", "--lazy", str(place), timeout_seconds=_MOUNT_SECONDS)


def _read(path: Path) -> tuple[Digest, ...]:
    """A line of digests, with commas between them; nothing where there is none."""
    try:
        words = read_bounded(path, _LIST_BYTES).decode("ascii", "replace").strip().split(",")
    except (OSError, BadFile):
        return ()
    return tuple(Digest.parse(word) for word in words if word)
