"""``generation.json`` is taken strictly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.nix.chroot import ChrootStore
from reconix.store.generation import (
    MAX_IMAGES,
    VERSION,
    BadGeneration,
    Integrity,
    UnknownSystem,
    expect_known,
    parse_generation,
    read_generation,
)
from reconix.store.paths import StorePath

PATH = StorePath("0" * 32, "generation-gateway")
TOPLEVEL = f"/nix/store/{'1' * 32}-system-default"
GOOD = {
    "version": 2,
    "host": "gateway",
    "architecture": "amd64",
    "default": "default",
    "systems": {"default": {"toplevel": TOPLEVEL, "images": ["ab" * 32, "cd" * 32]}},
    "boot": f"/nix/store/{'2' * 32}-boot-gateway",
    "slot": {"image_sha256": "ab" * 32, "image_size_bytes": 1024, "slot_size_bytes": 4096},
}

TOO_MANY = [f"{number:064x}" for number in range(MAX_IMAGES + 1)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ChrootStore(tmp_path / "store") as store:
        yield Machine.make(tmp_path / "device", store)


def test_what_a_build_makes_is_understood(machine: Machine) -> None:
    generation = machine.read(machine.generations["one"])
    assert [system.name for system in generation.systems] == ["default", "mqtt"]
    assert generation.running(generation.system("mqtt").toplevel) == generation.system("mqtt")
    assert generation.running(generation.boot) is None
    assert generation.version == VERSION
    installed = machine.registry.manifests()[0].images
    for system in generation.systems:
        images = [entry for entry in installed if entry.sha256 in system.images]
        assert len(images) == len(system.images) > 0
        assert any(system.toplevel in entry.objects for entry in images)
    with pytest.raises(UnknownSystem):
        generation.system("web")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"default": "web"},
        {"systems": {}},
        {"systems": {"../x": {"toplevel": TOPLEVEL, "images": []}}},
        {"systems": {"default": {"toplevel": "/etc", "images": []}}},
        {"systems": {"default": {"toplevel": TOPLEVEL}}},
        {"systems": {"default": {"toplevel": TOPLEVEL, "images": ["ab"]}}},
        {"systems": {"default": {"toplevel": TOPLEVEL, "images": ["cd" * 32, "ab" * 32]}}},
        {"systems": {"default": {"toplevel": TOPLEVEL, "images": ["ab" * 32, "ab" * 32]}}},
        {"systems": {"default": {"toplevel": TOPLEVEL, "images": TOO_MANY}}},
        {"boot": "/nix/store"},
        {"slot": {"image_sha256": "ab", "image_size_bytes": 512, "slot_size_bytes": 512}},
        {"slot": {"image_sha256": "ab" * 32, "image_size_bytes": 513, "slot_size_bytes": 1024}},
        {"slot": {"image_sha256": "ab" * 32, "image_size_bytes": 1024, "slot_size_bytes": 512}},
        {"slot": {"image_sha256": "ab" * 32, "image_size_bytes": 0, "slot_size_bytes": 512}},
        {"host": None},
    ],
)
def test_what_breaks_the_format_is_refused(change: dict[str, object]) -> None:
    assert parse_generation(json.dumps(GOOD).encode(), PATH).host == "gateway"
    with pytest.raises(BadGeneration):
        parse_generation(json.dumps({**GOOD, **change}).encode(), PATH)


def test_w3_a_generation_for_newer_agents_is_read_and_not_installed() -> None:
    """Somebody goes back from it, and the older agent runs while it is the committed one."""
    newer = json.dumps({**GOOD, "version": 3, "extra": 1}).encode()
    found = parse_generation(newer, PATH)
    assert found.host == "gateway"
    with pytest.raises(BadGeneration, match="has version 3; this agent knows 2"):
        expect_known(found)


def test_a_generation_of_the_layout_before_is_read_and_not_installed() -> None:
    """A build store may have some, and the next build is compared with the last of them."""
    systems = {"default": {"toplevel": TOPLEVEL}}
    old = json.dumps({**GOOD, "version": 1, "systems": systems}).encode()
    found = parse_generation(old, PATH)
    assert found.system("default").images == ()
    with pytest.raises(BadGeneration, match="version 1: it was built for another layout"):
        expect_known(found)


def test_a_system_without_images_is_refused() -> None:
    systems = {"default": {"toplevel": TOPLEVEL}}
    with pytest.raises(BadGeneration, match="images"):
        parse_generation(json.dumps({**GOOD, "systems": systems}).encode(), PATH)


def test_as_many_images_as_a_command_line_holds_are_read() -> None:
    systems = {"default": {"toplevel": TOPLEVEL, "images": TOO_MANY[:-1]}}
    found = parse_generation(json.dumps({**GOOD, "systems": systems}).encode(), PATH)
    assert len(found.systems[0].images) == MAX_IMAGES


def test_what_is_not_there_is_no_generation(tmp_path: Path) -> None:
    with pytest.raises(BadGeneration):
        read_generation(tmp_path, PATH)


def test_who_compares_stands_there_or_is_nobody() -> None:
    def integrity(**besides: object) -> Integrity:
        return parse_generation(json.dumps({**GOOD, **besides}).encode(), PATH).integrity

    assert integrity() is Integrity.NONE
    assert integrity(integrity="none") is Integrity.NONE
    assert integrity(integrity="verity") is Integrity.VERITY
    assert integrity(integrity="of tomorrow", version=VERSION + 1) is Integrity.NONE
    with pytest.raises(BadGeneration, match="is no integrity"):
        integrity(integrity="of tomorrow")
