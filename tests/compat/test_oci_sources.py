"""Images in files that other programs have written: the same image in each of them."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.oci_images import file, folder, image, index, layer, link, write_layout

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.config.image_reference import parse_reference
from reconix.containers.blobs import fetch_layers
from reconix.containers.descriptors import BadImage
from reconix.containers.images import Image, find_image
from reconix.containers.registry import Access
from reconix.containers.settings import HealthCheck, Port
from reconix.containers.sources import open_source

LAYERS = (layer(folder("etc"), file("etc/one", b"1" * 5000)), layer(link("l", "etc"), file("two")))
CONFIG = {
    "Entrypoint": ["/bin/start", "--now"],
    "Cmd": ["all"],
    "Env": ["PATH=/bin", "EMPTY=", "TEXT=a=b"],
    "User": "1000:50",
    "WorkingDir": "/srv/",
    "ExposedPorts": {"53/udp": {}, "80/tcp": {}, "8080": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGQUIT",
}


@pytest.fixture(autouse=True)
def _programs(need: Need) -> None:
    need("skopeo", "umoci", "buildah")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    place = tmp_path / "layout"
    made = image(place, LAYERS, compressed=True, config=CONFIG)
    return write_layout(place, app=made, other=image(place, LAYERS[:1]))


def find(reference: str, folder: Path, architecture: str = "amd64") -> Image:
    with open_source(
        parse_reference(reference), folder=folder, access=Access(), work=folder
    ) as source:
        return find_image(source, architecture)


def contents(reference: str, folder: Path) -> list[Digest]:
    """What is in the layers of an image, once they are fetched."""
    found = find(reference, folder)
    with open_source(
        parse_reference(reference), folder=folder, access=Access(), work=folder
    ) as source:
        layers = fetch_layers(found, lambda: source, cache=folder / "cache")
    return [each.diff_id for each in layers]


def copied(source: Path, target: str) -> None:
    run("skopeo", "--insecure-policy", "copy", f"oci:{source}:app", target)


def docker_archive(source: Path, target: Path) -> str:
    copied(source, f"docker-archive:{target}:example.com/app:1.0")
    return f"docker-archive:{target.name}:example.com/app:1.0"


def oci_archive(source: Path, target: Path) -> str:
    copied(source, f"oci-archive:{target}:app")
    return f"oci-archive:{target.name}:app"


def oci_folder(source: Path, target: Path) -> str:
    copied(source, f"oci:{target}:again")
    return f"oci:{target.name}:again"


FORMS = (docker_archive, oci_archive, oci_folder)


@pytest.mark.parametrize("write", FORMS)
def test_an_image_is_the_same_wherever_it_is(
    layout: Path, tmp_path: Path, write: Callable[[Path, Path], str]
) -> None:
    reference = write(layout, tmp_path / "copy")
    found, before = find(reference, tmp_path), find("oci:layout:app", tmp_path)
    assert found.settings == before.settings
    assert contents(reference, tmp_path) == [Digest.of(each) for each in LAYERS]
    assert found.settings.command == ("/bin/start", "--now", "all")
    assert found.settings.environment == (("PATH", "/bin"), ("EMPTY", ""), ("TEXT", "a=b"))
    assert (found.settings.user, found.settings.folder) == ("1000:50", "/srv")
    assert found.settings.ports == (Port(53, "udp"), Port(80), Port(8080))
    assert (found.settings.volumes, found.settings.stop_signal) == (("/data",), "SIGQUIT")


@pytest.mark.parametrize("write", FORMS[:2])
@pytest.mark.parametrize("program", ["gzip", "zstd"])
def test_an_archive_may_be_compressed_as_a_whole(
    layout: Path, tmp_path: Path, write: Callable[[Path, Path], str], program: str
) -> None:
    reference = write(layout, tmp_path / "copy")
    packed = run(program, "--stdout", tmp_path / "copy")
    (tmp_path / "copy").write_bytes(packed)
    assert contents(reference, tmp_path) == [Digest.of(each) for each in LAYERS]


def test_the_manifest_of_a_saved_image_is_the_same_each_time(layout: Path, tmp_path: Path) -> None:
    one = docker_archive(layout, tmp_path / "one")
    copied(tmp_path / "layout", f"docker-archive:{tmp_path / 'two'}:another.example.com/name:2")
    assert find(one, tmp_path) == find("docker-archive:two", tmp_path)


def test_a_layout_of_umoci_is_read(tmp_path: Path) -> None:
    store, tree = tmp_path / "made", tmp_path / "tree"
    run("umoci", "init", "--layout", store)
    run("umoci", "new", "--image", f"{store}:app")
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/run").write_bytes(b"program")
    words = ("--config.entrypoint=/usr/bin/run", "--config.volume=/data", "--architecture=arm64")
    run("umoci", "insert", "--image", f"{store}:app", tree, "/")
    run("umoci", "config", "--image", f"{store}:app", *words)
    found = find("oci:made:app", tmp_path, "arm64")
    assert found.settings.command == ("/usr/bin/run",)
    with pytest.raises(BadImage, match="has no image for linux/amd64; there are: linux/arm64"):
        find("oci:made:app", tmp_path)


def test_an_image_of_buildah_in_the_format_of_docker_has_its_check(tmp_path: Path) -> None:
    store = ("--root", tmp_path / "root", "--runroot", tmp_path / "run", "--storage-driver", "vfs")
    made = run("buildah", *store, "from", "scratch").decode().strip()
    (tmp_path / "program").write_bytes(b"program")
    run("buildah", *store, "copy", made, tmp_path / "program", "/bin/program")
    check = "--healthcheck=CMD /bin/program --check"
    run("buildah", *store, "config", check, "--healthcheck-interval=5s", "--cmd=/bin/program", made)
    target = f"docker-archive:{tmp_path / 'made.tar'}:example.com/made:1"
    run("buildah", *store, "commit", "--format=docker", "--disable-compression", made, target)
    found = find("docker-archive:made.tar", tmp_path)
    assert found.settings.command == ("/bin/program",)
    assert found.settings.health == HealthCheck(("/bin/program", "--check"), interval_seconds=5)
    assert len(contents("docker-archive:made.tar", tmp_path)) == 1


def test_of_several_platforms_the_best_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "layout"
    arm = [
        image(place, [layer(file(name))], architecture="arm64", variant=name)
        for name in ("v9", "", "v8")
    ]
    note = image(place, [layer(file("note"))])
    aside = {**note, "platform": {"os": "unknown", "architecture": "unknown"}}
    write_layout(place, both=index(place, aside, *arm, image(place, LAYERS)))
    best = find("oci:layout:both", tmp_path, "arm64")
    assert best.layers[0].diff_id == Digest.of(layer(file("v8")))
    assert find("oci:layout", tmp_path).layers[0].diff_id == Digest.of(LAYERS[0])
    with pytest.raises(BadImage, match=r"there are: linux/amd64, linux/arm64, linux/arm64/v8"):
        find("oci:layout", tmp_path, "riscv64")


def test_a_layer_that_an_old_docker_has_written_once_is_found_by_links(tmp_path: Path) -> None:
    """Docker before 25 writes a layer of two images once, and a link for the second."""
    root = {"type": "layers", "diff_ids": [str(Digest.of(each)) for each in (LAYERS[0],) * 2]}
    config = {"os": "linux", "architecture": "amd64", "config": {"Cmd": ["x"]}, "rootfs": root}
    saved = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    archive = layer(
        file("c.json", json.dumps(config).encode()),
        file("1/layer.tar", LAYERS[0]),
        link("2/layer.tar", "../1/layer.tar"),
        file("manifest.json", json.dumps(saved).encode()),
    )
    (tmp_path / "old.tar").write_bytes(gzip.compress(archive))
    assert contents("docker-archive:old.tar:a:1", tmp_path) == [Digest.of(LAYERS[0])] * 2
