"""The documents of an image: index, manifest and configuration, as OCI and Docker write them.

An *index* lists images for several platforms, a *manifest* the parts of one image, and its
*configuration* what its layers are when they are unpacked, and how its program is started::

    index ──► manifest ──► configuration (diff IDs: digests of the unpacked layers, in order)
                     └───► layers, in order

They come from others. Each is bounded, each field has its type, and what no device could run is
refused here, with the reason: a manifest that says the same bytes are an index and a manifest, one
of something else than a container, a layer more or less than the configuration knows.

Source: OCI image specification 1.1; Docker's *Image Manifest V 2, Schema 2* and *Docker Image
Specification v1.3*.
Tested by ``tests/unit/containers/test_documents.py``, and with the documents of real programs by
``tests/compat/test_oci_sources.py``.
"""

from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.base.documents import Fields
from reconix.containers.descriptors import (
    CONFIGS,
    INDEXES,
    MANIFESTS,
    MAX_DOCUMENT_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    BadImage,
    Descriptor,
    expect_layer,
    is_schema_1,
    media_type,
    of_an_image,
    parse_descriptor,
    parse_digest,
)
from reconix.containers.platforms import Platform

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation that names an image in a layout."""

MAX_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of an index."""

    descriptor: Descriptor
    platform: Platform | None
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """What there is, for several platforms or under several names."""

    entries: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of one image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """What a configuration says of the file system: for whom it is, and what it is made of."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    """Digests of the layers as tar archives."""


def parse_top(content: bytes, *, source: str, told: str = "") -> Index | Manifest:
    """Read a document that is an index or a manifest.

    Args:
        content: its bytes.
        source: where they come from, for messages.
        told: the media type that came with it; what it says itself comes first.

    Raises:
        BadImage: it is neither, or none that could be used.
    """
    _expect_bounded(content, source)
    with of_an_image():
        fields = Fields.parse(content, source=source)
        _check_kind(fields, media_type(fields, default=told))
        return _index(fields) if fields.has("manifests") else _manifest(fields)


def _check_kind(fields: Fields, found: str) -> None:
    """Refuse what is neither an index nor a manifest, or both, or another than it is said to be."""
    source = fields.source
    version = fields.number("schemaVersion") if fields.has("schemaVersion") else 2
    if is_schema_1(found) or version == 1:
        raise BadImage(
            f"{source} has Docker's manifest format 1, which names no part of an image safely",
            hint="push the image again with a program of this decade",
        )
    is_index, is_manifest = fields.has("manifests"), fields.has("layers") or fields.has("config")
    if is_index and is_manifest:
        raise BadImage(f"{source} says that it is an index and a manifest at once")
    if found not in (*INDEXES, *MANIFESTS) and found.startswith("application/vnd."):
        raise BadImage(f"{source} is {found!r}, not the manifest of an image")
    if (is_index and found in MANIFESTS) or (is_manifest and found in INDEXES):
        raise BadImage(f"{source} is not the {found!r} that it is said to be")


def _expect_bounded(content: bytes, source: str) -> None:
    if len(content) > MAX_DOCUMENT_BYTES:
        raise BadImage(f"{source} is larger than {MAX_DOCUMENT_BYTES} bytes")


def _index(fields: Fields) -> Index:
    return Index(tuple(_listed(each) for each in fields.objects("manifests")))


def _listed(fields: Fields) -> Listed:
    platform = _platform(fields.object("platform")) if fields.has("platform") else None
    notes = fields.object("annotations") if fields.has("annotations") else None
    name = notes.text(REF_NAME) if notes and notes.has(REF_NAME) else ""
    return Listed(parse_descriptor(fields), platform, name)


def _platform(fields: Fields) -> Platform:
    """A platform: in an entry of an index, or at the top of a configuration."""
    variant = fields.text("variant") if fields.has("variant") else ""
    return Platform(fields.text("os"), fields.text("architecture"), variant)


def _manifest(fields: Fields) -> Manifest:
    config = parse_descriptor(fields.object("config"))
    if config.media_type not in CONFIGS:
        kind = fields.text("artifactType") if fields.has("artifactType") else config.media_type
        raise BadImage(
            f"{fields.source} is no container: it has no root, but {kind[:80]!r}",
            hint="is it the image that you mean, or something that is kept beside it?",
        )
    layers = tuple(map(parse_descriptor, fields.objects("layers")))
    if len(layers) > MAX_LAYERS:
        raise BadImage(f"{fields.source} has {len(layers)} layers, more than {MAX_LAYERS}")
    for layer in layers:
        expect_layer(layer, fields.source)
    return Manifest(config, layers)


def parse_layers(content: bytes, *, source: str) -> Layers:
    """Read what the configuration of an image says of its file system.

    Raises:
        BadImage: it is not a configuration, or says nothing of layers.
    """
    _expect_bounded(content, source)
    with of_an_image():
        fields = Fields.parse(content, source=source)
        root = fields.object("rootfs")
        if root.text("type") != "layers":
            raise BadImage(f"{source}: its root is {root.text('type')[:80]!r}, not made of layers")
        named = root.texts("diff_ids") if root.has("diff_ids") else []
        diff_ids = tuple(parse_digest(each, f"{source}: diff_ids") for each in named)
        return Layers(_platform(fields), diff_ids)


def kind_of(document: Index | Manifest) -> str:
    """The media type of a document that does not say it."""
    return OCI_INDEX if isinstance(document, Index) else OCI_MANIFEST
