"""The containers of a system as objects of the store.

    image or packages ──► container-root, container-debian ┐     (each with a sidecar)
    configuration ──────► container-layer-NAME ────────────┼──► containers-SYSTEM ──► toplevel
    both ───────────────► config.json, settings, units ────┘

A container is made from its lock and its configuration; a device looks nothing up. What makes it
is told by one *identity*: an update that leaves it alone need not stop the container.

Specified in ``docs/spec/containers.md``.
Tested by ``tests/unit/containers/test_making.py`` and ``tests/compat/test_containers.py``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.base.files import read_bounded
from reconix.config.lock.containers import IDS, ContainerLock, first_id
from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.merge import Table, dotted
from reconix.config.problems import Place, Problem
from reconix.config.schema.containers import Container, container_unit
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.containers import fitting, native
from reconix.containers.descriptors import BadImage
from reconix.containers.fetching import Images, layers_of
from reconix.containers.layers.unpack import METADATA
from reconix.containers.paths import inside
from reconix.containers.runtime import network, units
from reconix.containers.runtime.configuration import print_configuration
from reconix.containers.runtime.health import health_of
from reconix.containers.runtime.layer import ImageFiles, make_layer
from reconix.containers.runtime.network import ContainerNet
from reconix.containers.runtime.places import HOSTS, ROOT, layer_name
from reconix.containers.runtime.process import describe, process_of
from reconix.containers.runtime.shell import Started, print_settings
from reconix.containers.settings import HealthCheck, Settings, parse_settings
from reconix.containers.trees import ImageTree, described, image_tree
from reconix.device.settings import containers as listing
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import ITSELF, Sidecar
from reconix.store.tree import File, Symlink, folder

_MAX_ZONE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ContainerMaker:
    """Makes the containers of systems.

    Attributes:
        store: where they go.
        images: where the parts of images are to be had.
        fetch: gives the files of Debian packages.
    """

    store: ChrootStore
    images: Images
    fetch: native.Fetch
    _known: dict[ContainerLock, ImageTree] = field(default_factory=dict, compare=False)

    def unfit(self, host: Host, lock: HostLock, system: str, table: Table) -> Iterator[Problem]:
        """What the containers of a system ask for that is not in their images.

        Args:
            host: as configured.
            lock: of the host; it fits the configuration.
            system: the name of the system.
            table: its values, which know where they were written.
        """
        locked, configured = lock.systems[system].containers, host.systems[system]
        natives = self._natives(lock, system) if configured.containers else {}
        for name, container in sorted(configured.containers.items()):
            key = f"{system}: {dotted('containers', name)}"
            for error in self._unfit(
                key, name, container, locked[name], natives.get(name), lock.architecture
            ):
                yield fitting.problem(error, name, container, table, Place(host.folder))

    def _unfit(
        self,
        key: str,
        name: str,
        container: Container,
        locked: ContainerLock,
        found: ImageTree | None,
        architecture: str,
    ) -> Iterator[BadImage]:
        try:
            tree = found or self._image(locked)
            settings = self._settings(key, locked)
        except BadImage as error:
            yield error
            return
        image = _image_files(self.store, tree)
        yield from fitting.Wanted(name, container, settings, image, architecture, key).unfit()

    def make(self, host: Host, lock: HostLock, system: str, root: Path) -> StorePath | None:
        """The object with the containers of a system; nothing if it has none.

        Args:
            host: as configured.
            lock: of the host; it fits the configuration.
            system: the name of the system.
            root: its Debian root, as it lies in the store.

        Raises:
            BadImage: an image is damaged, or something that is asked for is not in it.
        """
        configured = host.systems[system]
        if not configured.containers:
            return None
        locked, natives = lock.systems[system].containers, self._natives(lock, system)
        plan = _System.of(host, lock, system, _localtime(configured, root))
        made = [
            self._container(plan, name, locked[name], natives.get(name))
            for name in sorted(configured.containers)
        ]
        return self._together(plan, made)

    def known(self, refuse: Callable[..., Mapping[LockedPackage, Path]]) -> "ContainerMaker":
        """The same, which has only what was made before.

        Args:
            refuse: called where it would fetch or unpack something; raises.
        """
        return replace(self, fetch=refuse, images=replace(self.images, before_work=refuse))

    def _natives(self, lock: HostLock, system: str) -> Mapping[str, ImageTree]:
        containers = lock.systems[system].containers
        by_name = {name: each for name, each in containers.items() if each.is_native}
        return native.native_trees(self.store, lock, by_name, self.fetch) if by_name else {}

    def _container(
        self, plan: "_System", name: str, locked: ContainerLock, found: ImageTree | None
    ) -> "_Made":
        tree = found or self._image(locked)
        _tell_unreachable(plan.key(name), tree)
        settings = self._settings(plan.key(name), locked)
        image = _image_files(self.store, tree)
        container = plan.configured.containers[name]
        wanted = fitting.Wanted(
            name, container, settings, image, plan.architecture, source=plan.key(name)
        )
        for error in wanted.unfit():
            raise error
        made = make_layer(name, container, image, localtime=plan.localtime, source=plan.key(name))
        path = self.store.add_files(made.tree, layer_name(name))
        layer = described(self.store, Sidecar(path, made.entries, (METADATA.encode(),)))
        return _Recipe(plan, name, (layer, tree), settings, image.root, made.volumes).made(locked)

    def _image(self, locked: ContainerLock) -> ImageTree:
        if locked not in self._known:
            layers = layers_of(locked)
            self._known[locked] = image_tree(self.store, layers, lambda: self.images.layers(locked))
        return self._known[locked]

    def _settings(self, key: str, locked: ContainerLock) -> Settings:
        if locked.is_native:
            return Settings()
        return parse_settings(self.images.settings(locked), source=f"{key} ({locked.asked})")

    def _together(self, plan: "_System", made: list["_Made"]) -> StorePath:
        trees = {tree.path: tree for each in made for tree in each.trees}
        files = {path: file for each in made for path, file in each.files.items()}
        content = folder(
            {
                listing.NAME: File(listing.print_containers(each.listed for each in made)),
                **files,
                **plan.common(),
                **{
                    f"sidecars/{path.basename}": Symlink(str(tree.sidecar))
                    for path, tree in trees.items()
                },
            }
        )
        objects = [path for tree in trees.values() for path in (tree.path, tree.sidecar)]
        return self.store.add_files(content, f"containers-{plan.system}", objects)


@dataclass(frozen=True, slots=True)
class _System:
    """What concerns all containers of a system."""

    system: str
    configured: System
    architecture: str
    ranges: Mapping[str, int]
    nets: Mapping[str, ContainerNet]
    rules: str
    localtime: bytes | None

    @classmethod
    def of(cls, host: Host, lock: HostLock, system: str, localtime: bytes | None) -> "_System":
        configured = host.systems[system]
        nets = network.networks(configured.containers, lock.ranges)
        rules = network.ruleset(configured.containers, nets)
        return cls(system, configured, lock.architecture, lock.ranges, nets, rules, localtime)

    def key(self, name: str) -> str:
        """A container as messages call it."""
        return f"{self.system}: {dotted('containers', name)}"

    def common(self) -> dict[str, File]:
        """The files that belong to no container."""
        common = units.of_all(self.configured.containers, has_rules=bool(self.rules))
        found = {f"units/{name}": text for name, text in common.items()}
        rules = {"nftables": self.rules} if self.rules else {}
        return {path: File(text.encode()) for path, text in {**found, **rules}.items()}


@dataclass(frozen=True, slots=True)
class _Made:
    """A container: its trees, the uppermost first, and its files in the object of the system."""

    trees: tuple[ImageTree, ...]
    files: Mapping[str, File]
    listed: listing.Container


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that a container is made from."""

    plan: _System
    name: str
    trees: tuple[ImageTree, ...]
    image: Settings
    root: Path
    """The tree of its image on this machine."""
    volumes: Mapping[str, str]

    @property
    def container(self) -> Container:
        """As configured."""
        return self.plan.configured.containers[self.name]

    @property
    def net(self) -> ContainerNet:
        """Its network."""
        return self.plan.nets[self.name]

    @property
    def _stop_signal(self) -> str:
        return self.container.stop_signal or self.image.stop_signal

    def made(self, locked: ContainerLock) -> _Made:
        """The container."""
        health = health_of(self.container.health, self.image.health)
        files = {**self._own(health), **self._units(health)}
        hosts = File(network.hosts(self.name, self.plan.nets).encode())
        listed = listing.Container(
            self.name,
            container_unit(self.name),
            _identity(self.trees, files),
            image=locked.asked,
            digest=locked.top,
            packages=locked.asked_packages,
            has_health=health is not None,
            network=self.container.network,
            objects=tuple(tree.path for tree in self.trees),
        )
        return _Made(self.trees, {**files, f"{self.name}/{HOSTS}": hosts}, listed)

    def _own(self, health: HealthCheck | None) -> dict[str, File]:
        """What crun and the script are told."""
        name, first = self.name, first_id(self.plan.ranges[self.name])
        process = process_of(
            name, self.container, self.image, self.root, source=self.plan.key(name)
        )
        configuration = print_configuration(
            name,
            self.container,
            process,
            self.net,
            first_id=first,
            architecture=self.plan.architecture,
        )
        started = Started(
            self.plan.system,
            name,
            tuple(f"{tree.path.basename}/{ROOT}" for tree in self.trees),
            first,
            process.ids,
            self.net,
            self.volumes,
            self._stop_signal,
            health,
        )
        found = {
            f"{name}/config.json": configuration,
            f"{name}/settings": print_settings(self.container, started),
        }
        if health is not None:
            found[f"{name}/health.json"] = print_json(describe(process, health.command))
        return {path: File(content) for path, content in found.items()}

    def _units(self, health: HealthCheck | None) -> dict[str, File]:
        """What systemd is told."""
        secrets = self.plan.configured.secrets
        running = units.Running(self.net, secrets, self._stop_signal, health)
        found = units.of_container(self.name, self.container, running)
        return {f"units/{path}": File(text.encode()) for path, text in found.items()}


def _identity(trees: tuple[ImageTree, ...], files: Mapping[str, File]) -> Digest:
    """What changes whenever a container must be started again."""
    paths = [str(path) for tree in trees for path in (tree.path, tree.sidecar)]
    content = {path: str(Digest.of(file.content)) for path, file in files.items()}
    return Digest.of(print_json({"trees": paths, "files": content}))


def _image_files(store: ChrootStore, tree: ImageTree) -> ImageFiles:
    """The tree inside of an object."""
    inner = (pair for pair in tree.entries if pair[0] != ITSELF)
    below = {path.partition(b"/")[2] or ITSELF: said for path, said in inner}
    return ImageFiles(store.path(tree.path) / ROOT, below)


def _tell_unreachable(source: str, tree: ImageTree) -> None:
    """Owners beyond the range of a container are nobody in it."""
    count = sum(said.user >= IDS or said.group >= IDS for _, said in tree.entries)
    if count:
        progress.note(
            f"{source}: {count} files belong to users or groups beyond {IDS - 1}; in the container "
            "they belong to nobody"
        )


def _localtime(system: System, root: Path) -> bytes | None:
    """The time zone of a system, if it has one."""
    file = system.files.get("localtime")
    if file is None:
        return None
    if file.link is None:
        return file.read()
    place = inside(root, file.link)
    return read_bounded(place, _MAX_ZONE_BYTES) if place and place.is_file() else None
