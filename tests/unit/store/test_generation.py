"""``generation.json`` is taken strictly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.nix.chroot import ChrootStore
from reconix.store.generation import (
    BadGeneration,
    UnknownSystem,
    expect_known,
    parse_generation,
    read_generation,
)
from reconix.store.paths import StorePath

PATH = StorePath("0" * 32, "generation-gateway")
GOOD = {
    "version": 1,
    "host": "gateway",
    "architecture": "amd64",
    "default": "default",
    "systems": {"default": {"toplevel": f"/nix/store/{'1' * 32}-system-default"}},
    "boot": f"/nix/store/{'2' * 32}-boot-gateway",
    "slot": {"image_sha256": "ab" * 32, "image_size_bytes": 1024, "slot_size_bytes": 4096},
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with ChrootStore(tmp_path / "store") as store:
        yield Machine.make(tmp_path / "device", store)


def test_what_a_build_makes_is_understood(machine: Machine) -> None:
    generation = machine.read(machine.generations["one"])
    assert [system.name for system in generation.systems] == ["default", "mqtt"]
    assert generation.running(generation.system("mqtt").toplevel) == generation.system("mqtt")
    assert generation.running(generation.boot) is None
    with pytest.raises(UnknownSystem):
        generation.system("web")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"default": "web"},
        {"systems": {}},
        {"systems": {"../x": {"toplevel": f"/nix/store/{'1' * 32}-x"}}},
        {"systems": {"default": {"toplevel": "/etc"}}},
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
    newer = json.dumps({**GOOD, "version": 2, "extra": 1}).encode()
    found = parse_generation(newer, PATH)
    assert found.host == "gateway"
    with pytest.raises(BadGeneration, match="has version 2; this agent knows 1"):
        expect_known(found)


def test_what_is_not_there_is_no_generation(tmp_path: Path) -> None:
    with pytest.raises(BadGeneration):
        read_generation(tmp_path, PATH)
