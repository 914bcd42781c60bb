"""Hashing beside gives what hashing gives, and ends whatever happens."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.nix.measure import HashingThread, measure
from reconix.store import nar
from reconix.store.nar import BadTree, Event
from reconix.store.references import Scanner


@given(st.lists(st.binary(max_size=5000), max_size=40))
def test_the_digest_is_that_of_all_pieces_in_order(pieces: list[bytes]) -> None:
    with HashingThread() as state:
        for piece in pieces:
            state.update(piece)
        assert state.digest() == Digest(hashlib.sha256(b"".join(pieces)).digest())


def test_a_tree_is_measured_as_its_archive(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x" * 100)
    (tmp_path / "large").write_bytes(bytes(range(256)) * 20_000)
    assert measure(nar.walk(tmp_path), Scanner(())) == nar.digest(tmp_path)


def test_a_tree_that_fails_leaves_no_thread() -> None:
    def events() -> Iterator[Event]:
        yield nar.FolderBegin()
        raise BadTree("a socket")

    with pytest.raises(BadTree):
        measure(events(), Scanner(()))
    assert [thread.name for thread in threading.enumerate() if thread.name == "hash"] == []
