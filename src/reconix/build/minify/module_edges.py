"""What a module of a kernel reaches, and which modules a name or a device means.

    modules.dep      kernel/net/virtio_net.ko: kernel/net/core/failover.ko    it cannot do without
    modules.softdep  softdep mdio pre: of_mdio post: dwmac                    it is loaded with it
    modules.weakdep  weakdep spi dma                                          it may load it later
    modules.alias    alias virtio:d00000001v* virtio_net                      what means it

Source: modules.dep(5); modprobe.d(5), *softdep*, *weakdep*; depmod(8).
Tested by ``tests/unit/build/minify/test_module_edges.py``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from reconix.build.boot.linux import Modules, module_name
from reconix.build.boot.module_aliases import ModuleAliases, index_lines
from reconix.build.minify.graph import Edge


@dataclass(frozen=True, slots=True)
class ModuleEdges:
    """The modules of one kernel.

    Attributes:
        top: where its folder is on the device, without the slash in front.
        modules: what there is, and what each needs.
        aliases: what means a module.
        with_it: what is loaded with a module, or by it.
    """

    top: str
    modules: Modules
    aliases: ModuleAliases
    with_it: Mapping[str, list[str]]

    @classmethod
    def read(cls, folder: Path, top: str) -> "ModuleEdges":
        """Read the index files of a folder."""
        with_it: dict[str, list[str]] = {}
        for key in ("softdep", "weakdep"):
            for name, rest in index_lines(folder / f"modules.{key}", key):
                others = [each for each in rest.split() if not each.endswith(":")]
                with_it.setdefault(module_name(name), []).extend(others)
        return cls(top, Modules.read(folder), ModuleAliases.read(folder), with_it)

    def of(self, path: str) -> Iterator[Edge]:
        """What a file reaches that is a module."""
        name = module_name(path)
        if path != self._place(name):
            return
        for other in self.modules.needs[name]:
            yield Edge(self._place(other), f"needs the module {other}")
        for other in self.with_it.get(name, ()):
            yield from self.named(other, f"is loaded with {other}")

    def named(self, name: str, how: str) -> Iterator[Edge]:
        """The modules that a name means: one of them, or an alias."""
        plain = module_name(name)
        if plain in self.modules.places:
            yield Edge(self._place(plain), how)
        elif plain not in self.modules.builtin:
            yield from self.means(name, how)

    def means(self, alias: str, how: str) -> Iterator[Edge]:
        """The modules that an alias means, as of a device."""
        for name in self.aliases.means(alias):
            if name in self.modules.places:
                yield Edge(self._place(name), how)

    def like(self, pattern: str, how: str) -> Iterator[Edge]:
        """The modules whose name is like a pattern."""
        for name in sorted(self.modules.places):
            if fnmatchcase(name, pattern):
                yield Edge(self._place(name), how)

    def _place(self, name: str) -> str:
        return f"{self.top}/{self.modules.places.get(name, '')}"
