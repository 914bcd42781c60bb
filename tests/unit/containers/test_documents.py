"""Documents of images: bounded, checked, and refused with the reason."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reconix.containers.descriptors import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    BadImage,
)
from reconix.containers.documents import Index, Manifest, parse_layers, parse_top

SHA = "sha256:" + "ab" * 32
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
Document = Mapping[str, object]


def part(kind: str, **more: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": SHA, "size": 10, **more}


def manifest(*layers: str, config: str = OCI_CONFIG, **more: object) -> Document:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": part(config),
        "layers": [part(kind) for kind in layers],
        **more,
    }


def read(document: object, told: str = "") -> Index | Manifest:
    return parse_top(json.dumps(document).encode(), source="it", told=told)


@pytest.mark.parametrize(
    "layer", [OCI_LAYER, f"{OCI_LAYER}+gzip", f"{OCI_LAYER}+zstd", DOCKER_LAYER]
)
def test_layers_of_all_programs_are_taken(layer: str) -> None:
    found = read(manifest(layer))
    assert isinstance(found, Manifest) and found.layers[0].media_type == layer


def test_a_manifest_of_docker_is_the_same() -> None:
    document = {**manifest(DOCKER_LAYER, config=DOCKER_CONFIG), "mediaType": DOCKER_MANIFEST}
    assert isinstance(read(document, DOCKER_MANIFEST), Manifest)
    assert isinstance(read({"manifests": [part(DOCKER_MANIFEST)]}, DOCKER_INDEX), Index)


def test_a_document_that_does_not_say_what_it_is_is_what_is_in_it() -> None:
    document = {key: value for key, value in manifest(OCI_LAYER).items() if key != "mediaType"}
    assert isinstance(read(document), Manifest)
    assert isinstance(read({"manifests": []}), Index)


def test_an_index_has_names_and_platforms() -> None:
    notes = {"org.opencontainers.image.ref.name": "app"}
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8", "os.features": ["x"]}
    found = read({"manifests": [part(OCI_MANIFEST, annotations=notes, platform=platform)]})
    assert isinstance(found, Index)
    assert (found.entries[0].name, str(found.entries[0].platform)) == ("app", "linux/arm64/v8")


V1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
REFUSED: dict[str, tuple[Document, str, str]] = {
    "format 1": ({"schemaVersion": 1, "fsLayers": []}, "", "manifest format 1"),
    "format 1, told": ({"fsLayers": []}, V1, "manifest format 1"),
    "both": ({**manifest(), "manifests": []}, "", "an index and a manifest at once"),
    "another than it says": ({"mediaType": OCI_MANIFEST, "manifests": []}, "", "is not the"),
    "another than is told": (
        {key: value for key, value in manifest().items() if key != "mediaType"},
        OCI_INDEX,
        "is not the",
    ),
    "something else": ({"mediaType": "application/vnd.other+json"}, "", "not the manifest"),
    "nothing": ({}, "", "'config' is missing"),
    "a chart": (
        manifest(config="application/vnd.cncf.helm.config.v1+json"),
        "",
        "it has no root, but 'application/vnd.cncf.helm",
    ),
    "an artifact": (
        manifest(config="application/vnd.oci.empty.v1+json", artifactType="application/x"),
        "",
        "it has no root, but 'application/x'",
    ),
    "an encrypted layer": (manifest(f"{OCI_LAYER}+gzip+encrypted"), "", "is encrypted"),
    "a foreign layer": (
        manifest("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        "",
        "is in no registry",
    ),
    "a layer not to be spread": (
        manifest("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        "",
        "is in no registry",
    ),
    "a layer of something else": (manifest("text/plain"), "", "not the layer of a file system"),
    "another hash": (
        {"manifests": [{**part(OCI_MANIFEST), "digest": f"sha512:{'ab' * 64}"}]},
        "",
        "no SHA-256 digest",
    ),
    "half a hash": ({"manifests": [part(OCI_MANIFEST, digest="sha256:ab")]}, "", "no SHA-256"),
    "a hash in large letters": (
        {"manifests": [part(OCI_MANIFEST, digest=SHA.upper())]},
        "",
        "no SHA-256 digest",
    ),
    "a size below nothing": ({"manifests": [part(OCI_MANIFEST, size=-1)]}, "", "'size' must be"),
    "an endless size": ({"manifests": [part(OCI_MANIFEST, size=1 << 41)]}, "", "a blob of"),
    "a type that is none": ({"mediaType": "\x1b[2J"}, "", "is no media type"),
    "layers without end": (manifest(*[OCI_LAYER] * 1001), "", "has 1001 layers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_device_could_run_is_refused_with_the_reason(name: str) -> None:
    document, told, why = REFUSED[name]
    with pytest.raises(BadImage, match=why):
        read(document, told)


def test_a_document_of_more_than_four_mebibytes_is_refused() -> None:
    with pytest.raises(BadImage, match="it is larger than 4194304 bytes"):
        parse_top(b" " * (4 << 20) + b"{}", source="it")


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadImage, match="a key stands twice"):
        parse_top(b'{"manifests": [], "manifests": []}', source="it")


ROOT = {"type": "layers", "diff_ids": [SHA]}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"os": "linux", "architecture": "amd64"}, "'rootfs' is missing"),
        ({"os": "linux", "rootfs": ROOT}, "'architecture' is missing"),
        ({"os": "linux", "architecture": "amd64", "rootfs": {"type": "x"}}, "not made of layers"),
        (
            {"os": "linux", "architecture": "amd64", "rootfs": {**ROOT, "diff_ids": ["md5:1"]}},
            "no SHA-256 digest",
        ),
    ],
)
def test_a_configuration_without_layers_is_refused(config: Document, why: str) -> None:
    with pytest.raises(BadImage, match=why):
        parse_layers(json.dumps(config).encode(), source="it")


VALUES = some.recursive(
    some.one_of(
        some.none(), some.integers(), some.text(max_size=5), some.sampled_from([SHA, OCI_LAYER])
    ),
    lambda each: some.one_of(
        some.lists(each, max_size=3),
        some.dictionaries(
            some.sampled_from(
                [
                    *("manifests", "layers", "config", "mediaType", "digest", "size", "platform"),
                    *("annotations", "rootfs", "type", "diff_ids", "os", "architecture"),
                ]
            ),
            each,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_document_is_read_or_refused(value: object) -> None:
    for parse in (parse_top, parse_layers):
        try:
            parse(json.dumps(value).encode(), source="it")
        except BadImage:
            continue
