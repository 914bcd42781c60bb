"""Preflight: a check says what a build would refuse, once the packages were built before."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.build import cached_recipes, recipes
from reconix.build.inspect.preflight import Preflight
from reconix.cli.main import main
from reconix.config.load import Loaded, load_with_places
from reconix.config.lock.document import FILE_NAME, print_lock
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.problems import Problem
from reconix.nix.chroot import ChrootStore

SYSTEM = """\
packages = ["nginx"]
{budget}
[health]
checks = [{{ unit = "{unit}" }}]
"""
MACHINE = """\
[kernel]
package = "linux-image-amd64"
"""


def package(name: str) -> LockedPackage:
    path = f"pool/main/{name}.deb"
    return LockedPackage(name, "1", "amd64", 1, Digest.of(b""), "debian", path, "20260101T000000Z")


LOCKED = SystemLock(
    ("nginx",), (package("nginx"),), "linux-image-amd64", (package("linux-image-6.12.1-amd64"),)
)
LOCK = HostLock(
    "amd64", ("trixie",), ("main",), (package("loader"),), (package("initrd"),), {"default": LOCKED}
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as opened:
        yield opened


def build(store: ChrootStore, lock: HostLock = LOCK) -> None:
    """Root and kernel of a system as a build leaves them."""

    def root(into: Path) -> None:
        (into / "usr/lib/systemd/system").mkdir(parents=True)
        (into / "usr/lib/systemd/system/nginx.service").write_text("[Service]\n" + "#" * 989)
        for name in ("one", "other"):
            (into / name).write_text("equal" * 100)
        (into / "usr/lib/systemd/system/getty@.service").write_text("[Service]\n")
        dynamic = "[Service]\nDynamicUser=yes\nStateDirectory=%p\n"
        (into / "usr/lib/systemd/system/cache.service").write_text(dynamic)
        (into / "usr/bin").mkdir()
        (into / "usr/bin/true").touch(0o755)
        (into / "etc").mkdir()
        (into / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n")
        (into / "etc/group").write_text("root:x:0:\nwww-data:x:33:\noperator:x:37:\n")

    system = lock.systems["default"]
    recipes.realise(store, cached_recipes.root_recipe(system, lock), root)
    recipes.realise(
        store, cached_recipes.linux_recipe(system), lambda into: into.write_bytes(b"kernel")
    )


def project(folder: Path, unit: str, budget: str = "") -> Path:
    systems = folder / "hosts/box/systems"
    systems.mkdir(parents=True)
    (folder / "reconix.toml").write_text('name = "test"\n')
    (folder / "hosts/box/machine.toml").write_text(MACHINE)
    (systems / "default.toml").write_text(SYSTEM.format(unit=unit, budget=budget))
    return folder


def problems(store: ChrootStore, folder: Path, lock: HostLock = LOCK) -> list[Problem]:
    loaded: Loaded = load_with_places(folder)
    host = loaded.configuration.hosts["box"]
    return list(Preflight(store).of(host, lock, loaded.systems["box"]))


def test_an_unknown_unit_is_told_with_its_line(store: ChrootStore, tmp_path: Path) -> None:
    build(store)
    (found,) = problems(store, project(tmp_path / "p", "ngnix.service"))
    assert found.place.file.name == "default.toml"
    assert (found.place.line, found.key) == (4, "health.checks")
    assert "waits for ngnix.service, but there is no such unit" in found.fact
    assert found.hint == "did you mean nginx.service?"


@pytest.mark.parametrize("unit", ["nginx.service", "getty@tty1.service", "srv-card.mount"])
def test_what_there_is_may_be_waited_for(store: ChrootStore, tmp_path: Path, unit: str) -> None:
    build(store)
    assert problems(store, project(tmp_path / "p", unit)) == []


def test_what_a_new_package_file_brings_is_left_to_the_build(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    folder = project(tmp_path / "p", "air.service")
    assert problems(store, folder)
    (folder / "air.deb").write_bytes(b"new")
    machine = folder / "hosts/box/machine.toml"
    machine.write_text(f'debs = ["../../air.deb"]\n{machine.read_text()}')
    assert problems(store, folder) == []


def test_units_that_we_generate_are_known(store: ChrootStore, tmp_path: Path) -> None:
    build(store)
    assert problems(store, project(tmp_path / "p", "reconix-start.service")) == []


def test_a_unit_that_is_to_read_a_secret_must_be_there_too(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    folder = project(tmp_path, "nginx.service")
    machine = folder / "hosts/box/machine.toml"
    machine.write_text(f'{machine.read_text()}\n[secrets.a]\nunits = ["ngnix.service"]\n')
    (found,) = problems(store, folder)
    assert found.fact == "there is no unit ngnix.service"
    assert (found.key, found.place.file.name) == ("secrets.a.units", "machine.toml")
    assert found.place.text == 'units = ["ngnix.service"]'


def test_a_unit_to_enable_must_be_there_too(store: ChrootStore, tmp_path: Path) -> None:
    build(store)
    folder = project(tmp_path / "p", "nginx.service")
    with (folder / "hosts/box/systems/default.toml").open("a") as file:
        file.write('[services]\nenable = ["gety@tty1.service"]\n')
    (found,) = problems(store, folder)
    assert (found.place.line, found.key) == (6, "services.enable")


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        ("/usr/bin/gone --x", "ExecStart starts /usr/bin/gone, which is not there"),
        ("gone", "ExecStart starts gone, which is not there"),
        ("/opt/air/gone", "ExecStart starts /opt/air/gone, which is not there"),
        ("/opt/air/note", "ExecStart starts /opt/air/note, which is not executable"),
        ("/opt/air/air", ""),
        ("/opt/other/air", ""),
        ("/var/lib/air/air", ""),
        ("-/usr/bin/gone", ""),
    ],
)
def test_a_unit_starts_what_packages_and_trees_have(
    store: ChrootStore, tmp_path: Path, command: str, fact: str
) -> None:
    build(store)
    folder = project(tmp_path / "p", "nginx.service")
    systems = folder / "hosts/box/systems"
    (systems / "air").mkdir()
    (systems / "air/note").touch()
    (systems / "air/air").touch(0o755)
    with (systems / "default.toml").open("a") as file:
        file.write('[trees."/opt/air"]\nsource = "air"\n')
        file.write(f'[units."air.service"]\nexec = "{command}"\n')
    found = problems(store, folder)
    assert [each.fact for each in found] == ([fact] if fact else [])
    assert {(each.key, each.place.line) for each in found} <= {('units."air.service"', 8)}


@pytest.mark.parametrize(
    ("place", "make", "fact"),
    [
        ("/opt/air", "pipe", "a named pipe"),
        ("/usr/bin", "true", "packages have a file at /usr/bin/true, where a folder"),
        ("/usr/bin", "false", ""),
    ],
)
def test_a_tree_that_could_not_be_is_told_with_its_line(
    store: ChrootStore, tmp_path: Path, place: str, make: str, fact: str
) -> None:
    build(store)
    folder = project(tmp_path / "p", "nginx.service")
    systems = folder / "hosts/box/systems"
    (systems / "air").mkdir()
    if make == "pipe":
        os.mkfifo(systems / "air/pipe")
    else:
        (systems / "air" / make).mkdir()
    with (systems / "default.toml").open("a") as file:
        file.write(f'[trees."{place}"]\nsource = "air"\n')
    found = problems(store, folder)
    assert [fact in each.fact for each in found] == ([True] if fact else [])
    assert {(each.key, each.place.line) for each in found} <= {(f'trees."{place}"', 6)}


def test_a_budget_that_the_packages_alone_exceed_is_told(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    (found,) = problems(store, project(tmp_path / "p", "nginx.service", 'budget = "1K"'))
    assert (found.place.line, found.key) == (2, "budget")
    assert found.fact.startswith("packages and kernel alone have ")
    assert problems(store, project(tmp_path / "q", "nginx.service", 'budget = "1M"')) == []


def test_equal_files_of_packages_count_once_and_small_ones_not_at_all(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    (found,) = problems(store, project(tmp_path / "p", "nginx.service", 'budget = "1K"'))
    assert found.fact.startswith(f"packages and kernel alone have {999 + 500} bytes")


def test_a_folder_that_persists_where_a_package_needs_a_link_is_told(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    kept = 'persist.paths = ["/var/lib/mosquitto", "/var/lib/cache"]'
    (problem,) = problems(store, project(tmp_path, "nginx.service", kept))
    assert problem.fact.endswith("cache.service has DynamicUser= and would not start")
    assert problem.hint == 'persist "/var/lib/private/cache" instead'
    assert (problem.place.file.name, problem.place.line) == ("default.toml", 2)


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("nginx.service.d/own.conf", "DynamicUser=yes\nStateDirectory=web", "nginx.service"),
        ("cache.service.d/own.conf", "DynamicUser=no", ""),
        ("cache.service", "ExecStart=/bin/true", ""),
        ("getty@.service.d/own.conf", "DynamicUser=yes\nStateDirectory=web", "getty@.service"),
    ],
)
def test_a_unit_of_a_package_is_judged_with_what_the_configuration_adds(
    store: ChrootStore, tmp_path: Path, file: str, text: str, told: str
) -> None:
    build(store)
    kept = (
        'persist.paths = ["/var/lib/web", "/var/lib/cache"]\n'
        f'files."systemd/system/{file}".text = """[Service]\n{text}\n"""\n'
    )
    found = problems(store, project(tmp_path, "nginx.service", kept))
    units = {problem.fact.split(": ")[1].split()[0] for problem in found}
    expected = {"cache.service", told} if told else set()
    assert units == expected


def test_a_number_that_a_user_cannot_have_is_told(store: ChrootStore, tmp_path: Path) -> None:
    build(store)
    known = replace(LOCK, numbers={"mosquitto": 312})
    folder = project(tmp_path, "nginx.service", "users.ann.uid = 312")
    (problem,) = problems(store, folder, known)
    assert (problem.key, problem.place.line) == ("users.ann.uid", 2)
    assert problem.fact == "ann has ID 312, and so has mosquitto"
    assert not problems(store, folder, replace(LOCK, numbers={"ann": 312}))


def test_a_declaration_of_a_user_that_is_none_is_told(store: ChrootStore, tmp_path: Path) -> None:
    build(store)
    line = 'files."sysusers.d/a.conf".text = "x y"'
    (problem,) = problems(store, project(tmp_path, "nginx.service", line))
    assert "declares nothing" in problem.fact


def test_what_was_never_built_is_left_to_the_build(store: ChrootStore, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "ngnix.service")
    assert problems(store, folder) == []
    build(store)
    other = replace(LOCKED, packages=(package("nginx"), package("libc6")))
    assert problems(store, folder, replace(LOCK, systems={"default": other})) == []


def test_a_lock_that_answers_another_question_says_nothing(
    store: ChrootStore, tmp_path: Path
) -> None:
    build(store)
    asked = replace(LOCKED, asked=("nginx", "vim"))
    folder = project(tmp_path / "p", "ngnix.service")
    assert problems(store, folder, replace(LOCK, systems={"default": asked})) == []


def test_check_tells_it(
    store: ChrootStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(store)
    folder = project(tmp_path / "p", "ngnix.service")
    (folder / FILE_NAME).write_bytes(print_lock(Lock({"box": LOCK})))
    words = ("--project", str(folder), "--store")
    assert main([*words, str(store.root), "check"]) == 2
    assert "did you mean nginx.service?" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "no-store"), "check"]) == 0
    assert not (tmp_path / "no-store").exists(), "a check makes nothing"


def test_a_damaged_lock_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project(tmp_path / "p", "nginx.service")
    (folder / FILE_NAME).write_text("{")
    assert main(["--project", str(folder), "check"]) == 2
    assert "reconix lock" in capsys.readouterr().err
