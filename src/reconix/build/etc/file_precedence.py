"""Whose file takes precedence in a folder that persists: the generation's or the device's.

    given   <generation|device> <path> a line: which one wins if the device has the file already

Files of the configuration say it themselves (``config/rules/kept_files.py``). Others that we make
decide how the system works, so they are those of the generation. Files of packages are not listed:
a folder of a package is its own business, and what a device first had stays; the build reports
them.

Tested by ``tests/unit/build/etc/test_file_precedence.py`` and, with the script that obeys, by
``tests/crash/test_given_files.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.config.rules.kept_files import around
from reconix.config.schema.system import System
from reconix.config.schema.values import Winner
from reconix.store.tree import Folder, files

_LINES = ("usr/lib/tmpfiles.d", "etc/tmpfiles.d")


def print_given(system: System, etc: Folder) -> bytes:
    """The list for a system.

    Args:
        system: machine and system file, merged.
        etc: its generated files.
    """
    ours = [*(f"/etc/{path}" for path, _ in files(etc)), *sorted(system.files_elsewhere)]
    given = [f"{_winner(system, path).value} {path}\n" for path in ours if around(system, path)]
    return "".join(given).encode()


def _winner(system: System, path: str) -> Winner:
    configured = system.files.get(path.removeprefix("/etc/"))
    return Winner.GENERATION if configured is None else configured.prefer or Winner.DEVICE


def from_packages(system: System, root: Path, etc: Folder) -> Iterator[str]:
    """What packages put into folders that persist, and a later version does not: a line each."""
    ours = {*(f"/etc/{path}" for path, _ in files(etc)), *system.files_elsewhere}
    for folder in (*system.persist.shared, *system.persist.paths):
        place = root / folder[1:]
        brought = [path for path in sorted(place.rglob("*")) if path.is_symlink() or path.is_file()]
        found = {f"/{path.relative_to(root)}" for path in brought} - ours
        found |= {path for path in _copied(root) if around(system, path) == folder}
        if found:
            first, *others = sorted(found)
            more = f" and {len(others)} more" if others else ""
            yield f"{folder} persists: {first}{more} of packages will not change on devices"


def _copied(root: Path) -> Iterator[str]:
    """What ``systemd-tmpfiles`` copies where there is nothing yet."""
    for folder in _LINES:
        for file in sorted((root / folder).glob("*.conf")):
            for line in file.read_text(errors="replace").splitlines():
                kind, path, *_ = [*line.split(None, 2), "", ""]
                if kind.startswith("C") and path.startswith("/"):
                    yield path
