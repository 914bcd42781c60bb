"""Which objects stand together in an image.

One image for each object would be the least to write when something changes, and for a system of
NixOS some hundred mounts. One image for all would be a single mount, and each change of a setting
would write the names of the whole system again. So what is large stands alone, up to a handful, and
all else of a system together::

    root    6,500 files     an image of its own: it changes with the packages
    linux   4,200 files     likewise: it changes with the kernel
    etc, toplevel, agent …  one image

No image belongs to two systems, unless it is equal for both: so a change in one system never writes
an image of another.

Tested by ``tests/unit/store/images/test_plan.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.store.paths import StorePath

LARGE_NODES = 512
"""An object with so many files, links and folders may have an image of its own."""

MOST_LARGE = 6
"""Of one system: each image is a mount."""

MOST_TOGETHER = 65_536
"""Files, links and folders in an image of several objects."""

Group = tuple[StorePath, ...]
"""Objects that stand together, sorted."""


def groups(sizes: Mapping[StorePath, int]) -> tuple[Group, ...]:
    """The images of one system.

    Args:
        sizes: of each object how many files, links and folders it has.
    """
    large = sorted(
        (path for path in sizes if sizes[path] >= LARGE_NODES),
        key=lambda path: (-sizes[path], path),
    )
    alone = set(large[:MOST_LARGE])
    together = {path: sizes[path] for path in sorted(sizes) if path not in alone}
    return tuple(sorted([*((path,) for path in alone), *_packed(together)]))


def _packed(sizes: Mapping[StorePath, int]) -> Iterator[Group]:
    """Objects in their order, in as few images as may be."""
    group: list[StorePath] = []
    count = 0
    for path, size in sizes.items():
        if group and count + size > MOST_TOGETHER:
            yield tuple(group)
            group, count = [], 0
        group.append(path)
        count += size
    if group:
        yield tuple(group)
