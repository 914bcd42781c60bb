"""Descriptors: how the documents of an image name each other and the layers.

A descriptor has a media type, a size and a digest. What it names is anything with these bytes, from
anywhere: so whoever reads it checks both, and nobody else needs to be trusted.

OCI and Docker have different names for the same kinds. Here they are kinds, and what no device
could use is refused by name.

Source: OCI image specification 1.1, *Content Descriptors* and *Image Media Types*; Docker's *Image
Manifest V 2, Schema 2*.
Tested by ``tests/unit/containers/test_documents.py``.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)
_LAYERS = (OCI_LAYER, "application/vnd.docker.image.rootfs.diff.tar")
_COMPRESSIONS = ("", "+gzip", "+zstd", ".gzip", ".zstd")
_SCHEMA_1 = ("application/vnd.docker.distribution.manifest.v1",)
_ELSEWHERE = ("foreign", "nondistributable")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")

MAX_DOCUMENT_BYTES = 4 << 20
"""Of indexes, manifests and configurations; registries take no more."""

MAX_BLOB_BYTES = 1 << 40


class BadImage(ReconixError):
    """A document or a layer of an image is not as it should be, or none that a device could use."""

    exit_code = 65


@contextmanager
def of_an_image() -> Iterator[None]:
    """What is read in the block belongs to an image: what is wrong with it, is wrong with that.

    Raises:
        BadImage: a document was not as it should be.
    """
    try:
        yield
    except BadDocument as error:
        raise BadImage(str(error)) from error


@dataclass(frozen=True, slots=True, order=True)
class Descriptor:
    """What one document says of another, or of a layer."""

    media_type: str
    digest: Digest
    size_bytes: int


def parse_descriptor(fields: Fields) -> Descriptor:
    """Read a descriptor.

    Raises:
        BadDocument: a field is missing or of the wrong type.
        BadImage: it names something by another hash, or of an impossible size.
    """
    digest, size_bytes = fields.text("digest"), fields.number("size")
    if size_bytes > MAX_BLOB_BYTES:
        raise BadImage(f"{fields.source}: a blob of {size_bytes} bytes")
    return Descriptor(media_type(fields), parse_digest(digest, fields.source), size_bytes)


def parse_digest(text: str, source: str) -> Digest:
    """Read a digest as the documents of images write it.

    Raises:
        BadImage: it is none, or of another kind.
    """
    try:
        if text.startswith("sha256:"):
            return Digest.parse(text)
    except BadDigest:
        pass
    raise BadImage(
        f"{source}: {text[:80]!r} is no SHA-256 digest",
        hint="images that name their parts by another hash are not supported",
    )


def media_type(fields: Fields, *, default: str = "") -> str:
    """The media type of something, without parameters.

    Raises:
        BadImage: what stands there is none.
    """
    if not fields.has("mediaType"):
        return default
    found = fields.text("mediaType").partition(";")[0].strip()
    if not _TYPE.fullmatch(found):
        raise BadImage(f"{fields.source}: {found[:80]!r} is no media type")
    return found


def expect_layer(layer: Descriptor, source: str) -> None:
    """Refuse what is no layer of a file system, or not to be had.

    Raises:
        BadImage: it is encrypted, lies elsewhere, or something else.
    """
    found = layer.media_type
    if found.endswith("+encrypted"):
        raise BadImage(
            f"{source}: layer {layer.digest} is encrypted",
            hint="take an image that is not: builds have no key for it",
        )
    if any(word in found for word in _ELSEWHERE):
        raise BadImage(
            f"{source}: layer {layer.digest} is in no registry ({found})",
            hint="images with foreign layers are not supported",
        )
    if not any(found == f"{kind}{how}" for kind in _LAYERS for how in _COMPRESSIONS):
        raise BadImage(
            f"{source}: layer {layer.digest} is {found!r}, not the layer of a file system",
            hint="is it an image of a container?",
        )


def is_schema_1(found: str) -> bool:
    """Whether a document has the first format of Docker, which names no layer safely."""
    return found.startswith(_SCHEMA_1)
