"""What starts a system: its kernel, its initrd, and the device tree of its board.

    kernel packages ──► linux ───────────┐
                   └──► device tree ──┐  │     one file of them, with the overlays of the machine
    modules that the machine names ───┴──┴─► initrd ◄── busybox

The initrd also has the modules that the disk waits for, where the device tree tells of it; their
names are an object too. All are looked up by recipe: a root is not needed for them, nor anything
that is generated.

Tested by ``tests/compat/test_starting.py``, and by booting in ``tests/vm/test_boards.py``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.files import read_bounded, read_text
from reconix.build import cached_recipes, recipes
from reconix.build.boot import device_tree, disk_modules, firmware_files, initrd, linux
from reconix.build.boot.fdt import parse_tree
from reconix.build.boot.linux import Modules
from reconix.build.minify.minimal_linux import FullKernel
from reconix.build.recipes import Recipe
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.machine import Boot
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

Fetch = Callable[[Iterable[LockedPackage]], Mapping[LockedPackage, Path]]
"""Gives the files of packages, from the cache or from an archive, checked."""

_BUSYBOX = "usr/bin/busybox"
_MAX_NAMES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Starting:
    """How one system is started.

    Attributes:
        store: where all of it goes.
        fetch: gives packages.
        locked: the system.
    """

    store: ChrootStore
    fetch: Fetch
    locked: SystemLock

    def kernel(self) -> FullKernel:
        """The kernel, and all of its modules.

        Raises:
            NoKernel: its packages have none.
        """

        def make(into: Path) -> None:
            linux.unpack_kernel(self._packages(), into)

        path = recipes.realise(self.store, cached_recipes.linux_recipe(self.locked), make)
        return FullKernel(self.store, path, cached_recipes.linux_version(self.locked))

    def device_tree(self, boot: Boot) -> StorePath | None:
        """The device tree of the board, if the machine names one.

        Raises:
            BadDeviceTree: the packages of the kernel do not have it, or an overlay does not fit.
        """
        name, overlays = boot.device_tree, boot.device_tree_overlays
        if name is None:
            return None

        def make(into: Path) -> None:
            device_tree.make_device_tree(self._packages(), name, overlays, into)

        inputs = [("name", name), *cached_recipes.pinned(self.locked.kernel)]
        inputs += [(f"overlay {path.suffix}", str(Digest.of_file(path))) for path in overlays]
        recipe = Recipe("device tree", "device-tree", tuple(inputs), recipes.sources(device_tree))
        return recipes.realise(self.store, recipe, make)

    def modules(self, boot: Boot, tree: StorePath | None, kernel: FullKernel) -> tuple[str, ...]:
        """The modules that the disk waits for, as far as the device tree tells.

        Raises:
            NoSuchNode: the board does not have the disk.
            DamagedTree: it is no device tree.
        """
        if tree is None or boot.disk is None:
            return ()
        disk, file = boot.disk, self.store.path(tree) / device_tree.FILE
        inputs = (("device tree", str(tree)), ("disk", disk), ("linux", str(kernel.path)))
        code = recipes.sources(disk_modules)
        recipe = Recipe("disk modules", "disk-modules", inputs, code)

        def make(into: Path) -> None:
            board = parse_tree(read_bounded(file, device_tree.MAX_BYTES))
            found = disk_modules.disk_modules(board, disk, kernel.modules / kernel.version)
            into.write_text("".join(f"{name}\n" for name in found))

        made = self.store.path(recipes.realise(self.store, recipe, make))
        return tuple(read_text(made, _MAX_NAMES_BYTES).split())

    def initrd(
        self, wanted: Sequence[str], kernel: FullKernel, busybox: LockedPackage
    ) -> StorePath:
        """The initrd with some modules.

        Raises:
            NoSuchModule: the kernel does not have one of them.
        """
        inputs = (
            ("busybox", str(busybox.sha256)),
            ("linux", str(kernel.path)),
            *((f"module {number}", value) for number, value in enumerate(wanted)),
        )
        code = (*recipes.sources(initrd), *initrd.SCRIPTS)
        recipe = Recipe("initrd", "initrd", inputs, code)

        def make(into: Path) -> None:
            program = firmware_files.member(self.fetch([busybox])[busybox], _BUSYBOX)
            modules = Modules.read(kernel.modules / kernel.version)
            into.mkdir()
            (into / "initrd").write_bytes(initrd.make_initrd(program, modules, wanted))

        return recipes.realise(self.store, recipe, make)

    def _packages(self) -> list[Path]:
        files = self.fetch(self.locked.kernel)
        return [files[package] for package in sorted(files)]
