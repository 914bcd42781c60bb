"""Caches that are made of files of the configuration: a device makes them anew at its start.

Debian makes them when a package is installed or an administrator calls a program. A root has those
of its packages; where the configuration adds a file, the cache of the root lacks it. The program
runs on the device, because it is that of the system and may be for another processor.

Source: ldconfig(8), systemd-hwdb(8).
Tested by ``tests/unit/build/on_device/test_caches.py`` and, for libraries, by
``tests/vm/test_services.py``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base.architecture import Architecture
from reconix.build.templates import fill


@dataclass(frozen=True, slots=True)
class Cache:
    """What is made of some files.

    Attributes:
        pattern: of the files, below ``/etc``.
        unit: that makes it.
        what: it does, for people.
        command: that makes it.
        before: what reads it.
    """

    pattern: str
    unit: str
    what: str
    command: str
    before: str


ALL = (
    Cache(
        r"ld\.so\.conf(\.d/[^/]*\.conf)?",
        "reconix-libraries.service",
        "Find the libraries in further folders",
        "/usr/sbin/ldconfig -X",
        "sysinit.target",
    ),
    Cache(
        r"udev/hwdb\.d/[^/]*\.hwdb",
        "reconix-hardware.service",
        "Learn of further hardware",
        "/usr/bin/systemd-hwdb update",
        "sysinit.target systemd-udev-trigger.service",
    ),
)


_LIBRARIES = "ld.so.conf"
"""Stands for libraries in a folder of which only the cache of libraries knows."""
_ONLY_IN_CACHE = tuple(
    PurePosixPath("/usr/local/lib", triplet)
    for triplet in ("", *(each.triplet for each in Architecture))
)
"""Debian names them in ``ld.so.conf.d``, and the loader does not look there by itself."""


def _with_libraries(trees: Mapping[str, Path]) -> Iterator[str]:
    """The trees that bring libraries which are found through the cache alone."""
    for place, source in trees.items():
        inside = (each.relative_to(place) for each in _ONLY_IN_CACHE if each.is_relative_to(place))
        if any(file for folder in inside for file in (source / folder).glob("*.so*")):
            yield place


def make_units(files: Iterable[str], trees: Mapping[str, Path]) -> dict[str, bytes]:
    """The units for what files and trees of the configuration ask for, by name.

    Args:
        files: below ``/etc``.
        trees: folders of the project, by their places.
    """
    paths = [*files, *(_LIBRARIES for _ in _with_libraries(trees))]
    return {
        cache.unit: fill(
            "units/cache.service", what=cache.what, command=cache.command, before=cache.before
        ).encode()
        for cache in ALL
        if any(re.fullmatch(cache.pattern, path) for path in paths)
    }
