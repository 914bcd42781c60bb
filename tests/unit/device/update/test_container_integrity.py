"""What is damaged of a container is found and repaired as what is of a system.

Its image, its layer and what crun is told are objects of the generation: made here as a build makes
them, from an image in a layout.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.locked_containers import host_of, images, lock_of, locked
from tests.oci_images import file, image, layer, write_layout
from tests.unit.device.conftest import Units
from tests.unit.device.test_main import feed
from tests.unit.device.update.test_repair import remedy
from tests.unit.device.update.test_verify import alter, remove

from reconix.containers.making import ContainerMaker
from reconix.device.__main__ import main
from reconix.device.state.scrubbed import read_scrubbed
from reconix.device.update.scrub import scrub
from reconix.device.update.verify import verify
from reconix.store.paths import StorePath

PROGRAM, LAID = b"a program of an image\n" * 500, "laid over it\n" * 500
SYSTEM = f"""
[containers.app]
image = "oci:images:app"
network = "host"
files."/etc/app.conf".text = '''{LAID}'''
"""
PARTS = pytest.mark.parametrize(
    ("name", "path"),
    [
        ("container-root", "root/bin/app"),
        ("container-layer-app", "root/etc/app.conf"),
        ("containers-web", "app/config.json"),
    ],
)


@pytest.fixture
def containers(machine: Machine, tmp_path: Path) -> StorePath:
    """Those of the system that runs."""
    place = tmp_path / "project"
    place.mkdir()
    layers = (layer(file("bin/app", PROGRAM, mode=0o755)),)
    app = image(place / "images", layers, config={"Cmd": ["/bin/app"]})
    write_layout(place / "images", app=app)
    host = host_of(place, web=SYSTEM)
    lock = lock_of(host, {"app": locked(place, "oci:images:app")}, "web")
    maker = ContainerMaker(machine.store, images(place), lambda packages: {})
    made = maker.make(host, lock, "web", place)
    assert made is not None
    machine.generation("contained", containers={"default": made})
    machine.install("contained")
    machine.boot()
    assert verify(machine.device) == []
    return made


def part(machine: Machine, containers: StorePath, name: str) -> StorePath:
    return next(each for each in machine.store.closure(containers) if each.name == name)


@PARTS
@pytest.mark.parametrize("damage", [alter, remove])
def test_a_damaged_content_of_a_container_is_named_and_comes_again(
    machine: Machine,
    units: Units,
    containers: StorePath,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    name: str,
    path: str,
) -> None:
    found = part(machine, containers, name)
    damage(machine.place_of(found, *path.split("/")))
    (wrong,) = verify(machine.device)
    assert wrong.endswith(f"it is that of {found}/{path}")
    scrub(machine.device)
    feed(monkeypatch, remedy(machine, target="contained"))
    assert main(["receive"], machine.device) == 0
    assert verify(machine.device) == []
    known = read_scrubbed(machine.paths)
    assert known is not None and known.damaged == ()
    assert units.calls == [], "nothing is started again"


def test_a_damaged_image_with_containers_is_named_and_comes_again(
    machine: Machine, containers: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = part(machine, containers, "container-root")
    manifests = machine.registry.manifests()
    entry = next(e for each in manifests for e in each.images if root in e.objects)
    image_file = machine.registry.image_path(entry.sha256)
    image_file.chmod(0o600)
    whole = image_file.read_bytes()
    image_file.write_bytes(whole[:1024] + bytes(64) + whole[1088:])
    assert any(entry.sha256.hex() in wrong for wrong in verify(machine.device))
    scrub(machine.device)
    feed(monkeypatch, remedy(machine, target="contained"))
    assert main(["receive"], machine.device) == 0
    assert verify(machine.device) == [] and image_file.read_bytes() == whole
