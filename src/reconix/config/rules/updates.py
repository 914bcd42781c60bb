"""Where devices look for updates can be asked, and its certificate can be trusted.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

import ssl
from collections.abc import Callable, Iterator

from reconix.base.address import Address, Refused
from reconix.base.files import BadFile, read_text
from reconix.base.http import Proxy
from reconix.config.merge import Table
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.project import Project

_MAX_CERTIFICATE_BYTES = 1 << 20


def check_updates(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for where updates come from."""
    yield from _authorities_are_certificates(project, table, file)
    yield from _servers_can_be_asked(project, table, file)


def _authorities_are_certificates(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    for path in project.update.authorities_files:
        try:
            ssl.create_default_context(cadata=read_text(path, _MAX_CERTIFICATE_BYTES))
        except (BadFile, ssl.SSLError, ValueError):
            place = place_of(table, "update", "authorities_files", default=file)
            hint = "it must be PEM, which begins with -----BEGIN CERTIFICATE-----"
            fact = f"{path} contains no certificate"
            yield Problem(place, "update.authorities_files", fact, hint)


def _servers_can_be_asked(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """The text may hold a password, so it is not repeated."""
    parsers: dict[str, Callable[[str], object]] = {"url": Address.parse, "proxy": Proxy.parse}
    for key, text in (("url", project.update.url), ("proxy", project.update.proxy)):
        try:
            if text is not None:
                parsers[key](text)
        except Refused as error:
            place = place_of(table, "update", key, default=file)
            yield Problem(place, f"update.{key}", str(error), "write it as http://host:port")
