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

from reconix.store.tree import File

_SCRIPTS = "reconix/databases"

POSTGRESQL = "var/lib/postgresql"
MARIADB = "var/lib/mysql"
REMOVED = (rf"{POSTGRESQL}/[^/]+/main(/.*)?", rf"{MARIADB}/.*")
"""What a root does not have, as regular expressions of paths in it."""

_POSTGRESQL = """\
data=/{folder}/{version}/main
rm -rf $data.new
initdb=/usr/lib/postgresql/{version}/bin/initdb
$initdb -D $data.new -E UTF8 --locale=C.UTF-8 -A peer --auth-host=scram-sha-256 --no-instructions
cd $data.new
rm postgresql.conf pg_hba.conf pg_ident.conf
sync
[ ! -d $data ] || rmdir $data
mv $data.new $data
sync
"""
"""As ``pg_createcluster`` does, whose settings below ``/etc`` are in the root."""

_MARIADB = f"""\
data=/{MARIADB}
[ ! -e $data/.unfinished ] || find $data -mindepth 1 ! -name .unfinished -delete
: > $data/.unfinished
sync
mariadb-install-db --user=mysql --datadir=$data --skip-test-db \\
    --auth-root-authentication-method=socket > /dev/null
sync
rm $data/.unfinished
sync
"""


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
            _POSTGRESQL.format(folder=POSTGRESQL, version=version),
        )
    if (root / "usr/bin/mariadb-install-db").exists():
        yield Database(
            "mariadb",
            "the database of MariaDB",
            f"ConditionPathExists=|!/{MARIADB}/mysql\nConditionPathExists=|/{MARIADB}/.unfinished\n",
            "",
            "mariadb.service",
            _MARIADB,
        )


def make_units(databases: list[Database]) -> dict[str, bytes]:
    """The units that make them, by name."""
    return {database.unit: _unit(database).encode() for database in databases}


def make_files(databases: list[Database]) -> dict[str, File]:
    """What the units run, by path below ``/etc``."""
    return {f"{_SCRIPTS}/{each.name}": File(each.make.encode()) for each in databases}


def _unit(database: Database) -> str:
    return (
        "[Unit]\n"
        f"Description=Make {database.what}\n"
        f"{database.missing}"
        f"Before={database.reader}\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"{database.owner}"
        f"ExecStart=/bin/sh -e /etc/{_SCRIPTS}/{database.name}\n"
        "TimeoutStartSec=15min\n\n"
        "[Install]\n"
        f"RequiredBy={database.reader}\n"
    )
