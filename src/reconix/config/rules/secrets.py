"""A secret is for services that are named, and somebody reads it.

A unit of the configuration may say itself that it loads a credential. If that is a secret, it must
be named too: only then its value is brought to devices for it, and a trial knows who needs it.

Tested by ``tests/unit/config/rules/test_secrets.py``.
"""

from collections.abc import Iterator

from reconix.base.unit_text import assignments
from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of, place_of_item
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_LOADING = ("LoadCredential", "LoadCredentialEncrypted", "ImportCredential")


def check_secrets(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the secrets of a system."""
    for name, secret in system.secrets.items():
        key = dotted("secrets", name)
        if not secret.units and not system.containers_that_read(name):
            place = place_of(table, "secrets", name, default=file)
            hint = 'name who reads it, such as units = ["air.service"]'
            yield Problem(place, key, "no unit may read it", hint)
        for unit in secret.units:
            if not unit.endswith(".service"):
                place = place_of_item(table, "secrets", name, "units", item=unit, default=file)
                fact = f"{unit} is no service, and reads nothing"
                yield Problem(place, f"{key}.units", fact, "name the service that reads it")
    yield from _loaded_by_others(system, table, file)


def _loaded_by_others(system: System, table: Table, file: Place) -> Iterator[Problem]:
    for unit, content in system.units.items():
        if not content.is_there:
            continue
        text = content.read().decode(errors="replace")
        for key, value in assignments([text], "Service"):
            secret = system.secrets.get(value)  # one with a path of its own is another credential
            if key in _LOADING and secret is not None and unit not in secret.units:
                place = place_of(table, "units", unit, default=file)
                fact = f"loads secret {value}, and secrets.{value}.units does not name it"
                hint = f'add "{unit}" there; the unit need not say anything'
                yield Problem(place, dotted("units", unit), fact, hint)
