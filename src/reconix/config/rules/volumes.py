"""Volumes are mounted at places of their own.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System


def check_volumes(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the volumes of a system and what it keeps."""
    taken = [("persist", path) for path in (*system.persist.shared, *system.persist.paths)]
    for name, volume in sorted(system.volumes.items()):
        key, place = dotted("volumes", name), place_of(table, "volumes", name, default=file)
        if volume.device is not None and volume.size is not None:
            hint = "remove size, or remove device for a volume in memory"
            yield Problem(place, key, "has both device and size", hint)
        for other, path in taken:
            if PurePosixPath(volume.path) == PurePosixPath(path):
                fact = f"{path} is also used by {other}"
                yield Problem(place, key, fact, "give each a path of its own")
        taken.append((key, volume.path))
