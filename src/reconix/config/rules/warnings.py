"""What works but is probably a mistake: printed by ``reconix check``, never an error.

A rule is a warning if there is a configuration for which breaking it is right; if there is none, it
is an assertion (``assertions.py``). Each is in the module of its subject; here are all of them.

Tested by ``tests/unit/config/rules/test_warnings.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.config.merge import Table
from reconix.config.problems import Place, Problem
from reconix.config.rules.health import warn_about_health
from reconix.config.rules.ineffective_files import warn_about_files
from reconix.config.rules.kept_files import warn_about_kept_files
from reconix.config.rules.no_effect import (
    warn_about_modules,
    warn_about_settings,
    warn_about_updates,
)
from reconix.config.rules.packages import warn_about_packages
from reconix.config.rules.persist import warn_about_persist
from reconix.config.rules.units import warn_about_units
from reconix.config.rules.users import warn_about_users
from reconix.config.rules.wifi import warn_about_wifi
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.shapes import TableShape


def warn_about_system(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What is probably a mistake in one system."""
    yield from warn_about_settings(system, table, file)
    yield from warn_about_packages(system, table, file)
    yield from warn_about_users(system, table, file)
    yield from warn_about_health(system, table, file)
    yield from warn_about_files(system, table, file)
    yield from warn_about_units(system, table, file)
    yield from warn_about_kept_files(system, table, file)
    yield from warn_about_wifi(system, table, file)


def warn_about_host(
    host: Host, tables: Mapping[str, Table], options: TableShape
) -> Iterator[Problem]:
    """What is probably a mistake between the systems of a host.

    Args:
        host: with its systems.
        tables: the merged values of each system.
        options: of a system, those of modules included.
    """
    yield from warn_about_persist(host, tables)
    yield from warn_about_updates(host, tables)
    yield from warn_about_modules(options, tables)
