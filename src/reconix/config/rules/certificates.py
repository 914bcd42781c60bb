"""Files of authorities hold certificates of authorities and nothing that is secret.

Tested by ``tests/unit/config/rules/test_certificates.py``.
"""

from collections.abc import Iterator

from reconix.config import authorities
from reconix.config.authorities import NoAuthority
from reconix.config.merge import Table, settings
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_KEY = "certificates.authorities"


def check_certificates(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the authorities of a system."""
    places = {setting.value: setting.place for key, setting in settings(table) if key == _KEY}
    for path in system.certificates.authorities:
        if path.is_file():  # that one is missing is an error of its own
            try:
                authorities.read(path)
            except NoAuthority as error:
                hint = "name a file with the certificate of the authority alone, as PEM"
                yield Problem(places.get(path, file), _KEY, f"{path.name} {error}", hint)
