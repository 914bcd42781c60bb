"""Caches that are made of files below ``/etc``: a device makes them anew at its start.

Debian makes them when a package is installed or an administrator calls a program. A root has those
of its packages; where the configuration adds a file, the cache of the root lacks it. The program
runs on the device, because it is that of the system and may be for another processor.

Source: ldconfig(8), systemd-hwdb(8).
Tested by ``tests/unit/build/on_device/test_caches.py`` and, for libraries, by
``tests/vm/test_services.py``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

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


def make_units(files: Iterable[str]) -> dict[str, bytes]:
    """The units for what files below ``/etc`` ask for, by name."""
    paths = list(files)
    return {
        cache.unit: fill(
            "units/cache.service", what=cache.what, command=cache.command, before=cache.before
        ).encode()
        for cache in ALL
        if any(re.fullmatch(cache.pattern, path) for path in paths)
    }
