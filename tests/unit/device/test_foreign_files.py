"""On a stick or the data partition others write: what is no file there is told, not waited for."""

from pathlib import Path

import pytest
from tests.device_model import Machine
from tests.unit.base.test_foreign_files import KINDS, at_once, put
from tests.unit.device.test_identity import KEY, TRUST, device_with, signed

from reconix.device.__main__ import main
from reconix.device.identity import FILE_NAME, BadIdentity, read_identity
from reconix.transfer.format.catalog import INDEX, Offer, print_index
from reconix.transfer.sending import send

__all__ = ["at_once"]  # a fixture

each_kind = pytest.mark.parametrize("kind", [*KINDS, "a link to root's"])
SECRET = b"root:$y$j9T$secret\n"


def put_or_link(path: Path, kind: str) -> None:
    if kind == "a link to root's":
        (path.parent / "secret").write_bytes(SECRET)
        path.symlink_to("secret")
    else:
        put(path, kind)


@each_kind
def test_an_index_that_is_no_file_ends_the_update(
    machine: Machine, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.boot()
    put_or_link(tmp_path / INDEX, kind)
    assert main(["update", "--from", str(tmp_path)], machine.device) == 82
    assert "secret" not in capsys.readouterr().err.replace("/secret", "")


@each_kind
def test_a_stream_that_is_no_file_ends_the_update(
    machine: Machine, tmp_path: Path, kind: str
) -> None:
    machine.boot()
    target, written = machine.generation("two"), bytearray()
    sent = send.create(machine.store, [], target, written.extend, sequence=2)
    (tmp_path / INDEX).write_bytes(print_index([Offer.of("two.rcx", sent.size_bytes, sent.header)]))
    put_or_link(tmp_path / "two.rcx", kind)
    assert main(["update", "--from", str(tmp_path)], machine.device) == 40


@each_kind
def test_an_identity_that_is_no_file_changes_nothing(machine: Machine, kind: str) -> None:
    device = device_with(machine, b"", TRUST)
    path = device.paths.data / FILE_NAME
    path.unlink()
    put_or_link(path, kind)
    with pytest.raises((BadIdentity, OSError)):
        read_identity(device.device)


def test_an_identity_that_was_signed_is_not_read_through_a_link(machine: Machine) -> None:
    device = device_with(machine, signed(by=(KEY,)), TRUST)
    path = device.paths.data / FILE_NAME
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")
    with pytest.raises(BadIdentity, match="is a link"):
        read_identity(device.device)


@pytest.mark.parametrize("kind", KINDS)
def test_a_named_stream_that_is_no_file_is_not_waited_for(
    machine: Machine, tmp_path: Path, kind: str
) -> None:
    machine.boot()
    put(tmp_path / "stream", kind)
    assert main(["receive", str(tmp_path / "stream")], machine.device) == 40
