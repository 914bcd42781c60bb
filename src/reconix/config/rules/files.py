"""Files of the configuration are where a file can be, each at a place of its own.

Below ``/etc`` they are named without it. Elsewhere they are laid over what packages have there, so
they are not where something else is mounted, or made at each start.

Tested by ``tests/unit/config/rules/test_files.py``.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System, path_of_file
from reconix.config.schema.values import MAX_SOURCE_BYTES, print_size

_OF_THE_SYSTEM = {
    "/usr": "a tree may be there: trees",
    "/nix": "it is the store",
    "/boot": "the boot partition is built from the generation",
    "/var/lib/dpkg": "packages are listed there; make it a package",
    "/var/lib/reconix": "the device keeps its own things there",
    **dict.fromkeys(("/dev", "/proc", "/sys"), "the kernel decides what is there"),
    **dict.fromkeys(("/run", "/var/run", "/var/lock"), 'use files."tmpfiles.d/<name>.conf"'),
    **dict.fromkeys(("/tmp", "/var/tmp"), 'use files."tmpfiles.d/<name>.conf"'),
    **dict.fromkeys(("/mnt", "/media"), "other disks are mounted there"),
    **dict.fromkeys(("/bin", "/sbin", "/lib", "/lib64"), "a tree may be below /usr: trees"),
}
"""Where no file may be, and what to do instead."""
_FOLDERS = ("/home", "/opt", "/root", "/srv", "/var")
"""What the script of the initrd makes, besides those."""


def check_files(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the files of a system."""
    kept = {*system.persist.shared, *system.persist.paths}
    places = {path_of_file(name): name for name in system.files}
    for name, each in system.files.items():
        key, place = dotted("files", name), place_of(table, "files", name, default=file)
        path = PurePosixPath(path_of_file(name))
        if name.startswith("/"):
            for fact, hint in _wrong(path, is_link=each.link is not None):
                yield Problem(place, key, fact, hint)
        if each.source is not None and each.is_there and _size(each.source) > MAX_SOURCE_BYTES:
            fact = f"{each.source} has more than {print_size(MAX_SOURCE_BYTES)}"
            source = place_of(table, "files", name, "source", default=place)
            yield Problem(source, f"{key}.source", fact, "bring the folder around it: trees")
        if str(path) in kept:
            fact = "is a file, and persists as a folder"
            yield Problem(place, key, fact, "persist the folder around it")
        for around in map(str, path.parents):
            if around in places:
                fact = f"cannot be in {dotted('files', places[around])}, which is a file"
                yield Problem(place, key, fact, "rename one of the two")


def _size(path: Path) -> int:
    return path.stat().st_size


def _wrong(path: PurePosixPath, *, is_link: bool) -> Iterator[tuple[str, str]]:
    if path.is_relative_to("/etc"):
        hint = f"write {dotted('files', str(path.relative_to('/etc')))}"
        yield "files below /etc are named without it", hint
    for taken, hint in _OF_THE_SYSTEM.items():
        if path.is_relative_to(taken):
            yield f"no file can be in {taken}", hint
    if str(path) in _FOLDERS:
        yield "is a folder on every device", "name a file in it"
    elif len(path.parts) == 2 and not is_link and not path.is_relative_to("/etc"):
        yield "is in no folder", "choose a folder, such as /srv/<name>"
