"""Package files are files of the project: the lock names them by their path in it.

Tested by ``tests/unit/config/rules/test_debs.py``.
"""

from collections.abc import Iterator
from pathlib import Path

from reconix.config.lock.packages import is_package_path
from reconix.config.merge import Table
from reconix.config.origins import place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.project_paths import in_project
from reconix.config.schema.system import System


def check_debs(system: System, table: Table, file: Place, project: Path) -> Iterator[Problem]:
    """What must hold for the package files of a system of the project in a folder."""
    for pattern in system.debs:
        place = place_of_item(table, "debs", item=pattern, default=file)
        for path in pattern.files():
            name = in_project(path, project)
            if name is None:
                hint = "copy or link it to a folder of the project"
                yield Problem(place, "debs", f"{path} is outside of the project", hint)
            elif path.suffix != ".deb":
                hint = "make the pattern narrower, as in dist/*.deb"
                yield Problem(place, "debs", f"{path} does not end in .deb", hint)
            elif not is_package_path(name):
                hint = "name it with letters, digits and ._+~-"
                yield Problem(place, "debs", f"{path} has a name that no lock can hold", hint)
