"""What a system says of its containers is read as it was written."""

import json

import pytest
from tests.device_model import Machine

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.device.settings.containers import (
    LINK,
    NAME,
    Container,
    containers_object,
    parse_containers,
    print_containers,
    read_containers,
)
from reconix.store.paths import BadStorePath, StorePath
from reconix.store.tree import File, Symlink, folder

BROKER = Container(
    "broker",
    "container-broker.service",
    Digest.of(b"broker"),
    image="registry.example.com/broker:2",
    digest=Digest.of(b"index"),
    has_health=True,
    objects=(StorePath("0" * 32, "container-root"),),
)
LOGGER = Container(
    "logger",
    "container-logger.service",
    Digest.of(b"logger"),
    packages=("python3-flask",),
    network="with:broker",
)


def test_printing_and_parsing_are_inverse_in_any_order() -> None:
    printed = print_containers([LOGGER, BROKER])
    assert print_containers([BROKER, LOGGER]) == printed
    assert parse_containers(printed, source="x") == (BROKER, LOGGER)


def test_what_a_container_is_made_of_is_its_image_or_its_packages() -> None:
    assert BROKER.what == "registry.example.com/broker:2"
    assert LOGGER.what == "python3-flask"


def test_a_system_has_the_containers_that_its_toplevel_leads_to(machine: Machine) -> None:
    store = machine.store
    made = store.add_files(folder({NAME: File(print_containers([BROKER]))}), "containers-web")
    place = machine.place.with_name("with-containers")
    device = Machine.make(place, store, extra={LINK: Symlink(str(made))})
    device.boot()
    (toplevel,) = {each.toplevel for each in device.read(device.generations["one"]).systems[:1]}
    found = containers_object(device.registry, toplevel)
    assert found == made
    assert read_containers(device.registry, found) == (BROKER,)


def test_a_system_that_says_nothing_has_none(machine: Machine) -> None:
    machine.boot()
    for system in machine.read(machine.generations["one"]).systems:
        assert containers_object(machine.registry, system.toplevel) is None
    assert read_containers(machine.registry, None) == ()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "a/b"}, BadDocument),
        ({"unit": "--force.service"}, BadDocument),
        ({"name": None}, BadDocument),
        ({"digest": "sha256:1"}, BadDigest),
        ({"identity": "x"}, BadDigest),
        ({"health": "yes"}, BadDocument),
        ({"objects": ["/etc/passwd"]}, BadStorePath),
        ({"packages": [1]}, BadDocument),
    ],
)
def test_what_is_malformed_is_refused(change: dict[str, object], error: type[ReconixError]) -> None:
    document = json.loads(print_containers([BROKER]))
    document["containers"][0] |= change
    with pytest.raises(error):
        parse_containers(json.dumps(document).encode(), source="x")


def test_a_container_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadDocument, match="twice"):
        parse_containers(print_containers([BROKER, BROKER]), source="x")


def test_another_version_is_refused() -> None:
    content = print_containers([]).replace(b'"version": 1', b'"version": 2')
    with pytest.raises(BadDocument, match="version 2"):
        parse_containers(content, source="x")
