"""The files of a system as the device shows them, and what each comes from.

What stands at a path of a device comes from one of several objects: some are bound, some are laid
over each other (``build/software/device_files.py``). So a file can be told from the one of the same
name that it hides.

Tested by ``tests/unit/composition/test_device_view.py``.
"""

import enum
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.software.device_files import DeviceFiles, Part
from reconix.composition.toplevel_parts import ToplevelParts
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import BadStorePath, StorePath

_MODULES = "/usr/lib/modules"


class Provenance(enum.Enum):
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
    provenance: Provenance
    place: Path
    """Where it lies in the store of this machine."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, which is joined with others of its name."""
        return self.place.is_dir() and not self.place.is_symlink()


class DeviceView:
    """The files of one system."""

    def __init__(self, files: DeviceFiles, kinds: dict[Path, Provenance]) -> None:
        self._files, self._kinds = files, kinds

    @classmethod
    def read(cls, store: ChrootStore, system: System, toplevel: StorePath) -> "DeviceView":
        """The files of a system.

        Args:
            store: has it.
            system: as configured.
            toplevel: as it was built from that.

        Raises:
            BadStorePath: it does not say what it consists of.
        """
        parts = ToplevelParts.read(store, toplevel)
        if parts is None:
            raise BadStorePath(str(toplevel))
        linux = Path(f"{store.path(parts.linux)}{parts.modules}")
        found = [
            *(
                (Provenance.TREE, Part(at, store.path(path), hides=True))
                for path, at in parts.trees
            ),
            (Provenance.ETC, Part("/etc", store.path(parts.etc))),
            (Provenance.MODULES, Part(_MODULES, linux, hides=True)),
            *((Provenance.LAYER, Part("", store.path(path))) for path in parts.layers),
            (Provenance.ROOT, Part("", store.path(parts.root))),
        ]
        kinds = {part.tree: kind for kind, part in found}
        return cls(DeviceFiles.of(system, (part for _, part in found)), kinds)

    def real(self, path: str) -> str:
        """A path with no link among the folders above it, without the slash in front.

        One whose links lead in a circle is left as it is, and there is nothing at it.
        """
        return (self._files.real(path) or posixpath.normpath(f"/{path}")).lstrip("/")

    def find(self, path: str) -> Iterator[Found]:
        """All that is at a path, what the device shows first, then what that hides.

        Args:
            path: as ``real`` gave it.
        """
        for part, place in self._files.entries(f"/{path}"):
            yield Found(path, self._kinds[part.tree], place)

    def names(self, folder: str) -> set[str]:
        """What is in a folder, in any object."""
        places = self._files.inside(f"/{folder}" if folder else "")
        return {entry.name for place in places for entry in place.iterdir()}
