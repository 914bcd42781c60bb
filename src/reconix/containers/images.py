"""Finding an image: from what a reference leads to, to digests of everything in it.

A source of images - a registry, a layout, an archive - gives documents and blobs by digest, and one
document for the reference itself. Which source it is plays no part from here on: the document leads
to an index or a manifest, an index to the manifest for a platform, that to the configuration and
the layers. Each step is a digest, checked as soon as the bytes are there.

What is found here is all that a lock needs to know. A build asks for blobs alone, by digest.

Tested by ``tests/unit/containers/test_images.py``; with real registries and layouts by
``tests/compat/test_oci_sources.py``.
"""

import io
from dataclasses import dataclass
from typing import Protocol

from reconix.base.digests import Digest
from reconix.containers.descriptors import MAX_DOCUMENT_BYTES, BadImage, Descriptor
from reconix.containers.documents import (
    Index,
    Layers,
    Listed,
    Manifest,
    kind_of,
    parse_layers,
    parse_top,
)
from reconix.containers.platforms import Platform, best, rank
from reconix.containers.settings import Settings, parse_settings

_MAX_INDEXES = 4


@dataclass(frozen=True, slots=True)
class Document:
    """An index or a manifest, as it came."""

    content: bytes
    media_type: str = ""
    """As the source calls it; nothing if it does not."""

    @property
    def digest(self) -> Digest:
        """What names it."""
        return Digest.of(self.content)


class NewFile(Protocol):
    """Where a blob is written to, perhaps more than once."""

    def write(self, data: bytes, /) -> object:
        """Take some more of it."""

    def seek(self, place: int, /) -> object:
        """Go back to the beginning."""

    def truncate(self) -> object:
        """Drop what came: it comes again."""


class Source(Protocol):
    """Where an image is."""

    def top(self) -> Document:
        """What the reference leads to."""

    def document(self, descriptor: Descriptor) -> Document:
        """An index or a manifest by its digest; not checked yet."""

    def copy(self, descriptor: Descriptor, file: NewFile) -> None:
        """Write a configuration or a layer, by its digest, to a new file.

        Raises:
            BadImage: what is there is something else. The file holds a part of it.
        """


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the file that it comes as, and the archive that is in the file."""

    blob: Descriptor
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class Image:
    """All parts of the image for one platform."""

    top: Digest
    """What the reference led to: the same as ``manifest`` if there is no index."""
    manifest: Descriptor
    config: Descriptor
    layers: tuple[Layer, ...]
    settings: Settings

    @property
    def size_bytes(self) -> int:
        """How much is to be fetched."""
        return self.config.size_bytes + sum(layer.blob.size_bytes for layer in self.layers)


def find_image(source: Source, architecture: str) -> Image:
    """Follow the reference of a source to an image.

    Args:
        source: where the image is.
        architecture: Debian's name of it.

    Raises:
        BadImage: there is none for it, or something about it is not as it should be.
    """
    top = source.top()
    descriptor, manifest = _manifest(source, top, architecture)
    config = _config(source, manifest.config)
    where = str(manifest.config.digest)
    layers = parse_layers(config, source=where)
    if rank(layers.platform, architecture) is None:
        raise _not_for(architecture, f"{top.digest}", [layers.platform])
    return Image(
        top.digest,
        descriptor,
        manifest.config,
        _pairs(manifest, layers),
        parse_settings(config, source=where),
    )


def _manifest(source: Source, top: Document, architecture: str) -> tuple[Descriptor, Manifest]:
    """The manifest for a platform, behind no, one, or a few indexes."""
    document = top
    for _ in range(_MAX_INDEXES + 1):
        where = str(document.digest)
        found = parse_top(document.content, source=where, told=document.media_type)
        if isinstance(found, Manifest):
            kind = document.media_type or kind_of(found)
            return Descriptor(kind, document.digest, len(document.content)), found
        entry = _choose(found, architecture, where)
        document = checked_document(source, entry.descriptor)
    raise BadImage(f"{top.digest} leads from index to index, more than {_MAX_INDEXES} times")


def _choose(index: Index, architecture: str, where: str) -> Listed:
    """The entry for a platform; one alone without a platform is what all are meant to take."""
    offers = [(each.platform, each) for each in index.entries if each.platform is not None]
    if not offers and len(index.entries) == 1:
        return index.entries[0]
    found = best(offers, architecture)
    if found is None:
        raise _not_for(architecture, where, [platform for platform, _ in offers])
    return found


def _not_for(architecture: str, where: str, offered: list[Platform]) -> BadImage:
    names = sorted({str(platform) for platform in offered if platform.is_of_an_image})
    there = ", ".join(name[:80] for name in names[:20]) or "none with a platform"
    return BadImage(
        f"{where} has no image for linux/{architecture}; there are: {there}",
        hint="take one that is made for the machine: architecture in machine.toml",
    )


def checked_document(source: Source, descriptor: Descriptor) -> Document:
    """A document that is what its descriptor says.

    Raises:
        BadImage: it is something else.
    """
    if descriptor.size_bytes > MAX_DOCUMENT_BYTES:
        raise BadImage(f"{descriptor.digest} is larger than {MAX_DOCUMENT_BYTES} bytes")
    found = source.document(descriptor)
    expect_digest(found.digest, len(found.content), descriptor)
    return Document(found.content, descriptor.media_type or found.media_type)


def _config(source: Source, descriptor: Descriptor) -> bytes:
    if descriptor.size_bytes > MAX_DOCUMENT_BYTES:
        raise BadImage(f"{descriptor.digest} is larger than {MAX_DOCUMENT_BYTES} bytes")
    content = io.BytesIO()
    source.copy(descriptor, content)
    return content.getvalue()


def expect_digest(found: Digest, size_bytes: int, descriptor: Descriptor) -> None:
    """Refuse bytes of which these are digest and size; of too many, the size may be less.

    Raises:
        BadImage: they are not what a descriptor names.
    """
    if size_bytes != descriptor.size_bytes:
        more = "more" if size_bytes > descriptor.size_bytes else f"{size_bytes}"
        fact = f"expected {descriptor.size_bytes} bytes, found {more}"
    elif found != descriptor.digest:
        fact = f"found {found}"
    else:
        return
    raise BadImage(
        f"what came for {descriptor.digest} is something else: {fact}",
        hint="it was changed on the way, or where it lies",
    )


def _pairs(manifest: Manifest, layers: Layers) -> tuple[Layer, ...]:
    """Each layer with its digest when it is unpacked."""
    if len(manifest.layers) != len(layers.diff_ids):
        raise BadImage(
            f"{manifest.config.digest} knows {len(layers.diff_ids)} layers, "
            f"but its manifest has {len(manifest.layers)}"
        )
    if not manifest.layers:
        raise BadImage(f"{manifest.config.digest} is an image without layers: nothing is in it")
    return tuple(map(Layer, manifest.layers, layers.diff_ids))
