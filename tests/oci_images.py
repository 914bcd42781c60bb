"""Images of containers that tests make: layers, and layouts around them."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reconix.base.digests import Digest
from reconix.containers.descriptors import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from reconix.containers.layers import unpack
from reconix.containers.layers.unpack import Budget, PackedLayer, Unpacked
from reconix.store.images.nodes import EXECUTABLE, LINK, READ_ONLY

MTIME = 1_600_000_000
PLENTY = Budget()


@dataclass(frozen=True)
class Entry:
    """What stands in a layer."""

    name: str
    kind: bytes = tarfile.REGTYPE
    content: bytes = b""
    target: str = ""
    mode: int = 0o644
    user: int = 0
    group: int = 0
    mtime: float = MTIME
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Bytes as ``tarfile`` has them: what is no text as surrogates."""
    records: Mapping[str, str] = field(default_factory=dict)


def as_text(value: bytes) -> str:
    """A value of an attribute."""
    return value.decode(errors="surrogateescape")


def file(name: str, content: bytes = b"content", **more: object) -> Entry:
    return Entry(name, content=content, **more)  # type: ignore[arg-type]


def folder(name: str, **more: object) -> Entry:
    return Entry(name, tarfile.DIRTYPE, **{"mode": 0o755, **more})  # type: ignore[arg-type]


def link(name: str, target: str, **more: object) -> Entry:
    return Entry(name, tarfile.SYMTYPE, target=target, **more)  # type: ignore[arg-type]


def hard_link(name: str, target: str) -> Entry:
    return Entry(name, tarfile.LNKTYPE, target=target)


def whiteout(path: str) -> Entry:
    above, slash, name = path.rpartition("/")
    return file(f"{above}{slash}.wh.{name}", b"")


def opaque(path: str) -> Entry:
    return file(f"{path}/.wh..wh..opq" if path else ".wh..wh..opq", b"")


def layer(*entries: Entry, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer as a tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for each in entries:
            archive.addfile(_info(each), io.BytesIO(each.content))
    return packed.getvalue()


def _info(entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.name)
    info.type, info.linkname, info.size = entry.kind, entry.target, len(entry.content)
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.user, entry.group, entry.mtime
    attributes = {f"SCHILY.xattr.{name}": value for name, value in entry.attributes.items()}
    info.pax_headers = {**attributes, **entry.records}
    return info


def packed(folder: Path, *layers: bytes) -> list[PackedLayer]:
    """Layers in files, as they are when they have been fetched."""
    found = []
    for number, content in enumerate(layers):
        place = folder / f"layer-{number}"
        place.write_bytes(content)
        digest = Digest.of(content)
        found.append(PackedLayer(digest, digest, place))
    return found


def unpacked(folder: Path, *layers: bytes, budget: Budget = PLENTY) -> Unpacked:
    """Layers unpacked to ``folder / "tree"``."""
    return unpack.unpack(packed(folder, *layers), folder / "tree", budget)


class Fact(NamedTuple):
    """All that can be seen of a node."""

    kind: str
    mode: int
    user: int
    group: int
    mtime: int
    size_bytes: int
    content: bytes
    attributes: tuple[tuple[bytes, bytes], ...]


def facts_of_ours(tree: Path, found: Unpacked) -> dict[bytes, Fact]:
    """What a tree of ours and what is said of it come to."""
    told = dict(found.entries)
    facts = {}
    for path, status in _nodes(tree / "root"):
        inside = b"root/" + path if path else b"root"
        kind, size, content = _content(tree / "root", path, status)
        usual = EXECUTABLE if kind == "folder" or status.st_mode & 0o111 else READ_ONLY
        metadata = told.pop(inside, LINK if kind == "link" else usual)
        facts[path] = Fact(kind, *metadata[:4], size, content, metadata.attributes)
    assert not told, told
    return facts


def facts_on_disk(root: Path) -> dict[bytes, Fact]:
    """What another program has unpacked."""
    facts = {}
    for path, status in _nodes(root):
        kind, size, content = _content(root, path, status)
        place = os.path.join(os.fsencode(root), path)  # noqa: PTH118 - bytes
        names = sorted(os.fsencode(name) for name in os.listxattr(place, follow_symlinks=False))
        attributes = tuple(
            (name, os.getxattr(place, name, follow_symlinks=False)) for name in names
        )
        mode, seconds = stat.S_IMODE(status.st_mode), status.st_mtime_ns // 1_000_000_000
        owner = status.st_uid, status.st_gid
        facts[path] = Fact(kind, mode, *owner, seconds, size, content, attributes)
    return facts


def _nodes(root: Path) -> Iterable[tuple[bytes, os.stat_result]]:
    waiting = [b""]
    while waiting:
        path = waiting.pop()
        place = os.path.join(os.fsencode(root), path)  # noqa: PTH118 - bytes
        status = os.lstat(place)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            waiting += [path + b"/" + name if path else name for name in os.listdir(place)]  # noqa: PTH208


def _content(root: Path, path: bytes, status: os.stat_result) -> tuple[str, int, bytes]:
    place = os.path.join(os.fsencode(root), path)  # noqa: PTH118 - bytes
    if stat.S_ISDIR(status.st_mode):
        return "folder", 0, b""
    if stat.S_ISLNK(status.st_mode):
        return "link", 0, os.readlink(place)  # noqa: PTH115 - bytes
    if not stat.S_ISREG(status.st_mode):
        return "other", 0, b""
    with open(place, "rb") as content:  # noqa: PTH123 - bytes
        return "file", status.st_size, hashlib.file_digest(content, "sha256").digest()


def blob(layout: Path, content: bytes, media_type: str) -> dict[str, object]:
    """Put a blob into a layout; its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


CONFIG = {"Cmd": ["/bin/run"]}


def image(
    layout: Path,
    layers: Sequence[bytes],
    *,
    architecture: str = "amd64",
    variant: str = "",
    compressed: bool = False,
    config: Mapping[str, object] = CONFIG,
) -> dict[str, object]:
    """Put an image into a layout; the descriptor of its manifest."""
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    kind = f"{OCI_LAYER}+gzip" if compressed else OCI_LAYER
    blobs = [gzip.compress(each, mtime=0) if compressed else each for each in layers]
    root = {
        "type": "layers",
        "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers],
    }
    platform = {"os": "linux", "architecture": architecture}
    if variant:
        platform["variant"] = variant
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": blob(
            layout, json.dumps({**platform, "config": config, "rootfs": root}).encode(), OCI_CONFIG
        ),
        "layers": [blob(layout, each, kind) for each in blobs],
    }
    return {**blob(layout, json.dumps(manifest).encode(), OCI_MANIFEST), "platform": platform}


def index(layout: Path, *entries: Mapping[str, object]) -> dict[str, object]:
    """Put an index into a layout; its descriptor."""
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)}
    return blob(layout, json.dumps(content).encode(), OCI_INDEX)


def write_layout(layout: Path, **named: Mapping[str, object]) -> Path:
    """Write what makes a folder a layout, with images under their names."""
    entries = [
        {**each, "annotations": {"org.opencontainers.image.ref.name": name}}
        for name, each in named.items()
    ]
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return layout
