"""From a configuration and its lock to a generation.

    locked packages ──► root ──┐                          (root and etc with a sidecar each)
    kernel package ───► linux ─┤
    busybox, modules ─► initrd ┼─► toplevel of each system ─► boot tree ─► generation
    the agent ────────────────┤
    configuration ────► etc ──┤         ▲
    folders ──────────► trees ┤         │                  (each with a sidecar, too)
    images ──────► containers ┘         │                  (``containers/making.py``)
    the real Nix ───────────────────────┘

Roots, kernels and initrds are expensive, so they are looked up by recipe; everything else is
generated in memory and its path computed anew each time. Nothing here needs a network: packages
come from the cache, by hash.

Tested by ``tests/compat/test_build.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base import progress
from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.files import read_bounded
from reconix.base.firmware import FirmwareKind
from reconix.boot.loaders.arm_kernels import START_COMMANDS
from reconix.boot.loaders.loader import BootLoader
from reconix.boot.loaders.systemd_boot import Program, SystemdBoot
from reconix.boot.loaders.u_boot import UBootScript
from reconix.build import cached_recipes, nixos, recipes
from reconix.build.agent import bytecode, zipapp
from reconix.build.boot import firmware_files
from reconix.build.boot.firmware_files import PlacedFile, WithSlotFiles
from reconix.build.etc import configured_files, file_precedence
from reconix.build.etc.generated_files import Etc, make_etc, units_of_ones_own
from reconix.build.generation import add_generation, read_system
from reconix.build.measured import Measured
from reconix.build.minify import asked, loaded_by_name, minified, module_plan
from reconix.build.minify.asked import OfKernel
from reconix.build.minify.minimal_linux import FullKernel
from reconix.build.minify.module_plan import WantedModules
from reconix.build.minify.removed import list_removed
from reconix.build.recipes import Recipe
from reconix.build.root import debian, losses, metadata
from reconix.build.root.described import Packages
from reconix.build.software import meetings, together
from reconix.build.software.contained import ContainerSource
from reconix.build.software.device_files import DeviceFiles, Part
from reconix.build.software.placed import Bound, Layer, Placed
from reconix.build.software.programs import Programs
from reconix.build.software.trees import FoundTree, Trees
from reconix.build.starting import Fetch, Starting
from reconix.build.templates import fill
from reconix.build.toplevel import ALWAYS, Components, Lists, make_toplevel, print_persist
from reconix.build.units import machine_units
from reconix.build.users import configured_users, static_ids
from reconix.build.users.accounts import Accounts
from reconix.build.users.static_ids import Renumbering
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.lock.packages import LOADER, LockedPackage
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import MAX_SIDECAR_BYTES, Sidecar, parse_entries, print_sidecar
from reconix.store.tree import File, folder

if TYPE_CHECKING:
    from reconix.build.software.python.environment import FetchWheels

_FoundTrees = list[tuple[FoundTree, Bound | Layer]]

_AGENT = "reconix-device"
_LOADERS = "usr/lib/systemd/boot/efi"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a build needs: a store, and where packages come from."""

    store: ChrootStore
    fetch: Fetch
    fetch_wheels: "FetchWheels"
    containers: ContainerSource


def build_host(
    workshop: Workshop, host: Host, lock: HostLock, measured: Measured | None = None
) -> StorePath:
    """Build the generation of a host.

    Args:
        workshop: store and packages.
        host: as configured.
        lock: what its systems consist of; it must fit the configuration.
        measured: of the store; what is computed now is known to it afterwards.
    """
    toplevels = build_toplevels(workshop, host, lock, host.systems)
    store = workshop.store
    systems = [read_system(store, name, toplevel) for name, toplevel in toplevels.items()]
    systems += nixos.take_systems(store, host, lock)
    return add_generation(store, host, systems, boot_loader(workshop, host, lock), measured)


def build_toplevels(
    workshop: Workshop, host: Host, lock: HostLock, names: Iterable[str]
) -> dict[str, StorePath]:
    """Build some of the systems that are Debian's, and of roots and kernels only what these need.

    Args:
        workshop: store and packages.
        host: as configured.
        lock: what its systems consist of; it must fit the configuration.
        names: of the systems.
    """
    locked = {name: lock.systems[name] for name in sorted(names)}
    roots = _roots(workshop, lock, locked)
    wanted = loaded_by_name.wanted_modules(host, lock)
    starting = {
        name: Starting(workshop.store, workshop.fetch, system) for name, system in locked.items()
    }
    kernels = {name: each.kernel() for name, each in starting.items()}
    packed = zipapp.pack()
    known = replace(lock, numbers=_ids(workshop, host, lock, roots))
    sidecars = {root: _root_sidecar(workshop, root, known) for root in sorted({*roots.values()})}
    trees = Trees(workshop.store)
    whole = {name: _whole(host, kernel) for name, kernel in kernels.items()}
    built = {
        name: _Built(
            *(sidecars[root], kernels[name], whole[name]),
            *(_agent(workshop, lock, packed, root), trees, wanted),
        )
        for name, root in roots.items()
    }
    return {
        name: _SystemBuild.of(workshop, host, known, name, built[name]).toplevel()
        for name in locked
    }


def _ids(
    workshop: Workshop, host: Host, lock: HostLock, roots: Mapping[str, StorePath]
) -> dict[str, int]:
    """The ID of each name. For new names all systems count: they share a disk."""
    found = _populations(workshop, host, roots)
    if any(each.names() - lock.numbers.keys() for each in found):
        everyone = {name: lock.systems[name] for name in host.systems}
        found = _populations(workshop, host, _roots(workshop, lock, everyone))
    return static_ids.assign(lock.numbers, found)


def _populations(
    workshop: Workshop, host: Host, roots: Mapping[str, StorePath]
) -> list[static_ids.Population]:
    systems = ((host.systems[name], root) for name, root in sorted(roots.items()))
    return [
        configured_users.population(workshop.store.path(root), system) for system, root in systems
    ]


def _roots(
    workshop: Workshop, lock: HostLock, systems: Mapping[str, SystemLock]
) -> dict[str, StorePath]:
    """The root of each system; equal package sets share one."""
    recipes_of = {
        name: cached_recipes.root_recipe(system, lock) for name, system in systems.items()
    }
    packages = {recipes_of[name]: system.packages for name, system in systems.items()}

    def maker(chosen: tuple[LockedPackage, ...]) -> recipes.Make:
        files = list(workshop.fetch(chosen).values())
        return lambda into: debian.build_root(
            files, lock.suites[0], Architecture(lock.architecture), into
        )

    makers = {
        recipe: maker(chosen)
        for recipe, chosen in packages.items()
        if recipes.known(workshop.store, recipe) is None
    }
    made = recipes.realise_all(workshop.store, "install the packages of the systems", makers)
    return {
        name: made.get(recipe) or _known(workshop, recipe) for name, recipe in recipes_of.items()
    }


def _known(workshop: Workshop, recipe: Recipe) -> StorePath:
    found = recipes.known(workshop.store, recipe)
    assert found is not None
    return found


def _agent(workshop: Workshop, lock: HostLock, packed: bytes, root: StorePath) -> StorePath:
    """The agent for the Python of a root."""
    place, architecture = workshop.store.path(root), Architecture(lock.architecture)
    files = zipapp.beside(architecture)
    beside = {path.name: File(path.read_bytes()) for path in files}
    if not bytecode.can_compile(place):
        return workshop.store.add_files(folder({zipapp.PROGRAM: File(packed), **beside}), _AGENT)
    inputs = (("root", str(root)), ("agent", str(Digest.of(packed))))
    recipe = Recipe("agent", _AGENT, inputs, (*recipes.sources(bytecode), bytecode.SCRIPT, *files))

    def make(into: Path) -> None:
        into.mkdir()
        (into / zipapp.PROGRAM).write_bytes(bytecode.compiled(packed, place, architecture))
        for name, file in beside.items():
            (into / name).write_bytes(file.content)

    return recipes.realise(workshop.store, recipe, make)


def _whole(host: Host, kernel: FullKernel) -> StorePath:
    """A kernel with all of its modules: packed where unpacked ones would take too much room."""
    minified = any(system.minify.enable for system in host.systems.values())
    return kernel.path if minified or kernel.is_large else kernel.plain()


@dataclass(frozen=True, slots=True)
class _Built:
    """What a system consists of, before anything of its configuration counts."""

    sidecar: Sidecar
    """Of its root."""
    kernel: FullKernel
    whole: StorePath
    """The kernel, as a system has it that keeps all modules."""
    agent: StorePath
    trees: Trees
    """Those of all systems."""
    modules: WantedModules
    """What all systems want of the modules of their kernels."""

    @property
    def root(self) -> StorePath:
        """The Debian root."""
        return self.sidecar.subject


@dataclass(frozen=True, slots=True)
class _SystemBuild:
    """One system, with everything that its parts are made from."""

    workshop: Workshop
    host: Host
    lock: HostLock
    name: str
    built: _Built
    accounts: Accounts
    """Everybody on it."""
    packages: Packages

    @classmethod
    def of(
        cls, workshop: Workshop, host: Host, lock: HostLock, name: str, built: _Built
    ) -> "_SystemBuild":
        system, root = host.systems[name], workshop.store.path(built.root)
        found = configured_users.package_accounts(root, system)
        numbered = Renumbering.of(found, lock.numbers).accounts(found)
        accounts = configured_users.with_users(numbered, system.users, lock.numbers)
        packages = Packages(root, dict(built.sidecar.entries))
        return cls(workshop, host, lock, name, built, accounts, packages)

    @property
    def system(self) -> System:
        """As configured."""
        return self.host.systems[self.name]

    @property
    def store(self) -> ChrootStore:
        """Where everything goes."""
        return self.workshop.store

    def toplevel(self) -> StorePath:
        """Make everything, check it, and name it."""
        trees, environments, etc = self._trees(), self._environments(), self._etc()
        placed = self._placed(trees, environments)
        components = self._components(etc, placed)
        self._check(components, trees, environments)
        lists = Lists(
            print_persist(self.name, self.system, self.packages.root),
            file_precedence.print_given(self.system, etc.tree),
            self._removed(components.root),
        )
        toplevel = make_toplevel(self.host, self.name, components, lists)
        return self.store.add_files(toplevel, f"system-{self.name}", components.paths())

    def _trees(self) -> _FoundTrees:
        """The trees of the system, each with what the system has of it."""
        found, root = self.built.trees.find(self.system), self.packages.root
        for tree in found:
            meetings.check(tree, self.system, root)
            self._tell(meetings.told(tree, root))
        return [(tree, self.built.trees.add(tree, self.accounts, self.packages)) for tree in found]

    def _environments(self) -> Mapping[str, Bound]:
        if not self.system.python:
            return {}
        # Late: what reads wheels is slow to import, and most systems have none.
        from reconix.build.software.python.environment import Site, make_environments

        locked = self.lock.systems[self.name]
        site = Site(
            self.store,
            self.workshop.fetch_wheels,
            self.built.root,
            locked,
            self.lock.architecture,
        )
        return make_environments(site, self.system)

    def _etc(self) -> Etc:
        etc = make_etc(
            self.system,
            hostname=self.host.hostname,
            accounts=self.accounts,
            packages=self.packages,
            agent=f"{self.built.agent}/{zipapp.PROGRAM}",
            agent_units=machine_units.units(self.host.machine),
        )
        self._tell(file_precedence.from_packages(self.system, self.packages.root, etc.tree))
        return etc

    def _placed(self, trees: _FoundTrees, environments: Mapping[str, Bound]) -> Placed:
        """What lies beside the root."""
        bound = (each for _, each in trees if isinstance(each, Bound))
        layers = (each for _, each in trees if isinstance(each, Layer))
        return Placed((*bound, *environments.values()), (*self._files_elsewhere(), *layers))

    def _files_elsewhere(self) -> tuple[Layer, ...]:
        """The files of the configuration outside ``/etc``, if there are any."""
        made = configured_files.make_layer(self.system, self.accounts, self.packages)
        if made is None:
            return ()
        tree, described = made
        path = self.store.add_files(tree, f"files-{self.name}")
        return (Layer(path, _add_sidecar(self.store, Sidecar(path, described))),)

    def _components(self, etc: Etc, placed: Placed) -> Components:
        built, store, root = self.built, self.store, self.packages.root
        etc_path = store.add_files(etc.tree, f"etc-{self.name}", [built.agent])
        modules = self._modules()
        sidecar = self._minified(etc_path, placed, modules)
        starting = Starting(store, self.workshop.fetch, self.lock.systems[self.name])
        boot, kernel = self.host.machine.boot, built.kernel
        tree = starting.device_tree(boot)
        wanted = (*self.system.kernel.initrd_modules, *starting.modules(boot, tree, kernel))
        return Components(
            root=sidecar.subject,
            etc=etc_path,
            linux=built.kernel.alone() if built.modules else built.whole,
            linux_version=built.kernel.version,
            modules=modules,
            initrd=starting.initrd(wanted, kernel, self.lock.initrd[0]),
            agent=built.agent,
            root_sidecar=_add_sidecar(store, sidecar),
            etc_sidecar=_add_sidecar(store, Sidecar(etc_path, etc.metadata)),
            placed=placed,
            containers=self.workshop.containers.make(self.host, self.lock, self.name, root),
            device_tree=tree,
        )

    def _modules(self) -> StorePath:
        """What has the modules of the kernel: all of them, or those that are wanted."""
        kernel, wanted = self.built.kernel, self.built.modules
        if not wanted or not self.system.minify.enable:
            return self.built.whole
        missing = module_plan.not_there(
            loaded_by_name.kept(self.system), kernel.modules, kernel.version
        )
        self._tell(f"minify.keep: module:{each} keeps nothing, it is not there" for each in missing)
        return kernel.with_only(wanted)

    def _minified(self, etc: StorePath, placed: Placed, modules: StorePath) -> Sidecar:
        """What is said about the root that the system gets: all of it, or what is reached."""
        built, system = self.built, self.system
        if not system.minify.enable:
            return built.sidecar
        bound = [(each.place, each.path) for each in placed.bound]
        layers = [each.path for each in placed.layers]
        packages, updates = self.lock.systems[self.name].packages, self.host.updates
        inputs = minified.Inputs(
            built.root,
            minified.above(etc, built.agent, bound, layers),
            asked.wanted(system, packages, self._of_kernel(modules), updates),
        )
        return minified.minify(self.store, inputs, built.sidecar, self.lock.architecture)

    def _of_kernel(self, modules: StorePath) -> OfKernel:
        kernel = self.built.kernel
        drivers = kernel.drivers(modules) if self.built.modules else None
        return OfKernel((*ALWAYS, *self.system.kernel.parameters), drivers, kernel.is_lz4)

    def _removed(self, root: StorePath) -> bytes:
        """The list of what minify took, for trials that look out for it."""
        minify = self.system.minify
        return list_removed(self.store, root, minify.without) if minify.is_trapped else b""

    def _check(
        self, components: Components, trees: _FoundTrees, environments: Mapping[str, Bound]
    ) -> None:
        """Hold the objects against each other; once, as long as they and what is wanted stay."""
        inputs = [("system", repr(self.system)), *(("object", str(p)) for p in components.paths())]
        recipe = Recipe("checked", self.name, tuple(inputs), recipes.sources(together))
        if recipes.known(self.store, recipe) is None:
            self._check_anew(components, trees, environments)
            recipes.remember(self.store, recipe, components.etc)

    def _check_anew(
        self, components: Components, trees: _FoundTrees, environments: Mapping[str, Bound]
    ) -> None:
        files = _device_files(self.store, self.system, components)
        programs = Programs(files, self.lock.architecture)
        for tree, placed in trees:
            together.check_tree(tree, self.store.path(placed.path), programs)
        for name, made in environments.items():
            place = self.store.path(made.path)
            together.check_environment(name, self.system.python[name], place, programs)
        together.check_units(units_of_ones_own(self.system), self.accounts, programs)
        together.check_commands(self.system, programs)

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            progress.note(f"{self.name}: {line}")


def _device_files(store: ChrootStore, system: System, components: Components) -> DeviceFiles:
    """What a device will have, as it lies in the store."""
    bound = (
        Part(each.place, store.path(each.path), hides=True) for each in components.placed.bound
    )
    layers = (Part("", store.path(each.path)) for each in components.placed.layers)
    etc, root = Part("/etc", store.path(components.etc)), Part("", store.path(components.root))
    return DeviceFiles.of(system, (*bound, etc, *layers, root))


def _root_sidecar(workshop: Workshop, root: StorePath, lock: HostLock) -> Sidecar:
    """What is to be said about the files of a root, with the IDs of this host."""
    place = workshop.store.path(root)
    content = read_bounded(place / metadata.FILE, MAX_SIDECAR_BYTES)
    found = parse_entries(content, source=f"{root}/{metadata.FILE}")
    renumbering = Renumbering.of(Accounts.read(place / "etc"), lock.numbers)
    return Sidecar(root, renumbering.entries(found), (losses.FILE.encode(), metadata.FILE.encode()))


def _add_sidecar(store: ChrootStore, sidecar: Sidecar) -> StorePath:
    return store.add_files(File(print_sidecar(sidecar)), sidecar.name, [sidecar.subject])


def firmware_on_disk(workshop: Workshop, host: Host, lock: HostLock) -> tuple[PlacedFile, ...]:
    """What the board of a host reads outside of partitions.

    Raises:
        BadFirmwareFile: a file is not there, or has another hash.
    """
    packages = _firmware_packages(workshop, host, lock)
    return firmware_files.on_disk(host.machine.boot.firmware_files, packages)


def _firmware_packages(workshop: Workshop, host: Host, lock: HostLock) -> dict[str, Path]:
    names = host.machine.boot.firmware_packages
    found = workshop.fetch([each for each in lock.loader if each.name in names]) if names else {}
    return {package.name: file for package, file in found.items()}


def boot_loader(workshop: Workshop, host: Host, lock: HostLock) -> BootLoader:
    """What makes a slot of a host bootable, and what its board wants beside that.

    Raises:
        BadFirmwareFile: a file is not there, or has another hash.
    """
    files, packages = host.machine.boot.slot_files, _firmware_packages(workshop, host, lock)
    return WithSlotFiles(
        _loader(workshop, host, lock),
        firmware_files.in_slots(files, packages),
        firmware_files.device_trees(files),
    )


def _loader(workshop: Workshop, host: Host, lock: HostLock) -> BootLoader:
    boot, architecture = host.machine.boot, Architecture(lock.architecture)
    if boot.firmware is FirmwareKind.U_BOOT:
        assert boot.load_base is not None  # config/rules/machine.py
        command = START_COMMANDS[architecture]
        return UBootScript(partial(fill, "boot.cmd"), boot.load_base, command)
    name = f"{_LOADERS}/systemd-boot{architecture.uefi}.efi"
    package = next(each for each in lock.loader if each.name == LOADER)
    return SystemdBoot(Program[architecture.name], _member(workshop, package, name))


def _member(workshop: Workshop, package: LockedPackage, member: str) -> bytes:
    """One file of a package."""
    return firmware_files.member(workshop.fetch([package])[package], member)
