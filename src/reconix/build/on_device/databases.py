"""Databases of packages: not made when the root is built, but at the first start of a device.

PostgreSQL and MariaDB make their files when they are installed. These tell the time, have an
identity of their own, and would be the same on all devices. So a root comes without them, and a
unit makes them where there are none yet. It is for the configuration to keep them: the folder is
named in ``persist``, otherwise each start begins with an empty database. What is set below ``/etc``
stays that of the generation.

A cut leaves no half database: PostgreSQL's gets its name when it is whole; MariaDB's, which lies in
a folder that may be bound itself, is begun anew while a file says that it is unfinished.

Source: initdb(1), mariadb-install-db(1).
Tested by ``tests/unit/build/on_device/test_databases.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.build.templates import fill
from reconix.store.tree import File

_SCRIPTS = "reconix/databases"

POSTGRESQL = "var/lib/postgresql"
MARIADB = "var/lib/mysql"
REMOVED = (rf"{POSTGRESQL}/[^/]+/main(/.*)?", rf"{MARIADB}/.*")
"""What a root does not have, as regular expressions of paths in it."""


@dataclass(frozen=True, slots=True)
class Database:
    """One that a device makes.

    Attributes:
        name: of its unit and script.
        what: it is, for people.
        missing: lines of ``[Unit]`` that hold while it must be made.
        owner: who makes it, and prepares what as root.
        reader: the unit that cannot start without it.
        make: lines of a shell.
    """

    name: str
    what: str
    missing: str
    owner: str
    reader: str
    make: str

    @property
    def unit(self) -> str:
        """The unit that makes it."""
        return f"reconix-database-{self.name}.service"


def needed(root: Path) -> Iterator[Database]:
    """The databases that a device makes for a root."""
    for settings in sorted((root / "etc/postgresql").glob("*/main/postgresql.conf")):
        version = settings.parts[-3]
        folder = f"/{POSTGRESQL}/{version}"
        prepare = f"+/usr/bin/install -d -o postgres -g postgres {folder}"
        yield Database(
            f"postgresql-{version}",
            f"the database cluster of PostgreSQL {version}",
            f"ConditionPathExists=!{folder}/main/PG_VERSION\n",
            f"User=postgres\nExecStartPre={prepare}\n",
            f"postgresql@{version}-main.service",
            fill("first_start/postgresql", version=version),
        )
    if (root / "usr/bin/mariadb-install-db").exists():
        yield Database(
            "mariadb",
            "the database of MariaDB",
            f"ConditionPathExists=|!/{MARIADB}/mysql\nConditionPathExists=|/{MARIADB}/.unfinished\n",
            "",
            "mariadb.service",
            fill("first_start/mariadb"),
        )


def make_units(databases: list[Database]) -> dict[str, bytes]:
    """The units that make them, by name."""
    return {database.unit: _unit(database).encode() for database in databases}


def make_files(databases: list[Database]) -> dict[str, File]:
    """What the units run, by path below ``/etc``."""
    return {f"{_SCRIPTS}/{each.name}": File(each.make.encode()) for each in databases}


def _unit(database: Database) -> str:
    return fill(
        "units/database.service",
        what=database.what,
        missing=database.missing,
        owner=database.owner,
        script=f"/etc/{_SCRIPTS}/{database.name}",
        reader=database.reader,
    )
