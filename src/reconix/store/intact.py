"""Checking that what is installed still is what its names say.

An image is named by its digest, and so is a content; so whatever is changed on a disk is found by
reading, and each thing is read once, however many generations have it. Whoever is told that a
content is damaged wants to know which files that makes: those are found in the trees of the images,
and only when something is damaged.

A damaged image does not say which contents it needs. They are checked where a sound one names them.

Tested by ``tests/unit/store/test_intact.py``.
"""

from collections.abc import Container, Iterable, Mapping

from reconix.store.images.nodes import files
from reconix.store.manifest import ImageEntry, Manifest
from reconix.store.registry import Registry, contents_in

_SHOWN = 3


def entries(manifests: Iterable[Manifest]) -> tuple[ImageEntry, ...]:
    """The images of generations, each once, in the order of their digests."""
    found = {entry.sha256: entry for manifest in manifests for entry in manifest.images}
    return tuple(found[sha256] for sha256 in sorted(found))


def check_image(registry: Registry, entry: ImageEntry) -> Mapping[bytes, int]:
    """Compare an image with its digest, and give digest and size of the contents that it names.

    Raises:
        ImageMissing, BadImage: it is not there, or altered.
    """
    return dict(contents_in(registry.verify_image(entry), entry))


def users(
    registry: Registry, images: Iterable[ImageEntry], digests: Container[bytes]
) -> Mapping[bytes, tuple[str, ...]]:
    """The files that have certain contents: whole paths, sorted.

    Raises:
        ImageMissing, BadImage: an image cannot be read.
    """
    found: dict[bytes, set[str]] = {}
    for entry in images:
        for path in entry.objects:
            for names, file in files(registry.tree_in(entry, path)):
                if not file.is_inline and file.content in digests:
                    below = (name.decode(errors="backslashreplace") for name in names)
                    found.setdefault(file.content, set()).add("/".join([str(path), *below]))
    return {digest: tuple(sorted(paths)) for digest, paths in found.items()}


def a_few(many: Iterable[object]) -> str:
    """The first of many, in words, and how many others there are."""
    listed = list(map(str, many))
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
