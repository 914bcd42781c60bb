"""Objects under their final names, which they get on the same way as those of a stream."""

import os

from reconix.base.files import remove_tree
from reconix.store import nar, tree
from reconix.store.closure import StoreObject
from reconix.store.paths import StorePath, content_address
from reconix.store.registry import Registry
from reconix.store.tree import Node


def stage(registry: Registry, content: Node, name: str, *references: StorePath) -> StoreObject:
    """Put an object where it waits for its name; what a killed process left there goes."""
    registry.staging_dir.mkdir(parents=True, exist_ok=True)
    part = registry.staging_dir / f"{name}.part"
    remove_tree(part)
    tree.write(content, part)
    info = nar.digest(part)
    path = content_address(info.digest, name, references)
    remove_tree(registry.staged(path))
    part.rename(registry.staged(path))
    return StoreObject(path, info.digest, info.size_bytes, tuple(sorted(references)))


def place(registry: Registry, content: Node, name: str, *references: StorePath) -> StoreObject:
    """Stage an object and give it its final name, unless it has it."""
    item = stage(registry, content, name, *references)
    if os.path.lexists(registry.path(item.path)):
        remove_tree(registry.staged(item.path))
    registry.place([item.path])
    return item
