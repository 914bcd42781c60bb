"""W3: what an agent of one release has left, read by the agent of another one.

``tests/data/releases/`` has the documents of a device, as each release writes them: it runs its
first generation, has come back from the second one, and could go back to an older one. Those called
*later* are what a release to come might write: more keys, other words, another version; at last,
against all that ``docs/spec/memory.md`` promises, nothing that this agent can read but the ledger.
A folder is never changed; a release whose documents differ adds one.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.project_files import enough
from tests.unit.device.conftest import Units

from reconix.device.__main__ import main
from reconix.device.select.follow import is_resting
from reconix.device.state.choice import read_choice, write_choice
from reconix.device.state.lock import exclusive_rw
from reconix.device.status.json import status_document
from reconix.device.status.read import read_status
from reconix.device.status.text import status_lines
from reconix.device.trust_store import TrustStore
from reconix.device.update.retry import held_back, left
from reconix.device.update.rollback import rollback

CORPUS = Path(__file__).parents[2] / "data" / "releases"
RELEASES = sorted(path.name for path in CORPUS.iterdir())
LATER = [name for name in RELEASES if name.startswith("later")]
NAMES = {"older": "0", "one": "1", "two": "2"}
REVOKED, TRUSTED = b"a" * 32, b"b" * 32


@pytest.fixture
def device(machine: Machine) -> Machine:
    """A device with the generations that the documents speak of, before it has any of these."""
    machine.boot()
    for name in ("older", "two"):
        machine.generation(name)
        machine.install(name)
    return machine


def leave(machine: Machine, release: str) -> None:
    """Let an agent of a release have worked here."""
    kept = list((CORPUS / release).iterdir())
    for path in enough(kept, at_least=5, what=f"files of {release}"):
        content = path.read_text()
        for name, digit in NAMES.items():
            spelled = f"/nix/store/{digit * 32}-generation-gateway"
            content = content.replace(spelled, str(machine.generations[name]))
        (machine.paths.home / path.name).write_text(content)


def assert_nothing_is_lost(machine: Machine) -> None:
    two = str(machine.generations["two"])
    assert [each.generation for each in left(machine.device)] == [two]
    assert "not retried" in held_back(machine.device, two, 4e9)
    trusted = TrustStore.read(machine.device)
    keys = trusted.trust.keys
    assert trusted.rollback_index == 7 and keys is not None
    assert (REVOKED in keys.active, TRUSTED in keys.active) == (False, True)


def updated(machine: Machine, name: str) -> None:
    """Go through an update, so that every document is written."""
    machine.generation(name)
    machine.install(name)
    assert main(["apply", str(machine.generations[name]), "--no-reboot"], machine.device) == 0
    machine.boot()
    assert main(["confirm"], machine.device) == 0
    machine.boot()


@pytest.mark.parametrize("release", RELEASES)
def test_w3_what_must_not_be_lost_is_not_lost_before_and_after_everything_was_written(
    device: Machine, release: str
) -> None:
    leave(device, release)
    device.boot()
    assert_nothing_is_lost(device)
    state = device.device.recall()
    assert state.previous == str(device.generations["older"])
    assert state.last is not None and state.last.generation == str(device.generations["two"])
    updated(device, "three")
    assert_nothing_is_lost(device)
    assert device.device.recall().previous == str(device.generations["one"])


@pytest.mark.parametrize("release", RELEASES)
def test_w3_what_can_be_gone_back_to_is_not_collected(device: Machine, release: str) -> None:
    leave(device, release)
    device.boot()
    assert main(["collect"], device.device) == 0
    assert device.generations["older"] in device.device.installed()
    with exclusive_rw(device.paths):
        rollback(device.device)
    assert device.boot().booted.generation == device.generations["older"]


@pytest.mark.parametrize("release", RELEASES)
def test_w3_the_status_can_be_read_and_says_why_the_generation_was_left(
    device: Machine, release: str
) -> None:
    leave(device, release)
    device.boot()
    status = read_status(device.device)
    word = "too-hot" if release in LATER else "unhealthy"
    if release == "later-version":
        word = "probation"
    assert any(f"because: {word}" in line for line in status_lines(status))
    assert json.dumps(status_document(status))


@pytest.mark.parametrize("release", [name for name in RELEASES if "scrub" in name])
def test_w3_what_was_found_damaged_is_known_to_the_next_agent(
    device: Machine, release: str
) -> None:
    leave(device, release)
    device.boot()
    lines = status_lines(read_status(device.device))
    assert any(line.startswith(f"damaged    content {'11' * 32} was altered") for line in lines)
    assert "           and 3 more" in lines and any("this pass is at 50 %" in x for x in lines)


@pytest.mark.parametrize("release", [name for name in RELEASES if name != "later-unreadable"])
def test_w3_what_is_wanted_always_goes_on_to_be(device: Machine, release: str) -> None:
    leave(device, release)
    always = read_choice(device.paths.choice).always
    assert always is not None and (always.system, always.failures) == ("mqtt", 1)
    assert is_resting(device.paths, "mqtt")
    device.boot()
    assert device.boot().booted.system == "mqtt"


def documents(machine: Machine) -> Mapping[str, str]:
    return {path.name: path.read_text() for path in machine.paths.home.iterdir() if path.is_file()}


@pytest.mark.parametrize("release", ["later-words", "later-version"])
def test_w3_what_a_newer_agent_says_is_there_when_it_comes_back(
    device: Machine, release: str, units: Units
) -> None:
    leave(device, release)
    device.boot()
    updated(device, "three")
    found = documents(device)
    for name in ("state.json", "choice.json", "trust.json", "waiting.json", "ledger", "log"):
        assert "weather" in found[name], name
    assert "noon" in found["choice.json"] and "too-hot" in found["ledger"]
    expected = 2 if release == "later-version" else 1
    for name in ("state.json", "choice.json", "trust.json", "waiting.json"):
        assert json.loads(found[name])["version"] == expected, name


@pytest.mark.parametrize("release", ["later-words", "later-version"])
def test_w3_a_choice_that_is_changed_keeps_all_that_it_does_not_change(
    device: Machine, release: str
) -> None:
    leave(device, release)
    path = device.paths.choice
    before = json.loads(path.read_text())
    write_choice(path, replace(read_choice(path), once="default"))
    assert json.loads(path.read_text()) == {**before, "once": "default"}


def test_w3_a_key_set_that_only_a_newer_agent_can_read_stays_as_it_is(device: Machine) -> None:
    leave(device, "later-version")
    device.boot()
    before = json.loads(documents(device)["trust.json"])["keys"]
    updated(device, "three")
    assert json.loads(documents(device)["trust.json"])["keys"] == before
