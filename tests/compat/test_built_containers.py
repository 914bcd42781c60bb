"""Containers that are built as a project has them, started by systemd from images like a device's.

Images of buildah are locked, unpacked, and made the objects of a system; then the scripts, the
units, systemd and crun do what they do on a device, in namespaces of this machine.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.container_hosts import ContainerHost
from tests.container_images import BROKER, CONNECT, CONTAINERS, make_images
from tests.locked_containers import as_locked, host_of, images, lock_of
from tests.system_partitions import TOPLEVEL, SystemPartition, folder, link

from reconix.config.image_reference import parse_reference
from reconix.config.lock.containers import ContainerLock
from reconix.containers.images import find_image
from reconix.containers.making import ContainerMaker
from reconix.containers.registry import Access
from reconix.containers.sources import open_source
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.store.images.nodes import ImageFile, ImageFolder, Node
from reconix.store.paths import StorePath

pytestmark = pytest.mark.archive


@dataclass
class BuiltHost(ContainerHost):
    """A machine whose containers lie in a build store."""

    store: ChrootStore | None = None
    containers: StorePath | None = None

    def _images(self) -> str:
        assert self.store is not None and self.containers is not None
        trees = DeviceTrees(self.store)
        objects = trees.of_closure(self.store.closure_of(self.containers))
        for node in objects.values():
            self._fill_pool(node, trees)
        toplevel = folder({"containers": link(str(self.containers))})
        names = {path.basename: node for path, node in objects.items()}
        return self.partition.image({**names, TOPLEVEL.rpartition("/")[2]: toplevel})

    def _fill_pool(self, node: Node, trees: DeviceTrees) -> None:
        if isinstance(node, ImageFolder):
            for _, child in node.entries:
                self._fill_pool(child, trees)
        elif isinstance(node, ImageFile) and not node.is_inline:
            name = node.content.hex()
            place = self.partition.system / "pool" / name[:2] / name[2:]
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                os.link(trees.scanner.places[node.content], place)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> BuiltHost:
    need = Need()
    need("buildah", "busybox", "unshare")
    if os.geteuid() != 0:
        pytest.skip("only root can mount images")
    place = tmp_path_factory.mktemp("built")
    (place / "project/hosts/gw").mkdir(parents=True)
    (place / "project/hosts/gw/mosquitto.conf").write_text(BROKER)
    configured = host_of(place / "project", web=CONTAINERS)
    make_images(place / "project/images", place / "work")
    asked = {"broker": "docker-archive:images/broker.tar", "web": "oci:images/web:1"}
    locked = {name: lock(place / "project", text) for name, text in asked.items()}
    (place / "empty").mkdir()
    store = ChrootStore(place / "store")
    maker = ContainerMaker(store, images(place / "project"), lambda packages: {})
    known = lock_of(configured, locked, "web")
    made = maker.make(configured, known, "web", place / "empty")
    (place / "device").mkdir()
    return BuiltHost(SystemPartition.make(place / "device"), store=store, containers=made)


def lock(folder: Path, asked: str) -> ContainerLock:
    reference = parse_reference(asked)
    with open_source(reference, folder=folder, access=Access(), work=folder) as source:
        return as_locked(asked, find_image(source, "amd64"))


UP = (
    "waits 'systemctl is-active -q container-broker'; waits 'systemctl is-active -q container-web'"
    "; ip link set lo up"
)
PAGE = (
    "for turn in $(seq 200); do /scripts/busybox wget -q -O - 127.0.0.1:8080 2> /dev/null && break"
    "; sleep 0.2; done"
)


def test_clients_use_them_and_each_finds_what_it_needs(host: BuiltHost) -> None:
    """A page needs the user, the secret, the device and the volume of the app."""
    give_secret(host)
    spelled = "".join(f"\\{byte:03o}" for byte in CONNECT)
    ask = f"(printf '{spelled}'; sleep 0.5) | /scripts/busybox nc 127.0.0.1 1883 | od -A n -t x1"
    kept = "/run/reconix/data/systems/web/containers"
    said = host.boot(
        f"{UP}; waits '[ -e /run/reconix/containers/broker/healthy ]'; {ask}"
        f"; {PAGE}; echo; stat -c '%u:%g %n' {kept}/*/*; grep asks /journal"
        "; crun exec web cat /etc/hostname; systemctl --failed --plain --no-legend"
    )
    assert said.splitlines() == [
        " 20 02 00 00",
        "1000 s3cret True asked ",
        f"300:300 {kept}/broker/data",
        f"1000:1000 {kept}/web/state",
        "somebody asks",
        "web",
    ]


def give_secret(host: BuiltHost) -> None:
    folder = host.partition.place / "data/secrets"
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("s3cret\n")
