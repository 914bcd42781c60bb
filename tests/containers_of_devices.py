"""A model of a device whose systems have containers."""

from dataclasses import replace

from tests.device_model import Machine

from reconix.base.digests import Digest
from reconix.device.settings.containers import LINK, NAME, Container, print_containers
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink, folder

BROKER = Container(
    "broker",
    "container-broker.service",
    Digest.of(b"broker"),
    image="registry.example.com/broker:2",
    digest=Digest.of(b"index"),
    has_health=True,
    objects=(StorePath("0" * 32, "container-root"),),
)
LOGGER = Container(
    "logger",
    "container-logger.service",
    Digest.of(b"logger"),
    packages=("python3-flask",),
    network="with:broker",
)


def containers_in_store(machine: Machine, *containers: Container) -> StorePath:
    """The object with some containers, in the build store."""
    tree = folder({NAME: File(print_containers(containers))})
    return machine.store.add_files(tree, "containers-web")


def containers_with_files(store: ChrootStore) -> StorePath:
    """Two containers of one image of 7000 bytes, of which one has a file of 2000 bytes besides.

    Of those 7000 bytes 3000 are equal to the kernel of ``tests/installed_packages.py``.
    """
    own, known = File(b"x" * 4000), File(b"k" * 3000)
    image = store.add_files(folder({"root/own": own, "root/known": known}), "container-root")
    layer = store.add_files(folder({"root/conf": File(b"c" * 2000)}), "container-layer-broker")
    listed = (replace(BROKER, objects=(layer, image)), replace(LOGGER, objects=(image,)))
    tree = folder({NAME: File(print_containers(listed))})
    return store.add_files(tree, "containers-mail", [image, layer])


def device_with(machine: Machine, *containers: Container) -> Machine:
    """A new device whose systems have these containers, started."""
    made = containers_in_store(machine, *containers)
    place = machine.place.with_name("with-containers")
    device = Machine.make(place, machine.store, extra={LINK: Symlink(str(made))})
    device.boot()
    return device
