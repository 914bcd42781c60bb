"""References: where an image is, as people write it.

Four forms, as podman and skopeo have them::

    registry.example.com/apps/broker:2                a tag in a registry
    registry.example.com/apps/broker@sha256:1a2b…     a digest there; before it may stand a tag
    oci:FOLDER[:NAME]    oci:FOLDER[@sha256:1a2b…]    an OCI layout, and which of its images
    oci-archive:FILE[:NAME]                           the same as a tar archive
    docker-archive:FILE[:REPOSITORY:TAG]              what `docker save` writes

Nothing is filled in. Docker takes ``nginx`` for an image of one company's registry, and ``latest``
for a tag that is not there; both are a choice that a configuration should show. So a registry is
written with its host, and an image with its tag or its digest. In a layout or an archive with
one image there is nothing to choose.

Source: containers-transports(5); OCI distribution specification 1.1, *Pulling manifests*.
Tested by ``tests/unit/config/test_image_reference.py``.
"""

import re
from dataclasses import dataclass

from reconix.base.digests import BadDigest, Digest
from reconix.base.errors import UsageError

_MAX_CHARACTERS = 1024
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MAX_REPOSITORY = 255
_DIGEST = "@sha256:"


class BadReference(UsageError):
    """A text does not say where an image is."""

    def __init__(self, text: str, why: str, *, hint: str = "") -> None:
        example = "write it as registry.example.com/apps/broker:2, oci:FOLDER:NAME or FILE.tar"
        super().__init__(
            f"{text[:200]!r} is not the reference of an image: {why}", hint=hint or example
        )


@dataclass(frozen=True, slots=True, order=True)
class InRegistry:
    """An image in a registry; with both, the digest decides."""

    host: str
    """With its port, if that is another than usual."""
    repository: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tag}{_at(self.digest)}"


@dataclass(frozen=True, slots=True, order=True)
class InLayout:
    """An image in an OCI layout: a folder, or an archive of one."""

    path: str
    """As it was written; relative to the project."""
    name: str = ""
    digest: Digest | None = None
    is_archive: bool = False

    def __str__(self) -> str:
        kind = "oci-archive" if self.is_archive else "oci"
        return f"{kind}:{self.path}{_colon(self.name)}{_at(self.digest)}"


@dataclass(frozen=True, slots=True, order=True)
class InDockerArchive:
    """An image in a file that `docker save` has written."""

    path: str
    name: str = ""
    """With its tag, as it was saved."""

    def __str__(self) -> str:
        return f"docker-archive:{self.path}{_colon(self.name)}"


Reference = InRegistry | InLayout | InDockerArchive


def parse_reference(text: str) -> Reference:
    """Read a reference; ``str`` is the inverse.

    Raises:
        BadReference: it is none, or leaves something for us to choose.
    """
    if len(text) > _MAX_CHARACTERS or not text.isprintable() or text != text.strip():
        raise BadReference(text, "it is too long, or has characters without a shape")
    kind, _, rest = text.partition(":")
    if kind in ("oci", "oci-archive"):
        return _layout(text, rest, is_archive=kind == "oci-archive")
    if kind == "docker-archive":
        path, _, name = rest.partition(":")
        return InDockerArchive(_path(text, path), name)
    return _registry(text)


def _layout(text: str, rest: str, *, is_archive: bool) -> InLayout:
    place, digest = _without_digest(text, rest)
    path, _, name = place.partition(":")
    if name and digest:
        raise BadReference(text, "it has a name and a digest, and one of them would do")
    return InLayout(_path(text, path), name, digest, is_archive)


def _registry(text: str) -> InRegistry:
    place, digest = _without_digest(text, text)
    if "@" in place:
        raise BadReference(text, "what follows @ is not a SHA-256 digest")
    host, slash, rest = place.partition("/")
    is_host = "." in host or ":" in host or host == "localhost"
    if not slash or not is_host or not _HOST.fullmatch(host):
        raise BadReference(
            text,
            "it does not begin with the host of a registry",
            hint="names are not completed: write registry.example.com/library/nginx:1.27 for nginx",
        )
    repository, _, tag = rest.partition(":")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _MAX_REPOSITORY:
        raise BadReference(text, f"{repository[:80]!r} is not the name of a repository")
    if ":" in rest and not _TAG.fullmatch(tag):
        raise BadReference(text, f"{tag[:80]!r} is not a tag")
    if not tag and not digest:
        raise BadReference(
            text, "it has neither tag nor digest", hint=f"add the tag that you mean: {place}:latest"
        )
    return InRegistry(host.lower(), repository, tag, digest)


def _without_digest(text: str, place: str) -> tuple[str, Digest | None]:
    rest, mark, digits = place.rpartition(_DIGEST)
    if not mark:
        return place, None
    try:
        return rest, Digest.parse(digits)
    except BadDigest as error:
        raise BadReference(text, str(error)) from error


def _path(text: str, path: str) -> str:
    if not path:
        raise BadReference(text, "it names no file")
    return path


def _colon(name: str) -> str:
    return f":{name}" if name else ""


def _at(digest: Digest | None) -> str:
    return f"@{digest}" if digest else ""
