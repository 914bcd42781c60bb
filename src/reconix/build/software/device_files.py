"""The files that a device will have, looked up among objects on the build machine.

A path of a device leads through links of packages, of trees, of the configuration, and what it ends
at may be in any of them. Whoever wants to know whether a program will be found asks here, before
anything is put together; the order is that of the script in the initrd (``build/data/root.sh``)::

    trees, each alone at its place     → the generated /etc → layers → the root

Some of a device nobody knows when it is built: what is made at its start, or persists.

Tested by ``tests/unit/build/software/test_device_files.py``.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reconix.config.schema.system import System

_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_MADE_AT_RUN_TIME = ("/run", "/dev", "/proc", "/sys", "/tmp", "/var", "/home", "/root", "/mnt")
_MAX_LINKS = 40  # as in the kernel


@dataclass(frozen=True, slots=True)
class Part:
    """An object, and what of a device it is."""

    place: str
    """On the device: ``/etc``, or nothing for the root."""
    tree: Path
    hides: bool = False
    """Whether nothing else is seen at its place, and below."""

    def inside(self, path: str) -> str | None:
        """A path of the device as one in the object, if it is there."""
        if path == self.place:
            return ""
        return path[len(self.place) + 1 :] if path.startswith(f"{self.place}/") else None


class Absent(enum.Enum):
    """Why there is no file at a path."""

    MISSING = "is not there"
    UNKNOWN = "is known only on a device"


@dataclass(frozen=True, slots=True)
class DeviceFiles:
    """The files of one system."""

    parts: tuple[Part, ...]
    """The uppermost first."""
    changing: tuple[str, ...]
    """Places of which nobody knows when it is built what they will have."""
    _known: dict[str, Path | None] = field(default_factory=dict)

    @classmethod
    def of(cls, system: System, parts: Iterable[Part]) -> "DeviceFiles":
        """Those of a system that consists of these objects."""
        volumes = (volume.path for volume in system.volumes.values())
        changing = (*_MADE_AT_RUN_TIME, *system.persist.shared, *system.persist.paths, *volumes)
        return cls(tuple(parts), changing)

    def find(self, path: str) -> Path | Absent:
        """The file or folder that a path leads to, through all links, on this machine.

        Args:
            path: of the device, absolute.
        """
        at, rest = "", [*PurePosixPath(path).parts[1:]]
        links = 0
        while rest:
            step = rest.pop(0)
            if step == "..":
                at = at.rpartition("/")[0]
                continue
            at = f"{at}/{step}"
            target = self._link(at)
            if target is not None:
                links += 1
                if links > _MAX_LINKS:
                    return Absent.MISSING
                rest = [*PurePosixPath(target).parts, *rest]
                at = "" if target.startswith("/") else at.rpartition("/")[0]
                rest = [part for part in rest if part != "/"]
        return self._entry(at) or self._absent(at)

    def inside(self, path: str) -> Iterator[Path]:
        """The folders that together are a folder of the device, the uppermost first."""
        for part in self.parts:
            inner = part.inside(path)
            if inner is not None and (part.tree / inner).is_dir():
                yield part.tree / inner
                if part.hides:
                    return

    def _absent(self, path: str) -> Absent:
        place = PurePosixPath(path)
        is_unknown = any(map(place.is_relative_to, self.changing))
        return Absent.UNKNOWN if is_unknown else Absent.MISSING

    def _link(self, path: str) -> str | None:
        if path[1:] in _LINKS:
            return _LINKS[path[1:]]
        entry = self._entry(path)
        return str(entry.readlink()) if entry is not None and entry.is_symlink() else None

    def _entry(self, path: str) -> Path | None:
        if path not in self._known:
            self._known[path] = self._look(path)
        return self._known[path]

    def _look(self, path: str) -> Path | None:
        for part in self.parts:
            inner = part.inside(path)
            if inner is not None:
                place = part.tree / inner
                if place.is_symlink() or place.exists():
                    return place
                if part.hides:
                    return None
        return None
