"""What a system says of its containers is read as it was written."""

import json

import pytest
from tests.containers_of_devices import BROKER, LOGGER, containers_in_store, device_with
from tests.device_model import Machine

from reconix.base.digests import BadDigest
from reconix.base.documents import BadDocument
from reconix.base.errors import ReconixError
from reconix.device.settings.containers import (
    containers_object,
    parse_containers,
    print_containers,
    read_containers,
)
from reconix.store.paths import BadStorePath


def test_printing_and_parsing_are_inverse_in_any_order() -> None:
    printed = print_containers([LOGGER, BROKER])
    assert print_containers([BROKER, LOGGER]) == printed
    assert parse_containers(printed, source="x") == (BROKER, LOGGER)


def test_what_a_container_is_made_of_is_its_image_or_its_packages() -> None:
    assert BROKER.what == "registry.example.com/broker:2"
    assert LOGGER.what == "python3-flask"


def test_a_system_has_the_containers_that_its_toplevel_leads_to(machine: Machine) -> None:
    device = device_with(machine, BROKER)
    system = device.read(device.generations["one"]).systems[0]
    found = containers_object(device.registry, system.toplevel)
    assert found == containers_in_store(machine, BROKER)
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
