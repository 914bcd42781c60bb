"""The files of a system as the device shows them, found among the objects of the store.

What stands at a path of a device comes from one of several objects: the script of the initrd binds
some and lays others over each other (``build/data/root.sh``). Here a path is looked up in the same
order, so that a file can be told from the one of the same name that it hides.

    a bound tree  →  its own path and all below
    generated     →  /etc, over that of the root
    modules       →  /usr/lib/modules
    layers        →  anywhere, over the root
    root          →  everything else

Tested by ``tests/unit/composition/test_device_view.py``.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.composition.links import follow, link_target
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import BadStorePath, StorePath

_ETC = "etc"
_MODULES = "usr/lib/modules"


class Part(enum.Enum):
    """Which kind of object a path comes from."""

    TREE = "tree"
    ETC = "etc"
    MODULES = "modules"
    LAYER = "layer"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path, in one object."""

    path: str
    """On the device, without the slash in front."""
    part: Part
    place: Path
    """Where it lies in the store of this machine."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One object, and the path of the device at which it appears."""

    part: Part
    at: str
    place: Path

    def find(self, path: str) -> Path | None:
        """The entry for a path of the device, if this object has one; no link is followed."""
        if self.at and path != self.at and not path.startswith(f"{self.at}/"):
            return None
        place = self.place
        for step in path[len(self.at) :].split("/"):
            if place.is_symlink():
                return None
            place /= step
        return place if place.is_symlink() or place.exists() else None


class DeviceView:
    """The files of one system."""

    def __init__(self, sources: list[_Source]) -> None:
        self._sources = sources

    @classmethod
    def read(cls, store: ChrootStore, toplevel: StorePath) -> "DeviceView":
        """The system of a toplevel.

        Raises:
            BadStorePath: it does not say what it consists of.
        """
        parts = ToplevelParts.read(store, toplevel)
        if parts is None:
            raise BadStorePath(str(toplevel))
        modules = Path(f"{store.path(parts.linux)}{parts.modules}")
        return cls(
            [
                *(_Source(Part.TREE, at[1:], store.path(path)) for path, at in parts.trees),
                _Source(Part.ETC, _ETC, store.path(parts.etc)),
                _Source(Part.MODULES, _MODULES, modules),
                *(_Source(Part.LAYER, "", store.path(path)) for path in parts.layers),
                _Source(Part.ROOT, "", store.path(parts.root)),
            ]
        )

    @property
    def root(self) -> Path:
        """The Debian root."""
        return self._sources[-1].place

    def real(self, path: str) -> str:
        """A path with no link among the folders above it."""
        return follow(self._target, path, last=False)

    def find(self, path: str) -> Iterator[Found]:
        """All that is at a path, the one that the device shows first, then what that hides.

        Args:
            path: as ``real`` gave it.
        """
        for source in self._sources:
            place = source.find(path)
            if place is not None:
                yield Found(path, source.part, place)
                if source.part in (Part.TREE, Part.MODULES):
                    return

    def names(self, folder: str) -> set[str]:
        """What is in a folder, in any object."""
        places = [found.place for found in self.find(folder)] if folder else [self.root]
        return {
            entry.name
            for place in places
            if place.is_dir() and not place.is_symlink()
            for entry in place.iterdir()
        }

    def _target(self, path: str) -> str | None:
        first = next(self.find(path), None)
        return link_target(first.place.parent, first.place.name) if first else None
