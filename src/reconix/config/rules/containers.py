"""The images of containers are named by their content.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

import re
from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_IS_LOCKED = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def check_containers(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the containers of a system."""
    for name, container in system.containers.items():
        if not _IS_LOCKED.search(container.image):
            place = place_of(table, "containers", name, "image", default=file)
            fact = "has no digest: the same name may be another image tomorrow"
            hint = f"add the digest: {container.image.partition('@')[0]}@sha256:…"
            yield Problem(place, f"{dotted('containers', name)}.image", fact, hint)
