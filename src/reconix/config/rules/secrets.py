"""A secret is for services that are named, and somebody reads it.

Tested by ``tests/unit/config/rules/test_secrets.py``.
"""

from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System


def check_secrets(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the secrets of a system."""
    for name, secret in system.secrets.items():
        key = dotted("secrets", name)
        if not secret.units:
            place = place_of(table, "secrets", name, default=file)
            hint = 'name who reads it, such as units = ["air.service"]'
            yield Problem(place, key, "no unit may read it", hint)
        for unit in secret.units:
            if not unit.endswith(".service"):
                place = place_of_item(table, "secrets", name, "units", item=unit, default=file)
                fact = f"{unit} is no service, and reads nothing"
                yield Problem(place, f"{key}.units", fact, "name the service that reads it")
