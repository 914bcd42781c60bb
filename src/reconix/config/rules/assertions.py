"""What must hold between options: errors that no option shows alone.

An assertion that fails is an error, as in NixOS: nothing is built. Each is in the module of its
subject, and gets the result, which is easy to judge, and the merged values, which know where
everything was written; here are all of them. What is only probably a mistake is in ``warnings.py``.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

from collections.abc import Iterator, Mapping

from reconix.config.merge import Table
from reconix.config.problems import Place, Problem
from reconix.config.rules.archives import check_archives
from reconix.config.rules.certificates import check_certificates
from reconix.config.rules.containers import check_containers
from reconix.config.rules.containers_together import check_containers_together
from reconix.config.rules.contents import check_contents
from reconix.config.rules.default_system import check_default_system
from reconix.config.rules.devices import check_devices
from reconix.config.rules.dynamic_user import check_dynamic_users
from reconix.config.rules.files import check_files
from reconix.config.rules.health import check_health
from reconix.config.rules.machine import check_machine
from reconix.config.rules.minify import check_minify
from reconix.config.rules.network import check_network
from reconix.config.rules.persist import check_persist, check_persist_of_all
from reconix.config.rules.python_environments import check_python_environments
from reconix.config.rules.schedule import check_schedule
from reconix.config.rules.secrets import check_secrets
from reconix.config.rules.trees import check_trees
from reconix.config.rules.units import check_units
from reconix.config.rules.updates import check_updates
from reconix.config.rules.users import check_users, check_users_of_all
from reconix.config.rules.volumes import check_volumes
from reconix.config.rules.wifi import check_bridged_wifi, check_wifi
from reconix.config.schema.hosts import Host
from reconix.config.schema.project import Project
from reconix.config.schema.system import System


def check_project(project: Project, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for what all hosts share."""
    yield from check_updates(project, table, file)
    yield from check_archives(project, table, file)


def check_host(
    host: Host, table: Table, tables: Mapping[str, Table], file: Place
) -> Iterator[Problem]:
    """What must hold for a machine and between its systems.

    Args:
        host: with its systems.
        table: the merged values of the machine.
        tables: those of each system.
        file: of the machine.
    """
    yield from check_machine(host, table, tables, file)
    yield from check_schedule(host, table, tables, file)
    yield from check_devices(host, table, file)
    yield from check_persist_of_all(host, tables, file)
    yield from check_users_of_all(host, tables, file)
    yield from check_default_system(host, tables, file)


def check_system(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold within one system."""
    yield from check_contents(system, table, file)
    yield from check_certificates(system, table, file)
    yield from check_network(system, table, file)
    yield from check_users(system, table, file)
    yield from check_persist(system, table, file)
    yield from check_units(system, table, file)
    yield from check_health(system, table, file)
    yield from check_volumes(system, table, file)
    yield from check_files(system, table, file)
    yield from check_trees(system, table, file)
    yield from check_containers(system, table, file)
    yield from check_containers_together(system, table, file)
    yield from check_python_environments(system, table, file)
    yield from check_dynamic_users(system, table, file)
    yield from check_secrets(system, table, file)
    yield from check_wifi(system, table, file)
    yield from check_minify(system, table, file)
    yield from check_bridged_wifi(system, table, file)
