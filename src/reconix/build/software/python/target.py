"""The Python that an environment is for: the one of the system, never that of this machine.

Which wheels fit, and which requirements hold, depends on three things that the locked packages say:
the version of ``python3``, the version of the C library, and the architecture. Tags are made by
``packaging``, which knows their order; it only asks for the platforms, best first.

Source: PEP 425 (tags), PEP 600 (manylinux), PEP 508 (markers).
Tested by ``tests/unit/build/software/python/test_target.py``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from packaging.markers import (
    Environment,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
)
from packaging.tags import Tag, compatible_tags, cpython_tags

from reconix.base.architecture import Architecture
from reconix.base.errors import ReconixError
from reconix.base.text import one_line
from reconix.config.lock.packages import LockedPackage

_OLDEST_MINOR = {"x86_64": 5, "aarch64": 17, "armv7l": 17}
"""Of the C libraries that wheels are built for (PEP 600; for others than x86, PEP 599)."""
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MAJOR = 2
_VERSION = re.compile(r"(?:\d+:)?(\d+)\.(\d+)")
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)+(?:~?(?:a|b|rc)\d+)?)")


class NoPython(ReconixError):
    """A system has environments and no Python, or none that is known."""

    exit_code = 65


UNDEFINED = (UndefinedComparison, UndefinedEnvironmentName)
"""What ``packaging`` raises for a marker that only looks like one."""


class BadMarker(ReconixError):
    """A marker says nothing about any Python: ``sys_platform ~= "linux"``."""

    exit_code = 65

    def __init__(self, marker: Marker | None) -> None:
        super().__init__(
            f"the marker {one_line(str(marker))} compares what cannot be compared",
            hint="correct it where the distribution is made",
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A Python on a device; valid by construction."""

    version: tuple[int, int]
    full_version: str
    """As Python itself says it: ``3.13.5``."""
    glibc_minor: int
    """Of version 2."""
    machine: str
    """As the kernel says it: ``x86_64``."""

    @classmethod
    def of(cls, packages: Iterable[LockedPackage], architecture: str) -> "Target":
        """The Python of a system.

        Raises:
            NoPython: its packages have none.
        """
        versions = {package.name: package.version for package in packages}
        major, minor = _numbers("python3", versions)
        if _numbers("libc6", versions)[0] != _MAJOR:
            raise NoPython(f"libc6 {versions['libc6']} is not known", hint="update reconix")
        full = _UPSTREAM.match(versions.get(f"python{major}.{minor}-minimal", f"{major}.{minor}.0"))
        assert full is not None, "Debian's versions begin with digits"
        return cls(
            version=(major, minor),
            full_version=full[1].replace("~", ""),
            glibc_minor=_numbers("libc6", versions)[1],
            machine=Architecture(architecture).machine,
        )

    def __str__(self) -> str:
        return f"Python {self.short} on {self.machine} with glibc {_MAJOR}.{self.glibc_minor}"

    @property
    def short(self) -> str:
        """Major and minor version, as folders have them."""
        return ".".join(map(str, self.version))

    @property
    def interpreter(self) -> str:
        """As tags have it: ``cp313``."""
        return "cp" + "".join(map(str, self.version))

    def platforms(self) -> Iterator[str]:
        """Those of wheels that run there, best first: one that was built for this very system."""
        yield f"linux_{self.machine}"
        for minor in range(self.glibc_minor, _OLDEST_MINOR[self.machine] - 1, -1):
            yield f"manylinux_{_MAJOR}_{minor}_{self.machine}"
            if minor in _LEGACY:
                yield f"{_LEGACY[minor]}_{self.machine}"

    def tags(self) -> tuple[Tag, ...]:
        """All tags of wheels that run there, best first."""
        name, platforms = self.interpreter, [*self.platforms()]
        binary = cpython_tags(self.version, [name], platforms)
        return (*binary, *compatible_tags(self.version, name, platforms))

    def environment(self) -> Environment:
        """What markers are about."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.full_version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.full_version,
            "python_version": self.short,
            "sys_platform": "linux",
        }

    def holds(self, marker: Marker | None, extra: str = "") -> bool:
        """Whether what has this marker is for this Python; ``extra``: the one that is looked at.

        Raises:
            BadMarker: it compares what cannot be compared.
        """
        environment = cast("dict[str, str]", self.environment())
        try:
            return marker is None or marker.evaluate({**environment, "extra": extra})
        except UNDEFINED as error:
            raise BadMarker(marker) from error


def fits(tags: Iterable[Tag], target: Target) -> bool:
    """Whether a wheel with these tags runs there."""
    return not set(target.tags()).isdisjoint(tags)


def _numbers(package: str, versions: dict[str, str]) -> tuple[int, int]:
    found = _VERSION.match(versions.get(package, ""))
    if found is None:
        raise NoPython(
            f"there is no {package} among the packages of the system",
            hint='add the Python of Debian: packages = ["python3"]',
        )
    return int(found[1]), int(found[2])
