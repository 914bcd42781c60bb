"""What a trial asked for is remembered, within bounds, and read by agents of all releases."""

from pathlib import Path

import pytest

from reconix.base.documents import BadDocument, print_json
from reconix.device.paths import Paths
from reconix.device.state.missed import (
    Missed,
    MissedPaths,
    parse_missed,
    read_missed,
    write_missed,
)

SS = Missed("/usr/bin/ss", 131240, "monitor.sh", "monitor.service")
FOUND = MissedPaths("/nix/store/x-generation", "default", (SS,), others=2, lost=3)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(system=tmp_path)
    found.home.mkdir()
    return found


def test_it_is_told_with_what_brings_it_back() -> None:
    assert FOUND.lines() == [
        "/usr/bin/ss was asked for by monitor.sh (monitor.service); removed because nothing "
        'reaches it; minify.keep = ["/usr/bin/ss"], 128.2 KiB',
        "and 2 more",
        "3 look-ups were not seen",
    ]
    assert "sh (unit not known)" in Missed("/x", 1, "sh").line()


def test_what_is_written_is_read_again(paths: Paths) -> None:
    assert read_missed(paths) is None
    write_missed(paths, FOUND)
    assert read_missed(paths) == FOUND


def test_a_trial_that_asked_for_nothing_leaves_nothing(paths: Paths) -> None:
    write_missed(paths, FOUND)
    write_missed(paths, MissedPaths("", "default"))
    assert not paths.missed.exists()
    write_missed(paths, MissedPaths("", "default"))


def test_what_a_newer_agent_has_written_besides_stays() -> None:
    document = {**FOUND.document(), "version": 7, "since": [1, 2]}
    found = parse_missed(print_json(document), source="test")
    assert (found.missed, found.version) == (FOUND.missed, 7)
    assert found.document() == document


@pytest.mark.parametrize(
    "change", [{"version": 0}, {"missed": 1}, {"missed": [{"path": 1}]}, {"others": -1}]
)
def test_what_is_none_is_refused_and_read_over(change: dict[str, object], paths: Paths) -> None:
    content = print_json({**FOUND.document(), **change})
    with pytest.raises(BadDocument):
        parse_missed(content, source="test")
    paths.missed.write_bytes(content)
    assert read_missed(paths) is None
