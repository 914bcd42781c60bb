"""What devices keep already, compared with what they are to keep.

A kept folder lies on ``data`` under the path that it has in the system. So a folder of the next
generation may lie within one that devices have, or around it, and neither becomes what it would be
on a new device:

* within: what programs made there is what is kept, if it is a folder;
* around: the folder is there, made for the one within it, and nothing that the system brings gets
  into it.

Both can be meant, so a check tells them as notes. They are known where the generation before is in
the store.

Tested by ``tests/unit/build/inspect/test_persist_changes.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from reconix.base.files import read_bounded
from reconix.config.merge import Table
from reconix.config.origins import place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath

_MAX_BYTES = 1 << 20
_HINT = "devices would start anew with another path, or after a factory reset"


def about_kept(
    store: ChrootStore, before: StorePath, host: Host, tables: Mapping[str, Table]
) -> Iterator[Problem]:
    """Tell which folders lie within or around those that devices have.

    Args:
        store: where the generation before is.
        before: what devices have.
        host: as configured now.
        tables: the merged values of each system.
    """
    known = set(_kept_before(store, before))
    for name, system in host.systems.items():
        shared = [("shared", "shared", path) for path in system.persist.shared]
        own = [("paths", f"systems/{name}", path) for path in system.persist.paths]
        for option, folder, path in [*shared, *own]:
            place = place_of_item(
                tables[name], "persist", option, item=path, default=Place(host.folder)
            )
            for other in sorted(old for one, old in known if one == folder and old != path):
                if told := _told(path, other):
                    yield Problem(place, f"persist.{option}", told, _HINT)


def _told(path: str, other: str) -> str:
    if PurePosixPath(path).is_relative_to(other):
        return f"{path} lies in {other}, which devices keep: what is there now is kept"
    if PurePosixPath(other).is_relative_to(path):
        return f"{path} is there on devices that keep {other}: the system brings nothing into it"
    return ""


def _kept_before(store: ChrootStore, generation: StorePath) -> Iterator[tuple[str, str]]:
    """A folder on ``data`` and a path in the root, for each that a generation keeps."""
    for system in read_generation(store.store_dir, generation).systems:
        file = store.path(system.toplevel) / "persist"
        if file.is_file():  # a system of NixOS has none
            for line in read_bounded(file, _MAX_BYTES).decode().splitlines():
                folder, _, path = line.partition(" ")
                yield folder, path
