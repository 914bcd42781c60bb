"""What a binary cache says about an object: ``<hash>.narinfo``.

Lines of ``Key: value``. What we need: ``StorePath``, ``URL`` of the archive relative to the
cache, its ``Compression``, ``FileHash`` and ``FileSize`` as it lies there, ``NarHash`` and
``NarSize`` unpacked, ``References`` as base names, and any number of ``Sig``. Unknown keys are
ignored, as Nix does.

Source: ``libstore/nar-info.cc`` of Nix 2.8.
Tested by ``tests/unit/nix/test_narinfo.py`` and ``tests/compat/test_nix_cache.py``.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from reconix.base.digests import BadDigest, Digest
from reconix.base.errors import ReconixError
from reconix.nix.database import PathInfo
from reconix.store.closure import BadClosure, StoreObject
from reconix.store.paths import STORE_DIR, BadStorePath, StorePath, base32_decode, base32_encode

_REQUIRED = ("StorePath", "URL", "NarHash", "NarSize")


class BadNarInfo(ReconixError):
    """A cache describes an object in a way that we do not accept."""

    exit_code = 28

    def __init__(self, source: str, what: str) -> None:
        super().__init__(f"{source}: {what}", hint="the cache is damaged; use another one")


@dataclass(frozen=True, slots=True)
class NarInfoFile:
    """An object as a binary cache describes it."""

    info: PathInfo
    url: str  # relative to the cache
    compression: str
    file_digest: Digest | None = None
    file_size_bytes: int | None = None


def print_narinfo(described: NarInfoFile) -> bytes:
    """Spell a description as Nix does."""
    info, item = described.info, described.info.object
    lines = [
        f"StorePath: {item.path}",
        f"URL: {described.url}",
        f"Compression: {described.compression}",
    ]
    if described.file_digest is not None:
        lines.append(f"FileHash: {_print_digest(described.file_digest)}")
    if described.file_size_bytes is not None:
        lines.append(f"FileSize: {described.file_size_bytes}")
    lines += [
        f"NarHash: {_print_digest(item.nar)}",
        f"NarSize: {item.nar_size_bytes}",
        f"References: {' '.join(path.basename for path in item.references)}",
    ]
    if info.deriver:
        lines.append(f"Deriver: {info.deriver.basename}")
    lines += [f"Sig: {signature}" for signature in info.signatures]
    if info.content_address:
        lines.append(f"CA: {info.content_address}")
    return "".join(f"{line}\n" for line in lines).encode()


def parse_narinfo(content: bytes, *, source: str) -> NarInfoFile:
    """Read a description.

    Raises:
        BadNarInfo: it is malformed, or describes something impossible.
    """
    values, signatures = _lines(content, source)
    for key in _REQUIRED:
        if key not in values:
            raise BadNarInfo(source, f"{key} is missing")
    try:
        return NarInfoFile(
            info=_path_info(values, signatures),
            url=_url(values["URL"]),
            compression=values.get("Compression") or "bzip2",
            file_digest=_parse_digest(values["FileHash"]) if values.get("FileHash") else None,
            file_size_bytes=_size(values["FileSize"]) if values.get("FileSize") else None,
        )
    except (BadStorePath, BadDigest, BadClosure, ValueError) as error:
        raise BadNarInfo(source, str(error)) from error


def _lines(content: bytes, source: str) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    signatures = []
    for line in content.decode(errors="replace").splitlines():
        key, colon, value = line.partition(": ")
        if not colon and not line.endswith(":"):
            raise BadNarInfo(source, f"{line[:80]!r} is not a line of a description")
        key = key.removesuffix(":")  # nothing follows the colon, not even a space
        if key == "Sig":
            signatures.append(value)
        elif key in values:
            raise BadNarInfo(source, f"{key} stands twice")
        else:
            values[key] = value.strip()
    return values, signatures


def _path_info(values: dict[str, str], signatures: list[str]) -> PathInfo:
    references = [StorePath.of_basename(text) for text in values.get("References", "").split()]
    deriver = values.get("Deriver", "")
    return PathInfo(
        object=StoreObject(
            path=StorePath.parse(values["StorePath"]),
            nar=_parse_digest(values["NarHash"]),
            nar_size_bytes=_size(values["NarSize"]),
            references=tuple(sorted(set(references))),
        ),
        content_address=values.get("CA") or None,
        deriver=StorePath.of_basename(deriver) if deriver not in ("", "unknown-deriver") else None,
        signatures=tuple(signatures),
    )


def _url(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "://" in text or not path.parts:
        raise ValueError(f"{text[:80]!r} does not lie in the cache")
    return text


def _size(text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise ValueError(f"{text[:80]!r} is not a size")
    return int(text)


def _print_digest(digest: Digest) -> str:
    return f"sha256:{base32_encode(digest.value)}"


def _parse_digest(text: str) -> Digest:
    digits = text.removeprefix("sha256:")
    if digits == text:
        raise ValueError(f"{text[:80]!r} is no SHA-256 digest; the store at {STORE_DIR} needs one")
    return Digest.parse(digits) if len(digits) == 64 else Digest(base32_decode(digits, 32))
