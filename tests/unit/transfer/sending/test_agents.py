"""What agents say of the streams that they take."""

import io
import zipfile
from pathlib import Path

import pytest

from reconix.build.agent import zipapp
from reconix.store.images.nodes import EXECUTABLE
from reconix.transfer.format.stream import (
    AGENT,
    FEATURES,
    FIRST_FEATURES,
    VERSION,
    print_features,
)
from reconix.transfer.sending.agents import features_of, parse_features
from reconix.transfer.sending.trees import FileNode, FolderNode, folder_of


def holding(place: Path, content: bytes) -> FolderNode:
    """A system with an agent."""
    place.write_bytes(content)
    agent = FileNode(EXECUTABLE, len(content), b"", place)
    below = folder_of(EXECUTABLE, ((AGENT.encode(), agent),))
    return folder_of(EXECUTABLE, ((b"etc", below),))


def older() -> bytes:
    """An application without the file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", b"")
    return packed.getvalue()


def test_the_agent_of_this_release_knows_all_features(tmp_path: Path) -> None:
    assert features_of([holding(tmp_path / "agent", zipapp.pack())]) == FEATURES


def test_the_oldest_agent_counts(tmp_path: Path) -> None:
    new = holding(tmp_path / "new", zipapp.pack())
    assert features_of([new, holding(tmp_path / "old", older())]) == FIRST_FEATURES
    assert features_of([new, holding(tmp_path / "odd", b"no archive")]) == FIRST_FEATURES


def test_without_an_agent_nothing_new_is_sent() -> None:
    assert features_of([folder_of(EXECUTABLE, ())]) == FIRST_FEATURES
    assert features_of([]) == FIRST_FEATURES


@pytest.mark.parametrize("said", [b"", b"9 15", f"{VERSION} x".encode(), b"\xff 1", b"3 15 4"])
def test_what_is_not_understood_promises_nothing(said: bytes) -> None:
    assert parse_features(said) == FIRST_FEATURES


def test_what_is_printed_is_understood() -> None:
    assert parse_features(print_features()) == FEATURES
