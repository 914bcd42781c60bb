"""What references lead to stands in the lock; what cannot be had is told where it is written."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.oci_images import blob, file, image, index, layer, write_layout

from reconix.base.digests import Digest
from reconix.build.archive.retry import RetryPolicy
from reconix.config.load import load_with_places
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.document import parse_lock, print_lock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.containers.descriptors import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from reconix.containers.locking import BadContainers, lock_images
from reconix.containers.registry import Access

LAYERS = (layer(file("a", b"1")), layer(file("b", b"2")))
HURRY = Access(retry=RetryPolicy(attempts=1, pause_seconds=0))


class Project:
    """A project with a layout of images, and what its packages are locked to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hosts/gw/systems").mkdir(parents=True)
        (folder / "reconix.toml").write_text('name = "test"\n')
        self.machine("")
        layout = folder / "images"
        one, other = image(layout, LAYERS), image(layout, LAYERS[:1], architecture="arm64")
        write_layout(layout, app=one, both=index(layout, one, other))

    def machine(self, text: str) -> None:
        machine = f'kernel.package = "linux-image-amd64"\n{text}'
        (self.folder / "hosts/gw/machine.toml").write_text(machine)

    def system(self, text: str, name: str = "default") -> None:
        (self.folder / f"hosts/gw/systems/{name}.toml").write_text(text)

    def lock(
        self, previous: Lock | None = None, *, keep: bool = False, access: Access = HURRY
    ) -> Lock:
        loaded = load_with_places(self.folder)
        systems = {
            name: SystemLock((), (), "linux-image-amd64", ())
            for name in loaded.configuration.hosts["gw"].systems
        }
        host = loaded.configuration.hosts["gw"]
        bare = HostLock(host.architecture.value, ("trixie",), ("main",), (), (), systems)
        if previous:
            bare = replace(bare, ranges=previous.hosts["gw"].ranges)
        return lock_images(
            loaded,
            Lock({"gw": bare}),
            access,
            work=self.folder,
            previous=previous,
            keep=keep,
        )

    def refused(self, text: str) -> BadContainers:
        self.system(text)
        with pytest.raises(BadContainers) as failure:
            self.lock()
        return failure.value


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def container(lock: Lock, name: str = "a", system: str = "default") -> ContainerLock:
    return lock.hosts["gw"].systems[system].containers[name]


def test_an_image_is_locked_by_the_digests_of_all_its_parts(project: Project) -> None:
    project.system('[containers.a]\nimage = "oci:images:app"\n')
    found = container(project.lock())
    assert found.asked == "oci:images:app"
    assert [each.diff_id for each in found.layers] == [Digest.of(each) for each in LAYERS]
    assert found.manifest is not None and found.config is not None
    assert found.top == found.manifest.digest
    for part in (found.manifest, *found.blobs()):
        content = (project.folder / f"images/blobs/sha256/{part.digest.hex()}").read_bytes()
        assert (Digest.of(content), len(content)) == (part.digest, part.size_bytes)


def test_the_same_is_written_when_nothing_has_changed(project: Project) -> None:
    project.system('[containers.a]\nimage = "oci:images:app"\n')
    first = print_lock(project.lock())
    assert print_lock(project.lock(parse_lock(first, source="test"))) == first


@pytest.mark.parametrize(("architecture", "layers"), [("amd64", 2), ("arm64", 1)])
def test_the_image_is_that_of_the_machine(project: Project, architecture: str, layers: int) -> None:
    project.machine(f'architecture = "{architecture}"\n')
    project.system('[containers.a]\nimage = "oci:images:both"\n')
    found = container(project.lock())
    assert len(found.layers) == layers
    assert found.manifest is not None and found.top != found.manifest.digest


def test_ranges_follow_the_names_and_are_remembered(project: Project) -> None:
    project.system('containers.b.image = "oci:images:app"\ncontainers.a.image = "oci:images:app"\n')
    project.system('containers.b.image = "oci:images:app"\n', "other")
    first = project.lock()
    assert first.hosts["gw"].ranges == {"a": 0, "b": 1}
    project.system('containers.c.image = "oci:images:app"\n')
    assert project.lock(first).hosts["gw"].ranges == {"a": 0, "b": 1, "c": 2}


def test_what_keeps_has_no_say_over_files_of_the_project(project: Project) -> None:
    project.system('[containers.a]\nimage = "oci:images:app"\n')
    before = project.lock()
    shutil.rmtree(project.folder / "images")
    layout = project.folder / "images"
    write_layout(layout, app=image(layout, LAYERS[1:]))
    assert len(container(project.lock(before, keep=True)).layers) == 1


def test_what_a_registry_said_is_kept_without_asking(project: Project) -> None:
    nobody = "127.0.0.1:1/apps/a:1"
    project.system('[containers.a]\nimage = "oci:images:app"\n')
    known = replace(container(project.lock()), asked=nobody)
    before = Lock(
        {
            "gw": replace(
                (host := project.lock().hosts["gw"]),
                systems={"default": replace(host.systems["default"], containers={"a": known})},
            )
        }
    )
    project.system(f'[containers.a]\nimage = "{nobody}"\n')
    assert container(project.lock(before, keep=True)) == known
    with pytest.raises(BadContainers):
        project.lock(before)
    project.system(f'[containers.a]\nimage = "{nobody}2"\n')
    with pytest.raises(BadContainers):
        project.lock(before, keep=True)
    project.machine('architecture = "arm64"\n')
    project.system(f'[containers.a]\nimage = "{nobody}"\n')
    with pytest.raises(BadContainers):
        project.lock(before, keep=True)


def spoil(folder: Path, which: str) -> None:
    """Change a byte of a part of the image."""
    layout = folder / "images"
    manifests = json.loads((layout / "index.json").read_bytes())["manifests"]
    digest = manifests[0]["digest"]
    if which == "config":
        content = (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        digest = json.loads(content)["config"]["digest"]
    place = layout / "blobs/sha256" / digest.removeprefix("sha256:")
    place.write_bytes(place.read_bytes()[:-1] + b" ")


NOT_TO_BE_HAD = {
    "oci:nowhere:app": "there is no oci-layout",
    "oci:images:other": "oci:images:other is not there; there are: 'app', 'both'",
    "oci:images": "could be 2 images",
    "oci-archive:app.tar": "there is no archive",
    "docker-archive:reconix.toml": "reconix.toml",
    "127.0.0.1:1/apps/a:1": "127.0.0.1:1/apps/a/manifests/1",
}


@pytest.mark.parametrize("reference", NOT_TO_BE_HAD)
def test_what_cannot_be_had_is_told_at_its_line(project: Project, reference: str) -> None:
    error = project.refused(f'\n[containers.a]\nimage = "{reference}"\n')
    (problem,) = error.problems
    assert problem.key == "containers.a.image"
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 3)
    assert NOT_TO_BE_HAD[reference] in problem.fact
    assert 60 <= error.exit_code < 70


@pytest.mark.parametrize("which", ["manifest", "config"])
def test_a_part_that_was_changed_is_told_by_its_digest(project: Project, which: str) -> None:
    spoil(project.folder, which)
    (problem,) = project.refused('[containers.a]\nimage = "oci:images:app"\n').problems
    assert "sha256:" in problem.fact
    assert problem.place.line == 2


def test_an_image_for_another_machine_is_told(project: Project) -> None:
    project.machine('architecture = "arm64"\n')
    (problem,) = project.refused('[containers.a]\nimage = "oci:images:app"\n').problems
    assert "no image for linux/arm64; there are: linux/amd64" in problem.fact


def test_an_image_without_a_command_needs_one(project: Project) -> None:
    layout = project.folder / "images"
    write_layout(layout, silent=image(layout, LAYERS, config={}))
    (problem,) = project.refused('[containers.a]\nimage = "oci:images:silent"\n').problems
    assert "does not say what is to run in it" in problem.fact
    assert problem.hint == "say it: command = [...] of the container"
    project.system('[containers.a]\nimage = "oci:images:silent"\ncommand = ["/a"]\n')
    assert container(project.lock()).asked == "oci:images:silent"


def test_all_that_is_wrong_is_told_at_once(project: Project) -> None:
    text = '[containers.a]\nimage = "oci:no:a"\n[containers.b]\nimage = "oci:no:a"\n'
    project.system('[containers.c]\nimage = "oci:no:c"\n', "other")
    error = project.refused(text)
    assert [(each.key, each.place.line) for each in error.problems] == [
        ("containers.a.image", 2),
        ("containers.b.image", 4),
        ("containers.c.image", 2),
    ]


def test_a_container_of_packages_is_left_alone(project: Project) -> None:
    project.system('[containers.a]\npackages = ["nginx"]\ncommand = ["nginx"]\n')
    assert project.lock().hosts["gw"].systems["default"].containers == {}
    assert project.lock().hosts["gw"].ranges == {}


def documents(layout: Path) -> tuple[Path, Path]:
    """The manifest and the configuration of the only image."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = layout / "blobs/sha256" / entry["digest"].removeprefix("sha256:")
    config = json.loads(manifest.read_bytes())["config"]["digest"].removeprefix("sha256:")
    return manifest, layout / "blobs/sha256" / config


def rewritten(layout: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """An image with another manifest, which its index names rightly."""
    manifest, _ = documents(layout)
    content = json.loads(manifest.read_bytes())
    change(content)
    found = blob(layout, json.dumps(content).encode(), content.get("mediaType", OCI_MANIFEST))
    write_layout(layout, app=found)


def another_config(layout: Path, change: Callable[[dict[str, Any]], object]) -> None:
    _, config = documents(layout)
    content = json.loads(config.read_bytes())
    change(content)
    found = blob(layout, json.dumps(content).encode(), OCI_CONFIG)
    rewritten(layout, lambda manifest: manifest.update(config=found))


def layers_are(media_type: str) -> Callable[[Path], None]:
    def change(layout: Path) -> None:
        rewritten(layout, lambda each: each["layers"][0].update(mediaType=media_type))

    return change


def longer(layout: Path) -> None:
    _, config = documents(layout)
    config.write_bytes(config.read_bytes() + b"\n")


def shorter(layout: Path) -> None:
    _, config = documents(layout)
    config.write_bytes(config.read_bytes()[:-1])


def flipped(layout: Path) -> None:
    _, config = documents(layout)
    config.write_bytes(config.read_bytes().replace(b"amd64", b"AMD64"))


def large(layout: Path) -> None:
    rewritten(layout, lambda each: each.update(annotations={"a": "a" * (4 << 20)}))


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a configuration that was flipped": (flipped, "is something else: found sha256:"),
    "one that is too long": (longer, "is something else: expected"),
    "one that is too short": (shorter, "is something else: expected"),
    "a manifest over 4 MiB": (large, "is larger than 4194304 bytes"),
    "fewer layers than diff IDs": (
        lambda layout: rewritten(layout, lambda each: each["layers"].pop()),
        "knows 2 layers, but its manifest has 1",
    ),
    "fewer diff IDs than layers": (
        lambda layout: another_config(layout, lambda each: each["rootfs"]["diff_ids"].pop()),
        "knows 1 layers, but its manifest has 2",
    ),
    "schema 1": (
        lambda layout: rewritten(
            layout,
            lambda each: each.update(
                schemaVersion=1,
                mediaType="application/vnd.docker.distribution.manifest.v1+json",
            ),
        ),
        "has Docker's manifest format 1",
    ),
    "an encrypted layer": (layers_are(f"{OCI_LAYER}+gzip+encrypted"), "is encrypted"),
    "a foreign layer": (
        layers_are("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        "is in no registry",
    ),
    "an artifact": (
        layers_are("application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
        "not the layer",
    ),
    "a program for another system": (
        lambda layout: another_config(layout, lambda each: each.update(os="windows")),
        "has no image for linux/amd64; there are: windows/amd64",
    ),
    "a working directory that climbs": (
        lambda layout: another_config(
            layout, lambda each: each.update(config={"WorkingDir": "/a/../.."})
        ),
        "is no path in an image",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_o3_what_no_device_could_use_is_refused_at_its_line(project: Project, what: str) -> None:
    spoiled, fact = BAD[what]
    layout = project.folder / "images"
    write_layout(layout, app=image(layout, LAYERS))
    spoiled(layout)
    before = sorted(project.folder.rglob("*"))
    (problem,) = project.refused('\n[containers.a]\nimage = "oci:images:app"\n').problems
    assert fact in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 3)
    assert sorted(project.folder.rglob("*")) == sorted([*before, problem.place.file])
