"""What is configured about trials is what the agent reads."""

from dataclasses import replace
from pathlib import Path

import pytest

from reconix.build.software.placed import Bound, Layer, Placed
from reconix.build.toplevel import Components, Lists, make_toplevel, print_persist
from reconix.config.load import load
from reconix.config.schema.hosts import Host
from reconix.device.settings.health import (
    STARTED,
    Check,
    CommandSucceeds,
    ContainerWorks,
    FewUnitsFailed,
    FileIsFresh,
    Health,
    PageAnswers,
    PortAnswers,
    SpaceIsFree,
    UnitActive,
    parse_health,
)
from reconix.device.settings.policy import Policy, Untouched, parse_policy
from reconix.device.settings.secrets import AskedSecret, parse_secrets
from reconix.store.paths import StorePath
from reconix.store.tree import File, Symlink
from reconix.store.tree import files as tree_files

MACHINE = """\
kernel.package = "linux-image-cloud-amd64"
[health]
stable = "20s"
checks = [{ tcp = 22 }, { failed_units = 0 }]
[update]
trial_attempts = 5
[secrets.mqtt-password]
units = ["pump.service", "pump.service"]
[boot]
one_shot = "disk"
"""
SYSTEM = """\
[health]
timeout = "2min"
retries = 1
checks = [
    { unit = "pump.service", timeout = "30s" },
    { http = 80, path = "/health", status = 204 },
    { command = ["/usr/bin/pump", "--test"] },
    { file = "/run/pump/alive", max_age = "1min" },
    { free = "/var/lib/pump", at_least = "10M" },
    { container = "pump", timeout = "1min" },
    { container = "setup" },
]
[update]
receive = false
always_attempts = 1
automatic = false
window = "22:00-04:00"
untouched = "trial"
[minify]
enable = true
trap = true
strict = true
[containers]
pump = { packages = ["hello"], command = ["hello"] }
meter = { packages = ["hello"], command = ["hello"], restart = "always", secrets = ["own"] }
setup = { packages = ["hello"], command = ["hello"], restart = "no" }
later = { packages = ["hello"], command = ["hello"], restart = "no" }
[secrets.own]
required = false
"""


def _path(name: str) -> StorePath:
    return StorePath("0" * 32, name)


COMPONENTS = Components(
    *(_path("root"), _path("etc"), _path("linux"), "6.12", _path("initrd"), _path("agent")),
    *(_path("root.sidecar"), _path("etc.sidecar"), _path("linux")),
)


def test_modules_may_be_an_object_of_their_own() -> None:
    components = replace(COMPONENTS, modules=_path("modules"))
    assert components.links()["modules"] == Symlink(f"{_path('modules')}/modules")
    assert {_path("linux"), _path("modules")} <= {*components.paths()}
    assert len(components.paths()) == len(COMPONENTS.paths()) + 1


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "hosts/gw/systems").mkdir(parents=True)
    (tmp_path / "reconix.toml").write_text('name = "test"\n')
    (tmp_path / "hosts/gw/machine.toml").write_text(MACHINE)
    (tmp_path / "hosts/gw/systems/default.toml").write_text(SYSTEM)
    (host,) = load(tmp_path).hosts.values()
    return host


@pytest.fixture
def files(tmp_path: Path, host: Host) -> dict[str, bytes]:
    """The plain files of the toplevel."""
    (tmp_path / "root/usr/sbin").mkdir(parents=True)
    (tmp_path / "root/usr/sbin/sshd").touch()
    persist = print_persist("default", host.systems["default"], tmp_path / "root")
    tree = make_toplevel(host, "default", COMPONENTS, Lists(persist))
    return {name: node.content for name, node in tree.entries if isinstance(node, File)}


def test_checks_of_machine_and_system_add_up(files: dict[str, bytes]) -> None:
    expected = (
        STARTED,
        Check(PortAnswers(22)),
        Check(FewUnitsFailed(0)),
        Check(UnitActive("pump.service"), 30),
        Check(PageAnswers(80, "/health", 204)),
        Check(CommandSucceeds(("/usr/bin/pump", "--test"))),
        Check(FileIsFresh("/run/pump/alive", 60)),
        Check(SpaceIsFree("/var/lib/pump", 10 << 20)),
        Check(ContainerWorks("pump"), 60),
        Check(ContainerWorks("setup")),
        Check(ContainerWorks("meter")),
    )
    found = parse_health(files["health.json"], source="health.json")
    assert found == Health(120, expected, stable_seconds=20, retries=1)


def test_secrets_that_a_device_makes_are_kept_for_all_systems(files: dict[str, bytes]) -> None:
    assert b"shared /var/lib/reconix/secrets\n" in files["persist"]


def test_attempts_and_limits_arrive(files: dict[str, bytes]) -> None:
    expected = Policy(
        receive=False,
        trial_timeout_seconds=300,
        trial_attempts=5,
        always_attempts=1,
        automatic=False,
        window="22:00-04:00",
        needs_firmware=False,
        untouched=Untouched.TRIAL,
        strict_minify=True,
    )
    assert parse_policy(files["update.json"], source="update.json") == expected


def test_which_secrets_are_asked_for_arrives_and_no_more(files: dict[str, bytes]) -> None:
    found = parse_secrets(files["secrets.json"], source="secrets.json")
    assert found == (
        AskedSecret("mqtt-password", ("pump.service",)),
        AskedSecret("own", ("container-meter.service",), is_required=False),
    )


def test_containers_are_a_link_and_part_of_the_closure(host: Host) -> None:
    path = _path("containers-default")
    own = replace(COMPONENTS, containers=path)
    made = dict(tree_files(make_toplevel(host, "default", own, Lists(b""))))
    assert made["containers"] == Symlink(str(path)) and path in own.paths()
    without = dict(tree_files(make_toplevel(host, "default", COMPONENTS, Lists(b""))))
    assert made.keys() - without.keys() == {"containers"}


def test_what_is_beside_the_root_is_listed_for_the_initrd_and_described_for_images(
    tmp_path: Path, host: Host
) -> None:
    (tmp_path / "root").mkdir()
    air, web, files = (_path(name) for name in ("tree-opt-air", "tree-opt-web", "files-default"))
    sidecar = _path("any.sidecar")
    placed = Placed(
        bound=(Bound("/opt/web", web, sidecar), Bound("/opt/air", air, sidecar)),
        layers=(Layer(files, sidecar),),
    )
    own = replace(COMPONENTS, placed=placed)
    tree = make_toplevel(host, "default", own, Lists(b""))
    found = {path: node for path, node in tree_files(tree) if isinstance(node, File)}
    assert found["trees"].content.decode() == f"{air} /opt/air\n{web} /opt/web\n"
    assert found["layers"].content.decode() == f"{files}\n"
    links = {path for path, _ in tree_files(tree) if path.startswith("sidecars/")}
    names = (air.basename, web.basename, files.basename)
    assert links == {"sidecars/root", "sidecars/etc", *(f"sidecars/{name}" for name in names)}
    assert {air, web, files, sidecar} <= set(own.paths())
