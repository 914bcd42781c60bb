"""An OCI image layout: Debian with an application, as a registry would hand it out.

    oci-layout, index.json               what this folder is, and which manifest it has
    blobs/sha256/<digest>                manifest, configuration, two layers

The layers are tar archives, the first a Debian root without its kernel, the second an application
of scripts, a table of measurements and settings, both compressed by ``gzip -n``.

Source: OCI Image Format Specification 1.1, *Image Layout*, *Image Manifest*, *Image Layer*.
"""

import gzip
import hashlib
import io
import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.updates import roots, trees

from reconix.base.process import run

_MODULES = 120
_MAX_LAYER_BYTES = 1 << 30
_KIND = "application/vnd.oci.image."
_KERNEL = ("boot", "usr/lib/modules", "vmlinuz", "vmlinuz.old", "initrd.img", "initrd.img.old")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer in the layout: the digest of its blob and of the archive in it."""

    digest: str
    size_bytes: int
    archive_digest: str


def write(root: Path, version: str, into: Path) -> None:
    """Write a layout whose image has a root and the application in a version."""
    blobs = into / "blobs/sha256"
    blobs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="reconix-layout-") as name:
        base, application = Path(name, "base"), Path(name, "application")
        roots.copy_without(root, base, _KERNEL)
        write_application(application, version)
        layers = [_layer(tree, blobs, Path(name)) for tree in (base, application)]
    configuration = _blob(
        blobs,
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/usr/bin/python3", "/srv/station/main.py"]},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{layer.archive_digest}" for layer in layers],
            },
        },
    )
    manifest = _blob(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": f"{_KIND}manifest.v1+json",
            "config": _descriptor("config.v1+json", *configuration),
            "layers": [
                _descriptor("layer.v1.tar+gzip", layer.digest, layer.size_bytes) for layer in layers
            ],
        },
    )
    index = {"schemaVersion": 2, "manifests": [_descriptor("manifest.v1+json", *manifest)]}
    (into / "index.json").write_text(json.dumps(index))
    (into / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def apply(layout: Path, into: Path) -> None:
    """Apply the layers of the image of a layout, the first one first."""
    (described,) = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads(_path(layout, described["digest"]).read_text())
    for layer in manifest["layers"]:
        archive = gzip.decompress(_path(layout, layer["digest"]).read_bytes())
        roots.unpack(io.BytesIO(archive), into)


def _path(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def write_application(place: Path, version: str) -> None:
    """An application of many scripts, of which a new version changes a few lines in some."""
    station = place / "srv/station"
    station.mkdir(parents=True)
    (station / "main.py").write_text(f'VERSION = "{version}"\nimport station\n')
    changed = random.Random(version)
    for number in range(_MODULES):
        chance = random.Random(number)
        lines = [f"def step_{chance.randrange(10**9)}(a, b):\n    return a" for _ in range(400)]
        if number % 10 == 0:
            lines[changed.randrange(len(lines))] = f"LIMIT = {changed.randrange(10**6)}"
        (station / f"part_{number}.py").write_text("\n".join(lines) + "\n")
    chance = random.Random(0)
    table = [f"{second},{chance.gauss(20, 3):.2f}" for second in range(100_000)]
    (station / "calibration.csv").write_text("\n".join(table) + "\n")


def _layer(tree: Path, blobs: Path, work: Path) -> Layer:
    archive = work / "layer.tar"
    with archive.open("wb") as file:
        trees.write_archive(tree, file)
    content = run("gzip", "-n", "-c", archive, limit_bytes=_MAX_LAYER_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return Layer(digest, len(content), trees.content_digest(archive).hex())


def _blob(blobs: Path, document: object) -> tuple[str, int]:
    content = json.dumps(document).encode()
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return digest, len(content)


def _descriptor(kind: str, digest: str, size_bytes: int) -> dict[str, str | int]:
    return {"mediaType": _KIND + kind, "digest": f"sha256:{digest}", "size": size_bytes}
