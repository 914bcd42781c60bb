"""Containers that are built as a project has them, started by systemd from images like a device's.

Images of buildah, six in all and one of many files: in files of the project, in a layout, in a
registry that has them for two platforms. What umoci makes of an image is what its container has.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.built_containers import BuiltHost
from tests.conftest import Need
from tests.container_images import (
    BROKER,
    CONNECT,
    CONTAINERS,
    SERVERS,
    make_images,
    make_servers,
)
from tests.oci_images import facts_of_ours, facts_on_disk
from tests.registries import registry

from reconix.base.process import run
from reconix.config.image_reference import parse_reference
from reconix.containers.blobs import fetch_layers
from reconix.containers.images import find_image
from reconix.containers.layers.unpack import unpack
from reconix.containers.registry import Access
from reconix.containers.sources import open_source

pytestmark = pytest.mark.archive
UP = "waits 'systemctl is-active -q container-{}'"
PAGE = (
    "for turn in $(seq 200); do /scripts/busybox wget -q -O - 127.0.0.1:{} 2> /dev/null && break"
    "; sleep 0.2; done"
)


@pytest.fixture(scope="module", autouse=True)
def _as_root() -> None:
    Need()("buildah", "busybox", "unshare", "skopeo", "umoci")
    if os.geteuid() != 0:
        pytest.skip("only root can mount images")


@pytest.fixture
def host(tmp_path: Path) -> BuiltHost:
    (tmp_path / "project/hosts/gw").mkdir(parents=True)
    (tmp_path / "project/hosts/gw/mosquitto.conf").write_text(BROKER)
    make_images(tmp_path / "project/images", tmp_path / "work")
    return BuiltHost.make(tmp_path, CONTAINERS)


def test_clients_use_them_and_each_finds_what_it_needs(host: BuiltHost) -> None:
    """A page needs the user, the secret, the device and the volume of the app."""
    give_secret(host)
    spelled = "".join(f"\\{byte:03o}" for byte in CONNECT)
    ask = f"(printf '{spelled}'; sleep 0.5) | /scripts/busybox nc 127.0.0.1 1883 | od -A n -t x1"
    kept = "/run/reconix/data/systems/web/containers"
    said = host.boot(
        f"{UP.format('broker')}; {UP.format('web')}; ip link set lo up"
        f"; waits '[ -e /run/reconix/containers/broker/healthy ]'; {ask}"
        f"; {PAGE.format(8080)}; echo; stat -c '%u:%g %n' {kept}/*/*; grep asks /journal"
        "; crun exec web cat /etc/hostname; systemctl --failed --plain --no-legend"
    )
    assert said.splitlines() == [
        " 20 02 00 00",
        "1000 s3cret True asked ",
        f"300:300 {kept}/broker/data",
        f"1000:1000 {kept}/web/state",
        "somebody asks",
        "web",
    ]


def give_secret(host: BuiltHost) -> None:
    folder = host.partition.place / "data/secrets"
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("s3cret\n")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("servers")
    make_servers(place / "layout", place / "work")
    return place / "layout"


@pytest.fixture(scope="module")
def pushed(layout: Path) -> Iterator[str]:
    """A registry that has the servers, compressed, as registries have them."""
    with registry(layout.parent) as host:
        for name in SERVERS:
            source, target = f"oci:{layout}:{name}", f"docker://{host}/apps/{name}:1"
            options = ("--insecure-policy", "copy", "--dest-tls-verify=false")
            run("skopeo", *options, source, target)
        yield host


def test_servers_from_a_registry_answer(pushed: str, tmp_path: Path) -> None:
    """The one that is a program and nothing else has a root in which no folder is."""
    text = "".join(each.format(registry=pushed) for each in SERVERS.values())
    (tmp_path / "project").mkdir()
    host = BuiltHost.make(tmp_path, text)
    asked = r"printf 'SET key kept\r\nGET key\r\n'; sleep 0.5"
    said = host.boot(
        f"{';'.join(map(UP.format, SERVERS))}; ip link set lo up; {PAGE.format(8081)}"
        f"; {PAGE.format(8082)}; waits 'crun exec redis redis-cli ping'"
        f"; ({asked}) | /scripts/busybox nc 127.0.0.1 6379"
        "; systemctl restart container-redis; waits 'crun exec redis redis-cli ping'"
        "; crun exec redis redis-cli get key; grep -c 'GET / HTTP' /journal"
        "; grep static /journal; systemctl --failed --plain --no-legend"
    )
    assert said.splitlines() == [
        *("of nginx", "of a program alone", "+OK", "$4", "kept", "kept", "1"),
        "static: it runs",
    ]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_from_a_registry_is_as_umoci_unpacks_it(
    layout: Path, pushed: str, tmp_path: Path, name: str
) -> None:
    reference = parse_reference(f"{pushed}/apps/{name}:1")
    with open_source(reference, folder=tmp_path, access=Access(), work=tmp_path) as source:
        layers = fetch_layers(find_image(source, "amd64"), lambda: source, cache=tmp_path / "cache")
    ours = facts_of_ours(tmp_path / "tree", unpack(layers, tmp_path / "tree"))
    run("umoci", "unpack", "--image", f"{layout}:{name}", tmp_path / "bundle")
    theirs = facts_on_disk(tmp_path / "bundle/rootfs")
    assert theirs[b""].mtime == 0, "no layer names the root"
    assert {**ours, b"": ours[b""]._replace(mtime=0)} == theirs
