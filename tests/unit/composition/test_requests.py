"""Which line of the configuration asked for something."""

from pathlib import Path

import pytest
from tests.config_projects import write
from tests.installed_packages import locked

from reconix.base.digests import Digest
from reconix.composition.requests import (
    Request,
    for_debs,
    for_files,
    for_item,
    for_option,
    for_packages,
)
from reconix.config.load import Loaded, load_with_places
from reconix.config.lock.packages import LockedPackage
from reconix.config.merge import Table

MACHINE = """\
packages = ["kmod", "nginx"]
"""
SYSTEM = """\
packages = ["nginx"]
debs = ["../../../dist/*.deb", "../../../one.deb"]
[network.lan]
dhcp = true
[services]
enable = ["a.service", "b.service"]
[files."own/one"]
text = "x"
[files."own/other"]
text = "y"
[mosquitto]
anonymous = true
enable = true
"""
MODULE = """\
from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.services.mosquitto import Options as Mosquitto


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    on: Annotated[bool, Option("Whether.", "true", "always")] = False


def configure(options: Options) -> Fragment:
    broker = Mosquitto(enable=True)
    return Fragment(packages=("curl",), set_modules=(broker,)) if options.on else Fragment()
"""


CONTAINERS = """\
[containers.app]
init = true
image = "oci:app"
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    machine = "[kernel]\npackage = 'linux-image-amd64'\n[health]\nchecks = [{ tcp = 22 }]\n"
    write(tmp_path, web=SYSTEM, gauge="[gauge]\non = true\n", apps=CONTAINERS)
    (tmp_path / "hosts/gw/machine.toml").write_text(MACHINE + machine)
    for deb in ("dist/own_1_amd64.deb", "one.deb"):
        (tmp_path / deb).parent.mkdir(exist_ok=True)
        (tmp_path / deb).touch()
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/gauge.py").write_text(MODULE)
    return load_with_places(tmp_path)


def packages(loaded: Loaded, system: str) -> dict[str, tuple[Request, ...]]:
    return for_packages(loaded.configuration.hosts["gw"].systems[system], table(loaded, system))


def table(loaded: Loaded, system: str = "web") -> Table:
    return loaded.systems["gw"][system]


def lines(requests: tuple[Request, ...]) -> list[tuple[str, str, int]]:
    return [(each.option, each.place.file.name, each.place.line) for each in requests]


def test_a_package_is_asked_for_by_the_line_that_names_it(loaded: Loaded) -> None:
    found = packages(loaded, "web")
    assert lines(found["kmod"]) == [("packages", "machine.toml", 1)]
    assert found["kmod"][0].modules == ()


def test_a_package_that_two_lines_name_is_asked_for_by_both(loaded: Loaded) -> None:
    assert lines(packages(loaded, "web")["nginx"]) == [
        ("packages", "machine.toml", 1),
        ("packages", "web.toml", 1),
    ]
    assert len(packages(loaded, "default")["nginx"]) == 1


def test_what_a_module_adds_is_asked_for_by_the_line_that_switches_it_on(loaded: Loaded) -> None:
    found = packages(loaded, "web")["mosquitto"]
    assert lines(found) == [
        ("mosquitto.enable", "web.toml", 13),
        ("mosquitto.anonymous", "web.toml", 12),
    ]
    assert found[0].modules == ("mosquitto",)


def test_a_module_that_sets_another_one_is_traced_to_its_own_line(loaded: Loaded) -> None:
    found = packages(loaded, "gauge")
    assert lines(found["curl"]) == [("gauge.on", "gauge.toml", 2)]
    (through,) = found["mosquitto"]
    assert lines((through,)) == [("gauge.on", "gauge.toml", 2)]
    assert through.modules == ("mosquitto", "gauge")


def test_a_package_that_an_option_implies_is_asked_for_by_that(loaded: Loaded) -> None:
    assert lines(packages(loaded, "web")["systemd-resolved"]) == [
        ("network.lan.dhcp", "web.toml", 4)
    ]


def test_every_package_of_a_system_was_asked_for_by_a_line(loaded: Loaded) -> None:
    for system in ("default", "web", "gauge"):
        assert all(packages(loaded, system).values())


def of_project(name: str, path: str) -> LockedPackage:
    return LockedPackage(name, "1", "amd64", 1, Digest.of(b""), "project", path, "")


def test_a_package_file_is_asked_for_by_the_pattern_that_names_it(loaded: Loaded) -> None:
    packages = [
        of_project("own", "dist/own_1_amd64.deb"),
        of_project("one", "one.deb"),
        of_project("gone", "dist/gone_1_amd64.deb"),
        locked("nginx"),
    ]
    found = for_debs(table(loaded), loaded.configuration.folder, packages)
    assert found.keys() == {"own", "one"}
    columns = [(request.place.line, request.place.column) for (request,) in found.values()]
    assert columns == [(2, 9), (2, 32)]


def test_options_items_and_files_have_their_lines(loaded: Loaded) -> None:
    found = table(loaded)
    assert lines(for_option(found, "kernel", "package")) == [("kernel.package", "machine.toml", 3)]
    assert for_option(found, "sysctl") == for_option(found) == ()
    assert len(for_item(found, "services", "enable", item="b.service")) == 1
    assert for_item(found, "services", "enable", item="c.service") == ()
    assert lines(for_files(found, "own/one")) == [('files."own/one".text', "web.toml", 8)]
    assert len(for_files(found, "own")) == 2
    assert for_files(found, "ow") == ()


def test_what_starts_containers_is_asked_for_by_their_lines(loaded: Loaded) -> None:
    found = packages(loaded, "apps")
    for name in ("crun", "nftables", "catatonit"):
        assert ("containers.app.image", 3, ("containers",)) in [
            (each.option, each.place.line, each.modules) for each in found[name]
        ]
