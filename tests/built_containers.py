"""Machines whose containers are built as a project has them, and run here as on a device.

Images are locked, unpacked, and made the objects of a system; then the scripts, the units, systemd
and crun do what they do on a device, in namespaces of this machine.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.container_hosts import ContainerHost
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


@dataclass
class BuiltHost(ContainerHost):
    """A machine whose containers lie in a build store."""

    store: ChrootStore | None = None
    containers: StorePath | None = None

    @classmethod
    def make(cls, place: Path, text: str) -> "BuiltHost":
        """One whose system has these containers, all of them of images.

        Args:
            place: a folder, in which ``project`` may have files and images.
            text: of the configuration of the system.
        """
        configured = host_of(place / "project", web=text)
        asked = {
            name: str(each.image) for name, each in configured.systems["web"].containers.items()
        }
        locked = {name: lock(place / "project", image) for name, image in asked.items()}
        for name in ("empty", "device"):
            (place / name).mkdir()
        store = ChrootStore(place / "store")
        maker = ContainerMaker(store, images(place / "project"), lambda packages: {})
        known = lock_of(configured, locked, "web")
        made = maker.make(configured, known, "web", place / "empty")
        return cls(SystemPartition.make(place / "device"), store=store, containers=made)

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


def lock(folder: Path, asked: str) -> ContainerLock:
    """An image as ``reconix lock`` finds it, for this project."""
    reference = parse_reference(asked)
    with open_source(reference, folder=folder, access=Access(), work=folder) as source:
        return as_locked(asked, find_image(source, "amd64"))
