"""Whose updates a device takes, from one generation to the next."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.placed import with_files
from tests.project_files import enough
from tests.unit.device.conftest import Units

from reconix.device.__main__ import main
from reconix.device.state.ledger import Ledger, read_ledger
from reconix.device.state.lock import exclusive_rw
from reconix.device.trust_store import (
    FILE_NAME,
    TrustPolicy,
    TrustState,
    TrustStore,
    commit,
    read_trust_policy,
    read_trust_state,
)
from reconix.device.update.receive import receive
from reconix.nix.chroot import ChrootStore
from reconix.nix.signatures import SecretKey
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, Registry
from reconix.transfer.format.stream import StreamReader
from reconix.transfer.sending import send
from reconix.transfer.sending.signing import Signer, generate, public, sign_key_set
from reconix.transfer.trust.keys import KeySet
from reconix.transfer.trust.trust import BelowRollbackIndex, NotTrusted

ANNA, BERT, EVE = (generate(name) for name in ("anna", "bert", "eve"))
FIRST = KeySet.of([public(ANNA)])
SECOND = KeySet.of([public(BERT)], version=2, revoked=[public(ANNA).value])


def trusting(place: Path, store: ChrootStore, policy: TrustPolicy) -> Machine:
    """A device whose first generation has this policy."""
    machine = Machine.make(place / "device", store, policy=policy)
    machine.boot()
    return machine


@pytest.fixture
def strict(tmp_path: Path, store: ChrootStore) -> Machine:
    return trusting(tmp_path, store, TrustPolicy(FIRST))


def signed(machine: Machine, target: str, sequence: int, *keys: SecretKey) -> bytes:
    written = io.BytesIO()
    base, path = machine.generations["one"], machine.generations[target]
    signer = Signer(keys, (sign_key_set(SECOND, [ANNA]),)) if BERT in keys else Signer(keys)
    send.create(machine.store, [base], path, written.write, sequence=sequence, signer=signer)
    return written.getvalue()


def take(machine: Machine, stream: bytes) -> None:
    with exclusive_rw(machine.paths):
        receive(machine.device, io.BytesIO(stream).read)


def keep(machine: Machine, units: Units, target: str) -> None:
    """Go through the trial of what was received."""
    assert main(["apply", str(machine.generations[target])], machine.device) == 0
    machine.boot()
    assert main(["confirm"], machine.device) == 0


def test_t1_a_signed_update_is_taken(strict: Machine) -> None:
    two = strict.generation("two")
    take(strict, signed(strict, "two", 2, ANNA))
    assert two in strict.device.installed()


@pytest.mark.parametrize("keys", [(), (EVE,)], ids=["unsigned", "by somebody else"])
def test_t1_anything_else_is_refused_before_anything_is_written(
    strict: Machine, keys: tuple[SecretKey, ...]
) -> None:
    strict.generation("two")
    before = sorted(path for path in strict.paths.system.rglob("*"))
    with pytest.raises(NotTrusted):
        take(strict, signed(strict, "two", 2, *keys))
    assert sorted(path for path in strict.paths.system.rglob("*")) == before


def test_t1_a_device_that_names_no_key_takes_nothing(tmp_path: Path, store: ChrootStore) -> None:
    machine = trusting(tmp_path, store, TrustPolicy())
    machine.generation("two")
    with pytest.raises(NotTrusted, match="has no trusted key"):
        take(machine, signed(machine, "two", 2, ANNA))


def test_t1_unless_its_configuration_says_so(tmp_path: Path, store: ChrootStore) -> None:
    machine = trusting(tmp_path, store, TrustPolicy(require_signature=False))
    machine.generation("two")
    take(machine, machine.stream("one", "two").getvalue())


def test_t2_a_device_does_not_go_below_what_it_has_confirmed(strict: Machine, units: Units) -> None:
    for name in ("two", "three"):
        strict.generation(name)
    stream = signed(strict, "three", 3, ANNA)
    take(strict, stream)
    assert TrustStore.read(strict.device).rollback_index == 0, "only what was confirmed counts"
    keep(strict, units, "three")
    assert TrustStore.read(strict.device).rollback_index == 3
    with pytest.raises(BelowRollbackIndex, match="number 2, the rollback index is 3"):
        take(strict, signed(strict, "two", 2, ANNA))


def test_t2_the_rollback_index_does_not_sink_after_a_rollback(
    strict: Machine, units: Units
) -> None:
    strict.generation("two")
    strict.generation("three")
    take(strict, signed(strict, "three", 3, ANNA))
    keep(strict, units, "three")
    assert main(["rollback"], strict.device) == 0
    strict.boot()
    assert main(["confirm"], strict.device) == 0
    assert strict.device.recall().committed.generation == str(strict.generations["one"])
    assert TrustStore.read(strict.device).rollback_index == 3
    with pytest.raises(BelowRollbackIndex):
        take(strict, signed(strict, "two", 2, ANNA))


def test_t2_the_rollback_index_holds_also_if_it_was_not_written_at_the_confirmation(
    strict: Machine, units: Units
) -> None:
    """A cut between the selection of the slot and the record."""
    strict.generation("two")
    take(strict, signed(strict, "two", 2, ANNA))
    before = strict.paths.trust.read_bytes()
    keep(strict, units, "two")
    strict.paths.trust.write_bytes(before)
    ledger = read_ledger(strict.paths.ledger)
    strict.paths.ledger.write_bytes(replace(ledger, rollback_index=0).print())
    assert read_trust_state(strict.paths).rollback_index == 0
    assert TrustStore.read(strict.device).rollback_index == 2


def test_verifying_changes_nothing_until_it_is_committed(strict: Machine) -> None:
    strict.generation("two")
    paths, before = strict.paths, TrustStore.read(strict.device)
    stream = StreamReader(io.BytesIO(signed(strict, "two", 2, BERT)).read)
    seal, installed = stream.read_head().seal, strict.device.installed()
    after = before.verify(stream.header, seal, stream.statement, installed)
    assert TrustStore.read(strict.device) == before
    commit(paths, before, after)
    found = TrustStore.read(strict.device)
    assert (found.state, found.trust) == (after.state, after.trust)
    assert found.trust.keys == SECOND


def test_the_sequence_numbers_of_generations_that_are_gone_are_forgotten(strict: Machine) -> None:
    gone, one = f"{strict.generation('gone')}", f"{strict.generations['one']}"
    strict.generation("two")
    strict.paths.trust.write_bytes(TrustState(sequences={gone: 1, one: 1}).print())
    take(strict, signed(strict, "two", 2, ANNA))
    two = f"{strict.generations['two']}"
    assert read_trust_state(strict.paths).sequences == {one: 1, two: 2}


def test_t4_keys_that_a_stream_brought_along_are_trusted_from_then_on(strict: Machine) -> None:
    strict.generation("two")
    strict.generation("three")
    take(strict, signed(strict, "two", 2, BERT))
    with pytest.raises(NotTrusted):
        take(strict, signed(strict, "three", 3, ANNA))
    take(strict, signed(strict, "three", 3, BERT))


def test_t4_a_generation_that_is_kept_brings_its_keys(strict: Machine, units: Units) -> None:
    """The usual way: the old key signs a generation that names the new one."""
    folder_of_two = strict.generation("two", policy=TrustPolicy(SECOND))
    strict.generation("three")
    take(strict, signed(strict, "two", 2, ANNA))
    keep(strict, units, "two")
    assert strict.device.recall().committed.generation == str(folder_of_two)
    with pytest.raises(NotTrusted):
        take(strict, signed(strict, "three", 3, ANNA))
    assert main(["rollback"], strict.device) == 0
    strict.boot()
    assert main(["confirm"], strict.device) == 0
    with pytest.raises(NotTrusted):
        take(strict, signed(strict, "three", 3, ANNA))


def test_t4_a_generation_that_is_not_kept_does_not_bring_its_keys(strict: Machine) -> None:
    strict.generation("two", policy=TrustPolicy(SECOND))
    strict.generation("three")
    take(strict, signed(strict, "two", 2, ANNA))
    take(strict, signed(strict, "three", 3, ANNA))


def test_n3_the_same_update_again_writes_nothing(strict: Machine) -> None:
    strict.generation("two")
    stream = signed(strict, "two", 2, ANNA)
    take(strict, stream)
    found = {path: path.lstat().st_mtime_ns for path in strict.paths.system.rglob("*")}
    before = enough(found, at_least=10, what="files and folders")
    take(strict, stream)
    assert {p: p.lstat().st_mtime_ns for p in strict.paths.system.rglob("*")} == before


def test_a_generation_that_says_nothing_demands_nothing(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    take(machine, machine.stream("one", "two").getvalue())


def test_but_a_device_that_has_demanded_once_goes_on(machine: Machine) -> None:
    machine.boot()
    machine.generation("two")
    machine.paths.trust.write_bytes(TrustState(0, FIRST).print())
    with pytest.raises(NotTrusted):
        take(machine, machine.stream("one", "two").getvalue())


def test_a_trust_state_that_is_damaged_is_none(strict: Machine) -> None:
    strict.generation("two")
    for content in (b"", b"{", b'{"version": 9}', b"x" * (1 << 17)):
        strict.paths.trust.write_bytes(content)
        assert read_trust_state(strict.paths) == TrustState()
    take(strict, signed(strict, "two", 2, ANNA))
    assert read_trust_state(strict.paths).sequences == {str(strict.generations["two"]): 2}


@pytest.mark.parametrize(
    "policy",
    [
        TrustPolicy(FIRST),
        TrustPolicy(None, False, "http://a.example/x", 7, "PEM", "http://b.example:3128"),
    ],
)
def test_what_a_generation_says_comes_back(policy: TrustPolicy, tmp_path: Path) -> None:
    assert read_trust_policy(*with_files(tmp_path, {FILE_NAME: policy.print()})) == policy


def test_a_generation_older_than_keys_says_nothing(tmp_path: Path) -> None:
    assert read_trust_policy(*with_files(tmp_path, {"generation.json": b"{}"})) is None


def test_a_policy_that_is_lost_is_not_that_of_a_generation_without_one(tmp_path: Path) -> None:
    """Or who damages a disk would make a device take what nobody has signed."""
    registry, path = with_files(tmp_path, {FILE_NAME: TrustPolicy(FIRST).print()})
    for content in registry.pool.digests():
        registry.pool.path(content).unlink()
    with pytest.raises(BadContent, match="is missing"):
        read_trust_policy(registry, path)
    for image in registry.images_dir.iterdir():
        image.unlink()
    with pytest.raises(ImageMissing):
        read_trust_policy(Registry(registry.system_root), path)


@pytest.mark.parametrize("content", [b"", b'{"version": 9}', b"x" * (1 << 17)])
def test_w3_what_the_ledger_says_holds_whatever_became_of_the_trust_state(
    strict: Machine, units: Units, content: bytes
) -> None:
    """The committed generation trusts a key that a later set has revoked."""
    strict.generation("two")
    strict.generation("three")
    take(strict, signed(strict, "two", 2, BERT))
    keep(strict, units, "two")
    strict.paths.trust.write_bytes(content)
    assert TrustStore.read(strict.device).rollback_index == 2
    with pytest.raises(NotTrusted):
        take(strict, signed(strict, "three", 3, ANNA))
    take(strict, signed(strict, "three", 3, BERT))


def test_w3_a_revoked_key_is_trusted_in_no_set(strict: Machine) -> None:
    strict.generation("two")
    strict.paths.ledger.write_bytes(Ledger(revoked=frozenset([public(ANNA).value])).print())
    with pytest.raises(NotTrusted, match="has no trusted key"):
        take(strict, signed(strict, "two", 2, ANNA))
