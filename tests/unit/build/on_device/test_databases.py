"""Databases of packages: made by the device, begun anew after a cut, and never made twice."""

from pathlib import Path

import pytest

from reconix.base.process import succeeds
from reconix.build.on_device import databases
from reconix.build.on_device.databases import Database
from reconix.build.root import normalise

INITDB = """\
#!/bin/sh
mkdir -p "$2" && cd "$2" && touch PG_VERSION postgresql.conf pg_hba.conf pg_ident.conf
"""
INSTALL = """\
#!/bin/sh
mkdir {data}/mysql && touch {data}/mysql/user.frm
"""
STEPS = ("mv", "rm", "rmdir", "sync", "find", "mariadb-install-db", "initdb")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    settings = tmp_path / "root/etc/postgresql/17/main/postgresql.conf"
    program = tmp_path / "root/usr/bin/mariadb-install-db"
    for path in (settings, program):
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path / "root"


def run(database: Database, device: Path, *, allowed: int = 99) -> bool:
    """Run the script of a unit as if below a folder, cut before so many steps are over."""
    shims = device / "shims"
    shims.mkdir(parents=True, exist_ok=True)
    (device / "var/lib/postgresql/17").mkdir(parents=True, exist_ok=True)
    (device / "var/lib/mysql").mkdir(parents=True, exist_ok=True)
    (shims / "real-initdb").write_text(INITDB)
    (shims / "real-mariadb-install-db").write_text(INSTALL.format(data=device / "var/lib/mysql"))
    (device / "count").write_text("")
    for name in STEPS:
        real = f"sh {shims}/real-{name}" if "db" in name else f"/bin/{name}"
        cut = f"echo >> {device}/count; [ $(wc -l < {device}/count) -le {allowed} ]"
        (shims / name).write_text(f'#!/bin/sh\n{cut} || exit 1\nexec {real} "$@"\n')
        (shims / name).chmod(0o755)
    script = database.make.replace("data=/var", f"data={device}/var")
    script = script.replace("/usr/lib/postgresql/17/bin/initdb", f"{shims}/initdb")
    return succeeds("sh", "-ec", f"PATH={shims}:$PATH\n{script}")


def must_be_made(database: Database, device: Path) -> bool:
    """What the conditions of the unit say: all without a bar, and any of those with one."""
    lines = [line.partition("=")[2] for line in database.missing.splitlines()]
    hold = [
        (device / line.lstrip("|!/")).exists() != line.lstrip("|").startswith("!") for line in lines
    ]
    return any(hold)


def is_whole(device: Path) -> bool:
    found = {str(path.relative_to(device)) for path in (device / "var").rglob("*")}
    cluster = {path for path in found if "/main" in path}
    mine = {path for path in found if path.startswith("var/lib/mysql/")}
    return cluster == {
        "var/lib/postgresql/17/main",
        "var/lib/postgresql/17/main/PG_VERSION",
    } or mine == {"var/lib/mysql/mysql", "var/lib/mysql/mysql/user.frm"}


def test_each_that_a_root_has_programs_for_is_made(root: Path, tmp_path: Path) -> None:
    names = [each.unit for each in databases.needed(root)]
    assert names == [
        "reconix-database-postgresql-17.service",
        "reconix-database-mariadb.service",
    ]
    assert list(databases.needed(tmp_path)) == []


@pytest.mark.parametrize("number", [0, 1], ids=["postgresql", "mariadb"])
def test_a_cut_leaves_nothing_that_is_taken_for_a_database(
    root: Path, tmp_path: Path, number: int
) -> None:
    database = list(databases.needed(root))[number]
    for allowed in range(99):
        device = tmp_path / str(allowed)
        finished = run(database, device, allowed=allowed)
        assert must_be_made(database, device) or is_whole(device)
        assert not must_be_made(database, device) or run(database, device)
        assert is_whole(device)
        if finished:
            assert allowed > 3
            return
    raise AssertionError("it has no end")


def test_settings_are_only_those_of_the_generation(root: Path, tmp_path: Path) -> None:
    postgresql, _ = databases.needed(root)
    assert run(postgresql, tmp_path / "device")
    made = (tmp_path / "device/var/lib/postgresql/17/main").iterdir()
    assert [path.name for path in made] == ["PG_VERSION"]


def test_the_cluster_cannot_start_before_it_is_made(root: Path) -> None:
    unit = databases.make_units(list(databases.needed(root)))[
        "reconix-database-postgresql-17.service"
    ]
    assert b"Before=postgresql@17-main.service\n" in unit
    assert b"RequiredBy=postgresql@17-main.service\n" in unit
    assert b"User=postgres\n" in unit


@pytest.mark.parametrize(
    "path", ["var/lib/postgresql/17/main/PG_VERSION", "var/lib/mysql/ibdata1", "var/lib/mysql/sys"]
)
def test_a_root_has_no_database_but_its_folder(path: str) -> None:
    assert not normalise.keep(path, folder=True)
    assert normalise.keep("var/lib/postgresql/17", folder=True)
    assert normalise.keep("var/lib/mysql", folder=True)
    assert normalise.keep("etc/postgresql/17/main/postgresql.conf", folder=False)
