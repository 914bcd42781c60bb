"""Trees are where nothing else decides, apart from each other and from what changes on a device.

A tree is read-only. So it is nowhere where the system or a program writes, and where something else
is mounted it would not be seen. What is read when a system is built must be known then: it belongs
to an option, or into a package.

What only the folder itself or the packages can say is checked when the system is built
(``build/software/trees.py``).

Tested by ``tests/unit/config/rules/test_trees.py``.
"""

import itertools
from collections.abc import Iterator
from pathlib import PurePosixPath

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_OF_THE_SYSTEM = {
    "/etc": "use files",
    "/nix": "it is the store; choose a folder below /opt or /srv",
    "/boot": "the boot partition is built from the generation",
    "/usr/lib/modules": "modules come with the kernel; make them a package",
    "/usr/lib/systemd": "use units, or files",
    "/usr/local/lib/systemd": "use units, or files",
    "/usr/lib/sysusers.d": 'use users, or files."sysusers.d/<name>.conf"',
    "/usr/local/lib/sysusers.d": 'use users, or files."sysusers.d/<name>.conf"',
    "/usr/lib/udev/hwdb.d": 'use files."udev/hwdb.d/<name>.hwdb"',
    "/var/lib/dpkg": "packages are listed there; make the folder a package",
    "/var/lib/reconix": "the device keeps its own things there",
    **dict.fromkeys(("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/run"), ""),
    "/var/lock": "",
}
"""Where no tree may be, nor in it; and what to do instead."""
_LINKS = {"/bin": "/usr/bin", "/sbin": "/usr/sbin", "/lib": "/usr/lib", "/lib64": "/usr/lib64"}
_HOLD_OTHERS = frozenset(
    {"/usr", "/usr/lib", "/var", "/var/lib", "/var/cache", "/var/log", "/var/spool"}
    | {"/home", "/root", "/usr/local/lib"}
)
"""Which hold folders of many; below them is room."""
_ANYWHERE = "choose a folder of its own, such as /opt/<name>"


def check_trees(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the trees of a system."""
    for path, tree in system.trees.items():
        place, key = place_of(table, "trees", path, default=file), dotted("trees", path)
        for fact, hint in _wrong(system, path):
            yield Problem(place, key, fact, hint)
        if tree.source.is_dir() and place.file.absolute().is_relative_to(tree.source):
            place = place_of(table, "trees", path, "source", default=place)
            fact = (
                "the folder holds the configuration itself, and what lies beside it, such as keys"
            )
            yield Problem(place, f"{key}.source", fact, "name a folder of its own")
    for inner, outer in itertools.permutations(system.trees, 2):
        if PurePosixPath(inner).is_relative_to(outer):
            place = place_of(table, "trees", inner, default=file)
            fact = f"is inside the tree {outer}, which is read-only"
            yield Problem(place, dotted("trees", inner), fact, "put it beside, or into its source")
    yield from _nothing_is_hidden(system, table, file)


def _wrong(system: System, path: str) -> Iterator[tuple[str, str]]:
    inside = PurePosixPath(path)
    for taken, hint in _OF_THE_SYSTEM.items():
        if inside.is_relative_to(taken):
            yield f"no tree can be in {taken}", hint or _ANYWHERE
    for link, target in _LINKS.items():
        if inside.is_relative_to(link):
            yield f"{link} is a link on a device", f"write {target}{path.removeprefix(link)}"
    if path in _HOLD_OTHERS:
        yield "it would hide what others have there, or what is written there", _ANYWHERE
    for kept in (*system.persist.shared, *system.persist.paths):
        if inside.is_relative_to(kept):
            yield f"is never visible: {kept} persists, and is mounted over it", _ANYWHERE
    for name, volume in sorted(system.volumes.items()):
        if inside.is_relative_to(volume.path):
            yield f"is never visible: the volume {name} is mounted over it", _ANYWHERE


def _nothing_is_hidden(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """No file of the configuration is where a tree is: it would be below it."""
    for name, tree in itertools.product(system.files_elsewhere, system.trees):
        key, place = dotted("files", name), place_of(table, "files", name, default=file)
        if PurePosixPath(name).is_relative_to(tree):
            fact = f"is never visible: the tree {tree} is mounted over it"
            hint = "put it into the source of the tree, or elsewhere"
            yield Problem(place, key, fact, hint)
        elif PurePosixPath(tree).is_relative_to(name):
            fact = f"is a file, and the tree {tree} would be in it"
            yield Problem(place, key, fact, "rename one of the two")
