"""A device is repaired by what it is sent: signed by whom it trusts, and nothing is tried."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.device.conftest import Units
from tests.unit.device.test_main import feed
from tests.unit.device.test_trust_store import ANNA, EVE, FIRST, trusting
from tests.unit.device.update.test_verify import DAMAGES, alter

from reconix.boot.trial import read_state
from reconix.device.__main__ import main
from reconix.device.state.events import read_events
from reconix.device.state.scrubbed import read_scrubbed
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.scrub import scrub
from reconix.device.update.verify import verify
from reconix.nix.chroot import ChrootStore
from reconix.nix.signatures import SecretKey
from reconix.store.tree import File
from reconix.transfer.sending.repair import create_repair
from reconix.transfer.sending.signing import Signer


def remedy(machine: Machine, *keys: SecretKey, target: str = "one", sequence: int = 0) -> bytes:
    """The stream for what the device has found."""
    known = read_scrubbed(machine.paths)
    assert known is not None and known.damaged
    written = io.BytesIO()
    numbers = dict.fromkeys(machine.generations.values(), sequence)
    create_repair(
        machine.store,
        numbers,
        machine.generations[target],
        [each.digest for each in known.damaged],
        written.write,
        signer=Signer(keys),
    )
    return written.getvalue()


@DAMAGES
def test_w6_what_was_found_is_repaired_and_forgotten(
    machine: Machine, units: Units, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    booted = machine.boot().booted
    damage(machine.place_of(booted.toplevel, "boot.json"))
    images = machine.registry.manifests()[0].images
    entry = next(each for each in images if booted.toplevel not in each.objects)
    damage(machine.registry.image_path(entry.sha256))
    assert len(scrub(machine.device).scrubbed.damaged) == 2
    before = machine.paths.state.read_bytes()
    feed(monkeypatch, remedy(machine))
    assert main(["receive"], machine.device) == 0
    assert verify(machine.device) == []
    known = read_scrubbed(machine.paths)
    assert known is not None and known.damaged == ()
    assert units.calls == [] and machine.paths.state.read_bytes() == before
    assert [event.name for event in read_events(machine.paths.log)][-1:] == ["repaired"]
    machine.boot()


def test_a_file_repairs_too_and_a_second_time_nothing_is_written(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(machine.place_of(machine.boot().booted.toplevel, "boot.json"))
    scrub(machine.device)
    (tmp_path / "stick").write_bytes(remedy(machine))
    assert main(["receive", str(tmp_path / "stick")], machine.device) == 0
    assert "1 repaired, 0 were intact" in capsys.readouterr().out
    log = machine.paths.log.read_bytes()
    assert main(["receive", str(tmp_path / "stick")], machine.device) == 0
    assert "0 repaired, 1 were intact" in capsys.readouterr().out
    assert machine.paths.log.read_bytes() == log


def test_t1_only_what_trusted_keys_have_signed_repairs(
    tmp_path: Path, store: ChrootStore, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = trusting(tmp_path, store, TrustPolicy(FIRST))
    alter(machine.place_of(machine.boot().booted.toplevel, "boot.json"))
    scrub(machine.device)
    stick = tmp_path / "stick"
    for keys in ((), (EVE,)):
        stick.write_bytes(remedy(machine, *keys))
        assert main(["receive", str(stick)], machine.device) == 80
    assert len(verify(machine.device)) == 1
    stick.write_bytes(remedy(machine, ANNA))
    assert main(["receive", str(stick)], machine.device) == 0
    assert verify(machine.device) == []


def test_t2_its_number_says_nothing_because_it_brings_what_is_there(
    tmp_path: Path, store: ChrootStore
) -> None:
    machine = trusting(tmp_path, store, TrustPolicy(FIRST))
    trust = machine.paths.trust.read_bytes() if machine.paths.trust.exists() else b""
    toplevel = machine.boot().booted.toplevel
    for sequence in (0, 1 << 40):
        alter(machine.place_of(toplevel, "boot.json"))
        scrub(machine.device)
        (tmp_path / "stick").write_bytes(remedy(machine, ANNA, sequence=sequence))
        assert main(["receive", str(tmp_path / "stick")], machine.device) == 0
    assert trust == (machine.paths.trust.read_bytes() if machine.paths.trust.exists() else b"")


def test_a_trial_goes_on_meanwhile(machine: Machine, units: Units, tmp_path: Path) -> None:
    machine.boot()
    machine.generation("two")
    machine.install("two")
    assert main(["apply", str(machine.generations["two"]), "--no-reboot"], machine.device) == 0
    machine.boot()
    before = read_state(machine.paths.state)
    alter(machine.place_of(machine.generations["two"], "generation.json"))
    scrub(machine.device)
    (tmp_path / "stick").write_bytes(remedy(machine, target="two"))
    assert main(["receive", str(tmp_path / "stick")], machine.device) == 0
    assert read_state(machine.paths.state) == before and verify(machine.device) == []


@pytest.fixture
def updated(machine: Machine) -> Machine:
    """A device whose next generation has a file as it is, and another one changed."""
    kept = File(b"the same in both generations\n" * 9)
    page = random.Random(3).randbytes(20_000)
    place = machine.place.with_name("updated")
    made = Machine.make(place, machine.store, extra={"kept": kept, "changed": File(page)})
    made.boot()
    made.generation("two", extra={"kept": kept, "changed": File(page + b"more")})
    return made


def received(machine: Machine, stick: Path) -> int:
    stick.write_bytes(machine.stream("one", "two").getvalue())
    return main(["receive", "--no-apply", str(stick)], machine.device)


def test_w6_a_damage_that_an_update_does_not_read_is_not_in_its_way(
    updated: Machine, tmp_path: Path
) -> None:
    alter(updated.place_of(updated.read(updated.generations["one"]).systems[0].toplevel, "kept"))
    assert received(updated, tmp_path / "stick") == 0
    assert len(verify(updated.device)) == 1
    scrub(updated.device)
    (tmp_path / "stick").write_bytes(remedy(updated, target="two"))
    assert main(["receive", str(tmp_path / "stick")], updated.device) == 0
    assert verify(updated.device) == []


def test_w6_a_damage_that_an_update_starts_from_is_named_and_repaired_first(
    updated: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toplevel = updated.read(updated.generations["one"]).systems[0].toplevel
    alter(updated.place_of(toplevel, "changed"))
    assert received(updated, tmp_path / "stick") == 55
    said = capsys.readouterr().err
    assert "/changed is damaged" in said and "reconix repair" in said
    scrub(updated.device)
    (tmp_path / "stick").write_bytes(remedy(updated))
    assert main(["receive", str(tmp_path / "stick")], updated.device) == 0
    assert received(updated, tmp_path / "stick") == 0
    assert verify(updated.device) == []
