"""From a reference to digests: each step compared, each refusal with its digest."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.oci_images import file, image, index, layer, write_layout

from reconix.base.digests import Digest
from reconix.config.image_reference import InLayout
from reconix.containers.descriptors import OCI_INDEX, BadImage, Descriptor
from reconix.containers.images import Image, find_image
from reconix.containers.layout import FolderFiles, Layout

LAYERS = (layer(file("a")), layer(file("b")))
Change = Callable[[dict[str, object]], None]


def find(folder: Path, architecture: str = "amd64") -> Image:
    return find_image(Layout(InLayout(str(folder), "app"), FolderFiles(folder)), architecture)


def changed_config(folder: Path, change: Change) -> Path:
    """A layout with an image whose configuration says something else."""
    entry = image(folder, LAYERS)
    manifest = json.loads(blob_file(folder, str(entry["digest"])).read_text())
    config = json.loads(blob_file(folder, manifest["config"]["digest"]).read_text())
    change(config)
    manifest["config"] |= put(folder, config)
    return write_layout(folder, app={**entry, **put(folder, manifest)})


def put(folder: Path, document: object) -> dict[str, object]:
    content = json.dumps(document).encode()
    blob_file(folder, str(Digest.of(content))).write_bytes(content)
    return {"digest": str(Digest.of(content)), "size": len(content)}


def blob_file(folder: Path, digest: str) -> Path:
    return folder / "blobs/sha256" / digest.removeprefix("sha256:")


def test_an_image_is_found_with_all_its_digests(tmp_path: Path) -> None:
    entry = image(tmp_path, LAYERS, compressed=True)
    found = find(write_layout(tmp_path, app=entry))
    assert str(found.top) == str(found.manifest.digest) == entry["digest"]
    assert [each.diff_id for each in found.layers] == [Digest.of(content) for content in LAYERS]
    assert found.settings.command == ("/bin/run",)
    assert found.size_bytes > sum(each.blob.size_bytes for each in found.layers)


def remove_diff_id(config: dict[str, object]) -> None:
    root = config["rootfs"]
    assert isinstance(root, dict)
    root["diff_ids"].pop()


def add_diff_id(config: dict[str, object]) -> None:
    root = config["rootfs"]
    assert isinstance(root, dict)
    root["diff_ids"].append(root["diff_ids"][0])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (remove_diff_id, "knows 1 layers, but its manifest has 2"),
        (add_diff_id, "knows 3 layers, but its manifest has 2"),
        (lambda config: config.update(architecture="arm64"), "no image for linux/amd64"),
        (lambda config: config.update(os="windows"), "there are: windows/amd64"),
    ],
)
def test_a_configuration_of_another_image_is_refused(
    tmp_path: Path, change: Change, why: str
) -> None:
    """Umoci accepts a layer fewer than there are digests."""
    with pytest.raises(BadImage, match=why):
        find(changed_config(tmp_path, change))


def test_an_image_without_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="an image without layers"):
        find(write_layout(tmp_path, app=image(tmp_path, [])))


def test_what_there_is_instead_is_told(tmp_path: Path) -> None:
    aside = {**image(tmp_path, LAYERS), "platform": {"os": "unknown", "architecture": "unknown"}}
    both = index(tmp_path, image(tmp_path, LAYERS, architecture="arm64", variant="v8"), aside)
    write_layout(tmp_path, app=both)
    with pytest.raises(BadImage) as caught:
        find(tmp_path)
    said = f"{both['digest']} has no image for linux/amd64; there are: linux/arm64/v8"
    assert str(caught.value) == said


@pytest.mark.parametrize("which", ["manifest", "config"])
@pytest.mark.parametrize("change", ["flip", "longer", "shorter", "other", "none"])
def test_a_document_that_is_another_one_is_refused_at_its_digest(
    tmp_path: Path, which: str, change: str
) -> None:
    entry = image(tmp_path, LAYERS)
    write_layout(tmp_path, app=entry)
    manifest = blob_file(tmp_path, str(entry["digest"]))
    place = manifest
    if which == "config":
        place = blob_file(tmp_path, json.loads(manifest.read_text())["config"]["digest"])
    content = place.read_bytes()
    if change == "none":
        place.unlink()
    else:
        changes = {"flip": content[:-1] + b"]", "longer": content + b" ", "other": b"{}"}
        place.write_bytes(changes.get(change, content[:-1]))
    with pytest.raises(BadImage, match=place.name):
        find(tmp_path)


def test_indexes_that_lead_to_indexes_are_followed_a_few_times(tmp_path: Path) -> None:
    entry = image(tmp_path, LAYERS)
    for _ in range(3):
        entry = {**index(tmp_path, entry), "platform": entry["platform"]}
    assert find(write_layout(tmp_path, app=entry)).layers
    for _ in range(3):
        entry = {**index(tmp_path, entry), "platform": entry["platform"]}
    with pytest.raises(BadImage, match="leads from index to index, more than 4 times"):
        find(write_layout(tmp_path, app=entry))


def test_a_large_document_is_not_even_asked_for(tmp_path: Path) -> None:
    huge = {"mediaType": OCI_INDEX, "digest": f"sha256:{'a' * 64}", "size": 5 << 20}
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    huge["platform"] = {"os": "linux", "architecture": "amd64"}
    write_layout(tmp_path, app=index(tmp_path, huge))
    with pytest.raises(BadImage, match="is larger than 4194304 bytes"):
        find(tmp_path)


def test_what_is_copied_is_the_blob_or_refused(tmp_path: Path) -> None:
    image(tmp_path, LAYERS)
    source = Layout(InLayout(str(tmp_path)), FolderFiles(tmp_path))
    right = Descriptor("", Digest.of(LAYERS[0]), len(LAYERS[0]))
    into: BinaryIO = io.BytesIO()
    source.copy(right, into)
    assert into.getvalue() == LAYERS[0]  # type: ignore[attr-defined]
    for size in (right.size_bytes - 1, right.size_bytes + 1):
        with pytest.raises(BadImage, match=f"expected {size} bytes"):
            source.copy(Descriptor("", right.digest, size), io.BytesIO())
