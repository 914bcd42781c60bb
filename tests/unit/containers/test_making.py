"""The containers of a system as objects of the store."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.locked_containers import host_of, images, lock_of, locked
from tests.oci_images import file, folder, image, layer, link, write_layout

from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.hosts import Host
from reconix.containers.descriptors import BadImage
from reconix.containers.making import ContainerMaker
from reconix.device.settings.containers import Container, parse_containers
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees, is_sidecar
from reconix.store.images.nodes import ImageFile, ImageFolder, find
from reconix.store.paths import StorePath

IMAGE = (
    layer(
        folder("etc", mode=0o755),
        file("etc/passwd", b"root:x:0:0:::\napp:x:1000:50:::\nfar:x:70000:1:::\n"),
        file("bin/run", b"program" * 100, mode=0o4755),
        link("etc/resolv.conf", "/proc/net/pnp"),
        folder("var/lib/app", mode=0o750, user=1000, group=50),
    ),
)
CONFIG = {
    "Cmd": ["/bin/run"],
    "User": "app",
    "Healthcheck": {"Test": ["CMD", "/bin/run", "--check"], "Interval": 10_000_000_000},
}
SYSTEM = """
[containers.app]
image = "oci:images:app"
volumes = { data = "/var/lib/app" }
files = { "/etc/app.conf" = { text = "yes", mode = "0600" } }
ports = ["8080:80"]
[containers.other]
image = "oci:images:app"
network = "host"
command = ["/bin/run", "it's"]
health.enable = false
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def project(folder: Path, text: str = SYSTEM) -> tuple[Host, HostLock]:
    write_layout(folder / "images", app=image(folder / "images", IMAGE, config=CONFIG))
    host = host_of(folder, web=text)
    image_lock = locked(folder, "oci:images:app")
    return host, lock_of(host, dict.fromkeys(host.systems["web"].containers, image_lock), "web")


def make(
    store: ChrootStore, tmp_path: Path, host: Host, lock: HostLock, system: str = "web"
) -> StorePath | None:
    maker = ContainerMaker(store, images(tmp_path), lambda packages: {})
    return maker.make(host, lock, system, tmp_path / "root")


def made(store: ChrootStore, tmp_path: Path, text: str = SYSTEM) -> StorePath:
    path = make(store, tmp_path, *project(tmp_path, text))
    assert path is not None
    return path


def listed(store: ChrootStore, path: StorePath) -> dict[str, Container]:
    content = (store.path(path) / "containers.json").read_bytes()
    return {each.name: each for each in parse_containers(content, source="it")}


def test_a_system_without_containers_has_no_object(store: ChrootStore, tmp_path: Path) -> None:
    host, lock = project(tmp_path)
    assert make(store, tmp_path, host, lock, "default") is None


def test_the_object_says_all_that_a_device_needs(store: ChrootStore, tmp_path: Path) -> None:
    path = made(store, tmp_path)
    found = sorted(
        str(each.relative_to(store.path(path)))
        for each in store.path(path).rglob("*")
        if not each.is_dir() and each.parent.name != "sidecars"
    )
    assert found == [
        "app/config.json",
        "app/health.json",
        "app/hosts",
        "app/settings",
        "containers.json",
        "nftables",
        "other/config.json",
        "other/hosts",
        "other/settings",
        "units/container-app-health.service",
        "units/container-app-health.timer",
        "units/container-app-network.service",
        "units/container-app.service",
        "units/container-other.service",
        "units/containers.target",
        "units/reconix-container-images.service",
        "units/reconix-container-names.path",
        "units/reconix-container-names.service",
        "units/reconix-container-network.service",
    ]
    assert path.name == "containers-web"


def test_it_refers_to_the_trees_and_what_is_said_of_them(
    store: ChrootStore, tmp_path: Path
) -> None:
    path = made(store, tmp_path)
    names = [each.name for each in store.closure(path)]
    assert sorted(names) == [
        "container-layer-app",
        "container-layer-app.sidecar",
        "container-layer-other",
        "container-layer-other.sidecar",
        "container-root",
        "container-root.sidecar",
        "containers-web",
    ]
    assert not store.verify(store.closure(path))


def test_on_a_device_trees_are_closed_and_sidecars_gone(store: ChrootStore, tmp_path: Path) -> None:
    path = made(store, tmp_path)
    trees = DeviceTrees(store).of_closure(store.closure_of(path))
    assert not any(is_sidecar(each) for each in trees)
    own = trees[path]
    assert isinstance(own, ImageFolder)
    assert b"sidecars" not in dict(own.entries)
    for each, tree in trees.items():
        if each != path:
            assert isinstance(tree, ImageFolder) and tree.metadata.mode == 0o700
            assert [name for name, _ in tree.entries] == [b"root"]
    layer_tree = next(tree for each, tree in trees.items() if each.name == "container-layer-app")
    conf = find(find(layer_tree, b"root"), b"etc", b"app.conf")
    assert isinstance(conf, ImageFile) and conf.metadata.mode == 0o600


def test_the_layers_stand_in_the_settings(store: ChrootStore, tmp_path: Path) -> None:
    path = made(store, tmp_path)
    settings = (store.path(path) / "app/settings").read_text()
    upper, lower = listed(store, path)["app"].objects
    assert f"LAYERS='{upper.basename}/root {lower.basename}/root'\n" in settings
    assert upper.name == "container-layer-app" and lower.name == "container-root"
    assert "VOLUMES='systems/web/containers/app/data /var/lib/app'\n" in settings


def test_numbers_are_those_of_the_range(store: ChrootStore, tmp_path: Path) -> None:
    path = made(store, tmp_path)
    for number, name in enumerate(("app", "other")):
        first = 0x10000000 + number * 65536
        settings = (store.path(path) / name / "settings").read_text()
        assert f"BASE='{first}'\n" in settings
        assert f"OWNER='{first + 1000}:{first + 50}'\n" in settings
        config = json.loads((store.path(path) / name / "config.json").read_bytes())
        assert config["linux"]["uidMappings"] == [
            {"containerID": 0, "hostID": first, "size": 65536}
        ]


def test_what_the_image_says_is_in_the_list(store: ChrootStore, tmp_path: Path) -> None:
    found = listed(store, made(store, tmp_path))
    assert found["app"].image == "oci:images:app"
    assert found["app"].digest == locked(tmp_path, "oci:images:app").top
    assert found["app"].has_health and not found["other"].has_health
    assert found["other"].network == "host"


def test_the_same_again_is_the_same_object(store: ChrootStore, tmp_path: Path) -> None:
    host, lock = project(tmp_path)
    assert make(store, tmp_path, host, lock) == make(store, tmp_path, host, lock)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('"it\'s"', '"another"', {"other"}),
        ('"yes"', '"no"', {"app"}),
        ('"0600"', '"0640"', {"app"}),
        ("8080:80", "8080:81", set()),
        ('network = "host"', "", {"other"}),
        ("health.enable = false", 'restart = "always"\nhealth.enable = false', {"other"}),
        ("health.enable = false", "", {"other"}),
    ],
)
def test_an_identity_changes_with_what_makes_a_container(
    store: ChrootStore, tmp_path: Path, old: str, new: str, changed: set[str]
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    before = listed(store, made(store, tmp_path / "one"))
    assert old in SYSTEM
    after = listed(store, made(store, tmp_path / "two", SYSTEM.replace(old, new)))
    assert {name for name in before if before[name].identity != after[name].identity} == changed


def test_another_container_leaves_the_first_alone(store: ChrootStore, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    before = listed(store, made(store, tmp_path / "one"))
    more = '[containers.third]\nimage = "oci:images:app"\n'
    host, lock = project(tmp_path / "two", f"{SYSTEM}{more}")
    after_path = make(store, tmp_path / "two", host, lock)
    assert after_path is not None
    after = listed(store, after_path)
    assert {name: after[name].identity for name in before} == {
        name: each.identity for name, each in before.items()
    }


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ('user = "nobody-here"', "user 'nobody-here' is not in its /etc/passwd"),
        ('user = "far"', "runs under the number 70000"),
        ('command = ["/bin/none"]', "starts /bin/none, which is not there"),
        ('working_directory = "/srv/none"', "the folder /srv/none is not in its image"),
        ('volumes = { data = "/etc/passwd" }', "/etc/passwd is a file"),
        ('files = { "/etc" = { text = "" } }', "there is a folder at /etc, no file"),
        ('files = { "/bin/run/x" = { text = "" } }', "/bin/run is a file"),
    ],
)
def test_what_is_not_in_the_image_is_refused(
    store: ChrootStore, tmp_path: Path, option: str, message: str
) -> None:
    text = f'[containers.app]\nimage = "oci:images:app"\n{option}\n'
    with pytest.raises(BadImage, match=r"web: containers\.app") as failure:
        made(store, tmp_path, text)
    assert message in str(failure.value)


def test_a_program_that_nobody_names_is_refused(store: ChrootStore, tmp_path: Path) -> None:
    host, lock = project(tmp_path)
    layout = tmp_path / "images"
    write_layout(layout, app=image(layout, IMAGE, config={}))
    system = lock.systems["web"]
    containers = {**system.containers, "app": locked(tmp_path, "oci:images:app")}
    changed = replace(lock, systems={"web": replace(system, containers=containers)})
    with pytest.raises(BadImage, match="does not say what is to run"):
        make(store, tmp_path, host, changed)


def test_the_zone_of_the_system_is_that_of_its_containers(
    store: ChrootStore, tmp_path: Path
) -> None:
    zone = tmp_path / "root/usr/share/zoneinfo/Europe/Berlin"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"TZif2 of Berlin")
    link_to = 'files."localtime".link = "/usr/share/zoneinfo/Europe/Berlin"\n'
    path = made(store, tmp_path, f"{link_to}{SYSTEM}")
    upper = listed(store, path)["app"].objects[0]
    found = store.path(upper) / "root/etc/localtime"
    assert not found.is_symlink() and found.read_bytes() == b"TZif2 of Berlin"


class Refused(Exception):
    """Something would have to be made."""


def refuse(*_: object) -> dict[LockedPackage, Path]:
    raise Refused


def test_what_was_made_before_is_known_without_any_work(store: ChrootStore, tmp_path: Path) -> None:
    host, lock = project(tmp_path)
    maker = ContainerMaker(store, images(tmp_path), refuse)
    with pytest.raises(Refused):
        maker.known(refuse).make(host, lock, "web", tmp_path)
    made = maker.make(host, lock, "web", tmp_path)
    assert maker.known(refuse).make(host, lock, "web", tmp_path) == made
