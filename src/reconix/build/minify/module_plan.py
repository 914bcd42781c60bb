"""Which modules of a kernel stay: those of the devices of a machine, and those loaded by name.

    devices       the list that ``reconix-device modaliases`` prints on such a device
    the initrd    what reaches the disk
    by name       what the configuration loads, mounts or makes; what programs are known to ask for

With each stay the modules that it needs or is loaded with. A machine whose devices nobody has
listed keeps all modules. All systems of a host that have the same kernel have the same modules:
they are compared before one system takes over from another without a restart.

Tested by ``tests/unit/build/minify/test_module_plan.py``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.boot.linux import module_name
from reconix.build.minify import graph
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Because, Edge
from reconix.build.minify.module_edges import ModuleEdges
from reconix.build.minify.reasons import Reasons
from reconix.build.software.device_files import Part

PLACE = "usr/lib/modules"
DEPMOD_READS = "modules.builtin", "modules.builtin.modinfo", "modules.order"
"""From these, and from the modules, depmod writes all other index files."""
_LOADER_READS = re.compile(r"modules\.(?:.+\.bin|softdep|weakdep|devname)")
"""Whoever loads modules looks into no other index file."""
_LISTED = "is of the device"
_UNLISTED = "no device of the list needs it, and nothing is known to load it by name"


@dataclass(frozen=True, slots=True)
class WantedModules:
    """What a host says about modules.

    Attributes:
        devices: what its devices call themselves (``modalias``), sorted.
        names: modules, aliases and patterns of names, and why they are wanted.
    """

    devices: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything can go: not where nobody has listed the devices."""
        return bool(self.devices)


def make_plan(modules: Path, version: str, wanted: WantedModules) -> Reasons:
    """Decide about each module of a kernel, and about its index files.

    Args:
        modules: has a folder with the name of the version.
        version: of the kernel.
        wanted: what the host says.
    """
    files = Files.read([Part(f"/{PLACE}", modules)])
    edges = ModuleEdges.read(modules / version, f"{PLACE}/{version}")
    seeds = [*_seeds(edges, wanted), *_index(files, edges.top)]
    stays = graph.with_folders(files, graph.reach(files, seeds, edges.of, {}))
    goes = {path: Because("", _unreached(path)) for path in files.nodes if path not in stays}
    return Reasons(stays, goes)


def _seeds(edges: ModuleEdges, wanted: WantedModules) -> Iterator[Edge]:
    for name, how in wanted.names:
        named = edges.like if "*" in name else edges.named
        yield from named(name, how)
    for alias in wanted.devices:
        yield from edges.means(alias, f"{_LISTED} {alias}")


def _index(files: Files, top: str) -> Iterator[Edge]:
    for path in files.inside(top):
        if _LOADER_READS.fullmatch(path.rpartition("/")[2]):
            yield Edge(path, "says which modules there are; written anew for those that stay")


def _unreached(path: str) -> str:
    if ".ko" in path:
        return _UNLISTED
    is_index = path.rpartition("/")[2].startswith("modules.")
    return "only who writes the index of modules reads it" if is_index else "nothing in it stays"


def not_there(wanted: Iterable[str], modules: Path, version: str) -> Iterator[str]:
    """The names among some that mean no module of a kernel."""
    edges = ModuleEdges.read(modules / version, f"{PLACE}/{version}")
    for name in wanted:
        if module_name(name) not in edges.modules.builtin and not any(edges.named(name, "")):
            yield name
