"""The files that a device will have, looked up among objects on the build machine.

A path of a device leads through links of packages, of trees, of the configuration, and what it ends
at may be in any of them. Whoever wants to know whether a program will be found asks here, before
anything is put together; the order is that of the script in the initrd (``build/data/root.sh``)::

    trees, each alone at its place     → the generated /etc → layers → the root

Some of a device nobody knows when it is built: what is made at its start, or persists.

Tested by ``tests/unit/build/software/test_device_files.py``.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reconix.build.software.links import follow, link_target
from reconix.config.schema.system import System

_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_MADE_AT_RUN_TIME = ("/run", "/dev", "/proc", "/sys", "/tmp", "/var", "/home", "/root", "/mnt")


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
    links: Mapping[str, str] = field(default_factory=lambda: _LINKS)
    """Those in the root that no object has."""
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
        real = follow(self._target, path)
        if real is None:
            return Absent.MISSING
        at = f"/{real}" if real else ""
        return self._entry(at) or self._absent(at)

    def entries(self, path: str) -> Iterator[tuple[Part, Path]]:
        """All that is at a path, the uppermost first, with what it is of; no link is followed."""
        for part in self.parts:
            inner = part.inside(path)
            if inner is not None:
                place = part.tree / inner
                if place.is_symlink() or place.exists():
                    yield part, place
                if part.hides:
                    return

    def real(self, path: str) -> str | None:
        """A path with no link among the folders above it; nothing if they lead in a circle."""
        real = follow(self._target, path, last=False)
        return None if real is None else f"/{real}"

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

    def _target(self, path: str) -> str | None:
        if path in self.links:
            return self.links[path]
        entry = self._entry(f"/{path}")
        return link_target(entry) if entry is not None else None

    def _entry(self, path: str) -> Path | None:
        if path not in self._known:
            self._known[path] = next((place for _, place in self.entries(path)), None)
        return self._known[path]
