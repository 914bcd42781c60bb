"""A kernel without the modules that no device of a host needs: two objects made of one.

    full object                  ──► <hash>-linux-<version>/vmlinuz
    full object, devices, names  ──► reasons: why each module stays or goes
    full object, reasons         ──► <hash>-linux-modules-<version>/modules/<version>/…

The kernel alone is the same whatever the list says. So a device that gets another list keeps its
kernel, and systems of a host with and without a list share one. The full object stays in the store
of the build: the initrd is made from it, and ``reconix why`` asks it.

Tested by ``tests/unit/build/minify/test_minimal_linux.py``.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reconix.build import recipes
from reconix.build.boot import linux
from reconix.build.boot.linux import Modules, module_name
from reconix.build.minify import module_plan, reasons
from reconix.build.minify.module_plan import WantedModules
from reconix.build.minify.origin import Origin
from reconix.build.recipes import Recipe
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.transfer.codecs.packs import Pack

_MODULES = "modules"
_MOST_PACKED = 48 << 20
"""Bytes of packed modules: Debian's kernels for clouds have half of it, those for all more."""


@dataclass(frozen=True, slots=True)
class FullKernel:
    """The full object of a kernel, in a store.

    Attributes:
        store: has it.
        path: of the object.
        version: of the kernel.
    """

    store: ChrootStore
    path: StorePath
    version: str

    @property
    def modules(self) -> Path:
        """The folder with the folder of its modules."""
        return self.store.path(self.path) / _MODULES

    def alone(self) -> StorePath:
        """The kernel without modules."""
        inputs = (("linux", str(self.path)),)
        recipe = Recipe("kernel", f"linux-{self.version}", inputs, _code())
        return recipes.realise(self.store, recipe, self._write_kernel)

    def plain(self) -> StorePath:
        """All of it, with its modules unpacked."""
        inputs = (("linux", str(self.path)),)
        recipe = Recipe("plain", f"linux-{self.version}", inputs, recipes.sources(linux))
        full = self.store.path(self.path)
        return recipes.realise(
            self.store, recipe, lambda into: linux.write_plain(full, self.version, into)
        )

    def with_only(self, wanted: WantedModules) -> StorePath:
        """The modules that are wanted, and what these need."""
        why = recipes.realise(
            self.store, self._reasons(wanted), lambda into: self._write_reasons(wanted, into)
        )
        stays = reasons.read_reasons(self.store.path(why)).stays
        inputs = (("linux", str(self.path)), ("reasons", str(why)))
        recipe = Recipe("modules", f"linux-modules-{self.version}", inputs, _code())
        made = recipes.realise(self.store, recipe, lambda into: self._write_modules(stays, into))
        Origin(self.path, why).remember(self.store, made)
        return made

    def drivers(self, made: StorePath) -> tuple[str, ...]:
        """The names of modules that are part of the kernel, or in an object made from this one."""
        modules = Modules.read(self.modules / self.version)
        places = (self.store.path(made) / _MODULES / self.version).rglob("*.ko*")
        return tuple(sorted({*modules.builtin, *(module_name(place.name) for place in places)}))

    @property
    def is_large(self) -> bool:
        """Whether unpacking its modules would take hundreds of megabytes more."""
        return sum(file.stat().st_size for file in self.modules.rglob("*.ko.xz")) > _MOST_PACKED

    @property
    def is_lz4(self) -> bool:
        """Whether its image is packed by LZ4."""
        return _is_lz4(self.store.path(self.path) / "vmlinuz")

    def _reasons(self, wanted: WantedModules) -> Recipe:
        said = (("devices", repr(wanted.devices)), ("names", repr(wanted.names)))
        inputs = (("linux", str(self.path)), *said)
        return Recipe("reasons", "reasons", inputs, recipes.sources(module_plan, reasons))

    def _write_reasons(self, wanted: WantedModules, into: Path) -> None:
        found = module_plan.make_plan(self.modules, self.version, wanted)
        into.write_bytes(reasons.print_reasons(found))

    def _write_kernel(self, into: Path) -> None:
        into.mkdir()
        shutil.copyfile(self.store.path(self.path) / "vmlinuz", into / "vmlinuz")

    def _write_modules(self, stays: Iterable[str], into: Path) -> None:
        top = f"{module_plan.PLACE}/{self.version}/"
        names = {path.removeprefix(top) for path in stays if path.startswith(top)}
        full, folder = self.modules / self.version, into / _MODULES / self.version
        folder.mkdir(parents=True)
        for name in sorted({*names, *module_plan.DEPMOD_READS}):
            if (full / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(full / name, folder / name)
        linux.index(into, self.version)
        for file in sorted(folder.glob("modules.*")):
            if file.name not in names:
                file.unlink()


@cache
def _is_lz4(image: Path) -> bool:
    from reconix.transfer.sending import members  # late: an unchanged build looks into no kernel

    member = members.find(image.read_bytes())
    return member is not None and member.pack is Pack.LZ4


def _code() -> tuple[Path, ...]:
    from reconix.build.minify import minimal_linux

    return recipes.sources(minimal_linux)
