"""Images in files: an OCI layout, its archive, and what ``docker save`` writes.

A layout is a folder with blobs under their digests, and an index of the images in it, by name::

    oci-layout          index.json          blobs/sha256/<64 digits>

The archive of ``docker save`` has a list of images instead, and layers that are not compressed::

    manifest.json       <configuration>.json          <layer>/layer.tar

It has no manifest, so one is made: the same for the same image, wherever that was saved. From then
on both are a source like a registry. A newer ``docker save`` writes both into one archive.

Names serve to find an image once. What belongs to it is found by digest, and hashed as it is read:
a layout is a folder in which anybody may have changed something.

Source: OCI image specification 1.1, *Image Layout*; Docker, *Docker Image Specification v1.2*,
*Combined Image JSON + Filesystem Changeset Format*.
Tested by ``tests/unit/containers/test_layout.py``; with files of real programs by
``tests/compat/test_oci_sources.py``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from reconix.base.digests import Digest
from reconix.base.documents import Fields, parse_json, print_json
from reconix.base.files import BadFile, chunks, open_regular
from reconix.config.image_reference import InDockerArchive, InLayout
from reconix.containers.descriptors import (
    MAX_DOCUMENT_BYTES,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    BadImage,
    Descriptor,
    of_an_image,
)
from reconix.containers.documents import Index, parse_top
from reconix.containers.images import Document, NewFile, expect_digest

_MAX_NAMED = 20
_SMALL_BYTES = 1 << 16


class Files(Protocol):
    """Files by name: those of a folder, or of an archive."""

    def size_bytes(self, name: str) -> int | None:
        """How large a file is; nothing if there is none."""

    def open(self, name: str) -> BinaryIO:
        """A file that is there, to read it."""


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """The files in a folder."""

    folder: Path

    def size_bytes(self, name: str) -> int | None:
        """How large a file is; nothing if there is none."""
        try:
            with open_regular(self.folder / name) as file:
                return file.seek(0, 2)
        except (BadFile, OSError):
            return None

    def open(self, name: str) -> BinaryIO:
        """A file that is there, to read it."""
        return open_regular(self.folder / name)


class Layout:
    """An image in an OCI layout, as a source."""

    def __init__(self, reference: InLayout, files: Files) -> None:
        self._reference = reference
        self._files = files

    def top(self) -> Document:
        """What the reference leads to.

        Raises:
            BadImage: it leads to nothing, or to two things.
        """
        source = f"{self._reference}"
        _expect_layout(self._files, source)
        index = parse_top(_small(self._files, "index.json", source), source=f"{source}: index.json")
        if not isinstance(index, Index):
            raise BadImage(f"{source}: index.json is not an index")
        chosen = self._choose(index)
        found = self.document(chosen)
        expect_digest(found.digest, len(found.content), chosen)
        return found

    def document(self, descriptor: Descriptor) -> Document:
        """An index or a manifest by its digest."""
        content = _small(self._files, _place(descriptor.digest), f"{self._reference}")
        return Document(content, descriptor.media_type)

    def copy(self, descriptor: Descriptor, file: NewFile) -> None:
        """Write a configuration or a layer to a new file."""
        _copy(self._files, _place(descriptor.digest), descriptor, file, f"{self._reference}")

    def _choose(self, index: Index) -> Descriptor:
        wanted = self._reference
        found = {
            each.descriptor.digest: each.descriptor
            for each in index.entries
            if _fits(wanted, each.name, each.descriptor)
        }
        names = [each.name or str(each.descriptor.digest) for each in index.entries]
        return _only(list(found.values()), f"{wanted}", names)


def _fits(wanted: InLayout, name: str, descriptor: Descriptor) -> bool:
    if wanted.digest:
        return descriptor.digest == wanted.digest
    return not wanted.name or name == wanted.name


def _only(found: Sequence[Descriptor], wanted: str, names: Iterable[str]) -> Descriptor:
    """The one thing that a reference means."""
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(name[:200]) for name in sorted(set(names))[:_MAX_NAMED]) or "nothing"
    fact = "is not there" if not found else f"could be {len(found)} images"
    hint = "add the name to the reference" if len(found) > 1 else "is it the right name?"
    raise BadImage(f"{wanted} {fact}; there are: {there}", hint=hint)


def _expect_layout(files: Files, source: str) -> None:
    with of_an_image():
        fields = Fields.parse(_small(files, "oci-layout", source), source=f"{source}: oci-layout")
        version = fields.text("imageLayoutVersion")
    if not version.startswith("1."):
        raise BadImage(f"{source} is a layout of version {version[:80]!r}, expected 1.0.0")


def _place(digest: Digest) -> str:
    return f"blobs/sha256/{digest.hex()}"


def _small(files: Files, name: str, source: str) -> bytes:
    """A whole document."""
    size_bytes = files.size_bytes(name)
    if size_bytes is None:
        raise BadImage(
            f"{source}: there is no {name[:200]}", hint="is it whole, and the right one?"
        )
    if size_bytes > MAX_DOCUMENT_BYTES:
        raise BadImage(f"{source}: {name[:200]} is larger than {MAX_DOCUMENT_BYTES} bytes")
    with files.open(name) as file:
        return file.read(MAX_DOCUMENT_BYTES)


def _copy(files: Files, name: str, descriptor: Descriptor, into: NewFile, source: str) -> None:
    """Write a file to another, as much as a descriptor says, and compare it."""
    if files.size_bytes(name) is None:
        raise BadImage(
            f"{source}: there is no {descriptor.digest}", hint="is it whole, and the right one?"
        )
    state, size_bytes = hashlib.sha256(), 0
    with files.open(name) as file:
        for piece in chunks(file, descriptor.size_bytes + 1):
            size_bytes += len(piece)
            state.update(piece)
            into.write(piece)
    expect_digest(Digest(state.digest()), size_bytes, descriptor)


@dataclass(frozen=True, slots=True)
class _Saved:
    """An image in the list of an archive of Docker."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


class DockerArchive:
    """An image in an archive of ``docker save``, as a source."""

    def __init__(self, reference: InDockerArchive, files: Files) -> None:
        self._reference = reference
        self._files = files
        self._places: dict[Digest, str] = {}

    def top(self) -> Document:
        """A manifest of the image that the reference means.

        Raises:
            BadImage: there is none, or there are two.
        """
        saved = self._choose(_saved(self._files, f"{self._reference}"))
        config = self._describe(saved.config, OCI_CONFIG)
        layers = [self._describe(name, OCI_LAYER) for name in saved.layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _printed(config),
            "layers": [_printed(layer) for layer in layers],
        }
        return Document(print_json(manifest), OCI_MANIFEST)

    def document(self, descriptor: Descriptor) -> Document:
        """There is none but the manifest."""
        raise BadImage(f"{self._reference}: there is no {descriptor.digest}")

    def copy(self, descriptor: Descriptor, file: NewFile) -> None:
        """Write a configuration or a layer to a new file."""
        if descriptor.digest not in self._places:
            self.top()  # a build knows the digests from a lock
        name = self._places.get(descriptor.digest, "")
        _copy(self._files, name, descriptor, file, f"{self._reference}")

    def _choose(self, saved: Sequence[_Saved]) -> _Saved:
        wanted = self._reference.name
        found = {each.config: each for each in saved if not wanted or wanted in each.names}
        if len(found) == 1:
            return next(iter(found.values()))
        names = [name for each in saved for name in each.names]
        there = ", ".join(repr(name[:200]) for name in names[:_MAX_NAMED]) or "none with a name"
        fact = "is not there" if not found else f"could be {len(found)} images"
        raise BadImage(
            f"{self._reference} {fact}; there are: {there}", hint="write the name as it was saved"
        )

    def _describe(self, name: str, media_type: str) -> Descriptor:
        """A file of the archive by what is in it."""
        size_bytes = self._files.size_bytes(name)
        if size_bytes is None:
            raise BadImage(f"{self._reference}: there is no {name[:200]!r}")
        state = hashlib.sha256()
        with self._files.open(name) as file:
            for piece in chunks(file):
                state.update(piece)
        digest = Digest(state.digest())
        self._places[digest] = name
        return Descriptor(media_type, digest, size_bytes)


def _printed(descriptor: Descriptor) -> dict[str, str | int]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }


def _saved(files: Files, source: str) -> list[_Saved]:
    """The list of images in an archive of Docker."""
    where = f"{source}: manifest.json"
    with of_an_image():
        found = parse_json(_small(files, "manifest.json", source), source=where)
        if not isinstance(found, list):
            raise BadImage(f"{where} is not a list")
        return [_saved_image(Fields.of(each, source=where)) for each in found]


def _saved_image(fields: Fields) -> _Saved:
    names = fields.texts("RepoTags") if fields.has("RepoTags") else []
    return _Saved(fields.text("Config"), tuple(names), tuple(fields.texts("Layers")))
