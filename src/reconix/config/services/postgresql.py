"""A database: PostgreSQL.

The cluster and its certificate are made by the device at its first start
(``build/on_device/databases.py`` and ``build/on_device/secrets.py``), and the cluster is kept, for
each system its own. Its settings are those of the generation. That Debian's ``postgresql.service``
is active says nothing about it.
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Form, Option, Range
from reconix.config.schema.health import Health, TcpCheck, UnitCheck
from reconix.config.schema.system import File, Persist, Services
from reconix.config.schema.values import Port
from reconix.config.services.firewall import Options as Firewall

Clients = Annotated[str, Form("a network such as 192.0.2.0/24", r"[0-9a-fA-F:.]+/\d{1,3}")]
_HBA = """\
local all postgres peer
local all all peer
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A database: PostgreSQL, with one cluster that the device makes and keeps."""

    enable: Annotated[
        bool,
        Option("Whether to run the database.", "true", "when programs keep data in tables"),
    ] = False
    version: Annotated[
        Annotated[int, Range(15, 99)],
        Option(
            "Version in Debian's suite. Another version starts with an empty cluster: export the "
            "data with pg_dump first.",
            "17",
            "when the suite is not trixie",
        ),
    ] = 17
    port: Annotated[
        Port, Option("Port it listens on.", "5433", "when 5432 is taken, or clients expect another")
    ] = 5432
    allow: Annotated[
        tuple[Clients, ...],
        Option(
            "Networks whose clients may log in by password; without one, only programs of the "
            "device reach it.",
            '["192.0.2.0/24"]',
            "when other machines read or write the data",
        ),
    ] = ()
    settings: Annotated[
        tuple[str, ...],
        Option(
            "Further lines of `postgresql.conf`.",
            '["shared_buffers = 32MB"]',
            "for what has no option: memory, logging, archives",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """The cluster, its settings, and the checks that it works."""
    if not options.enable:
        return Fragment()
    folder = f"postgresql/{options.version}/main"
    listen = ["listen_addresses = '*'"] if options.allow else []
    lines = [f"port = {options.port}", *listen, *options.settings]
    hba = [f"host all all {network} scram-sha-256\n" for network in options.allow]
    return Fragment(
        packages=(f"postgresql-{options.version}",),
        services=Services(enable=("postgresql.service",)),
        files={
            f"{folder}/conf.d/reconix.conf": File(text="".join(f"{line}\n" for line in lines)),
            f"{folder}/pg_hba.conf": File(
                text=_HBA + "".join(hba), mode=0o640, owner="postgres", group="postgres"
            ),
        },
        ports={str(options.port): "postgresql"},
        persist=Persist(paths=("/var/lib/postgresql",)),
        health=Health(
            checks=(
                UnitCheck(unit=f"postgresql@{options.version}-main.service"),
                TcpCheck(tcp=options.port),
            )
        ),
        set_modules=(Firewall(tcp=(options.port,)),) if options.allow else (),
    )
