"""A device is told apart by what was signed for it, and by nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.device_model import HOST, Machine
from tests.project_files import enough

from reconix.base.documents import print_json
from reconix.device.__main__ import main
from reconix.device.identity import (
    FILE_NAME,
    BadIdentity,
    Identity,
    apply_identity,
    parse_signed,
    print_signed,
    read_identity,
    statement,
)
from reconix.transfer.sending.signing import Signer, generate, public
from reconix.transfer.trust.keys import KeySet
from reconix.transfer.trust.trust import UNSIGNED, Trust

KEY, OTHER = generate("release"), generate("other")
TRUST = Trust(KeySet.of([public(KEY)]))
IDENTITY = Identity(
    HOST, "GW-0001", "gateway-0001", {"lan": "192.0.2.11/24"}, ("ssh-ed25519 AAAA site",)
)


def signed(identity: Identity = IDENTITY, *, by: tuple[object, ...] = (KEY,)) -> bytes:
    document = identity.print()
    signer = Signer(by)  # type: ignore[arg-type] # these are keys
    return print_signed(document, signer.sign(statement(document)))


def test_what_was_signed_is_read() -> None:
    assert parse_signed(signed(), TRUST, source="x") == IDENTITY


@pytest.mark.parametrize("by", [(), (OTHER,)], ids=["nobody", "somebody else"])
def test_what_too_few_have_signed_is_refused(by: tuple[object, ...]) -> None:
    with pytest.raises(BadIdentity, match="0 of 1 required signatures"):
        parse_signed(signed(by=by), TRUST, source="x")


def test_every_key_counts_once() -> None:
    two = Trust(KeySet.of([public(KEY), public(OTHER)], threshold=2))
    with pytest.raises(BadIdentity, match="1 of 2 required signatures"):
        parse_signed(signed(by=(KEY, KEY)), two, source="x")
    assert parse_signed(signed(by=(KEY, OTHER)), two, source="x") == IDENTITY


def test_a_signature_for_something_else_does_not_count() -> None:
    document = IDENTITY.print()
    with pytest.raises(BadIdentity):
        parse_signed(print_signed(document, Signer((KEY,)).sign(document)), TRUST, source="x")


def test_a_changed_byte_of_the_document_is_noticed() -> None:
    changed = signed().replace(b"192.0.2.11", b"192.0.2.12")
    assert changed != signed()
    with pytest.raises(BadIdentity):
        parse_signed(changed, TRUST, source="x")


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", print_json({"document": "{}", "signatures": []})],
)
def test_what_is_no_identity_is_refused(content: bytes) -> None:
    with pytest.raises(BadIdentity):
        parse_signed(content, UNSIGNED, source="x")


@pytest.mark.parametrize(
    "change",
    [{"hostname": "a\nb"}, {"address": {"lan": "1\n[Match]"}}, {"authorized_keys": ("a b\nc d",)}],
)
def test_no_line_can_be_smuggled_into_a_file(change: dict[str, object]) -> None:
    with pytest.raises(BadIdentity):
        replace(IDENTITY, **change)  # type: ignore[arg-type] # wrong on purpose


def root_with_files(root: Path) -> Path:
    for path, text in {
        "etc/hostname": "gateway\n",
        "etc/systemd/network/10-lan.network": "[Match]\n",
        "etc/systemd/network/11-other.network": "[Match]\n",
        "etc/reconix/authorized_keys/root": "ssh-ed25519 BBBB all\n",
        "proc/sys/kernel/hostname": "gateway\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_it_is_laid_over_the_files_of_the_system(tmp_path: Path) -> None:
    root = root_with_files(tmp_path)
    apply_identity(IDENTITY, root)
    assert (root / "etc/hostname").read_text() == "gateway-0001\n"
    assert "127.0.1.1 gateway-0001\n" in (root / "etc/hosts").read_text()
    assert (root / "proc/sys/kernel/hostname").read_text() == "gateway-0001\n"
    drop_in = root / "etc/systemd/network/10-lan.network.d/identity.conf"
    assert drop_in.read_text() == "[Network]\nAddress=\nAddress=192.0.2.11/24\n"
    assert not (root / "etc/systemd/network/11-other.network.d").exists()
    keys = (root / "etc/reconix/authorized_keys/root").read_text()
    assert keys == "ssh-ed25519 BBBB all\nssh-ed25519 AAAA site\n"


def test_what_it_does_not_say_stays(tmp_path: Path) -> None:
    root = root_with_files(tmp_path)
    found = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    before = enough(found, at_least=3, what="files")
    apply_identity(Identity(HOST, "GW-0002", None, {}, ()), root)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def device_with(machine: Machine, content: bytes, trust: Trust) -> Machine:
    """A device whose data partition has an identity."""
    machine.boot()
    machine.paths.data.mkdir(exist_ok=True)
    (machine.paths.data / FILE_NAME).write_bytes(content)
    trust_keys(machine, trust)
    return machine


def trust_keys(machine: Machine, trust: Trust) -> None:
    keys = trust.keys.document() if trust.keys else None
    document = {"version": 1, "floor": 0, "keys": keys, "sequences": {}}
    machine.paths.trust.write_bytes(print_json(document))


def test_the_agent_trusts_it_as_it_would_an_update(machine: Machine) -> None:
    device_with(machine, signed(), TRUST)
    root_with_files(machine.paths.root)
    assert main(["apply-identity"], machine.device) == 0
    assert (machine.paths.root / "etc/hostname").read_text() == "gateway-0001\n"


def test_one_that_is_not_trusted_changes_nothing(machine: Machine) -> None:
    device_with(machine, signed(by=(OTHER,)), TRUST)
    root_with_files(machine.paths.root)
    assert main(["apply-identity"], machine.device) == 82
    assert (machine.paths.root / "etc/hostname").read_text() == "gateway\n"
    assert not machine.paths.known_identity.exists()


def test_one_of_another_host_changes_nothing(machine: Machine) -> None:
    device_with(machine, signed(replace(IDENTITY, host="other")), TRUST)
    with pytest.raises(BadIdentity, match="for a device of other"):
        read_identity(machine.device)


def test_one_that_was_right_once_outlives_the_keys(machine: Machine) -> None:
    device_with(machine, signed(), TRUST)
    assert read_identity(machine.device) == IDENTITY
    trust_keys(machine, Trust(KeySet.of([public(OTHER)], version=2)))
    assert read_identity(machine.device) == IDENTITY
    other = replace(IDENTITY, serial="GW-0002")
    (machine.paths.data / FILE_NAME).write_bytes(signed(other))
    with pytest.raises(BadIdentity):
        read_identity(machine.device)


def test_a_device_without_one_is_like_all_others(machine: Machine) -> None:
    machine.boot()
    assert main(["apply-identity"], machine.device) == 0
    assert read_identity(machine.device) is None


def test_w3_one_that_a_newer_release_made_is_applied_as_far_as_it_is_known(
    machine: Machine,
) -> None:
    newer = json.loads(IDENTITY.print()) | {"version": 2, "colour": "red"}
    document = print_json(newer)
    signatures = Signer((KEY,)).sign(statement(document))
    device_with(machine, print_signed(document, signatures), TRUST)
    assert read_identity(machine.device) == IDENTITY


def test_w3_what_a_newer_agent_notes_beside_its_digest_stays(machine: Machine) -> None:
    device_with(machine, signed(), TRUST)
    read_identity(machine.device)
    known = machine.paths.known_identity
    digest = known.read_text()
    known.write_text(f"{digest}weather fine\n")
    trust_keys(machine, Trust(KeySet.of([public(OTHER)], version=2)))
    assert read_identity(machine.device) == IDENTITY
    known.write_text("0" * 64 + "\nweather fine\n")
    trust_keys(machine, TRUST)
    assert read_identity(machine.device) == IDENTITY
    assert known.read_text() == f"{digest}weather fine\n"
