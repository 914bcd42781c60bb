"""How far scrubbing is: bounded, and readable by agents of other releases."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconix.base.documents import BadDocument
from reconix.device.paths import Paths
from reconix.device.state.scrubbed import (
    MAX_DAMAGED,
    SAVE_BYTES,
    Scrubbed,
    is_due,
    note_scrubbed,
    parse_scrubbed,
    read_scrubbed,
    write_scrubbed,
)
from reconix.store.scrub import BEGIN, Damage, Kind


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    for name in ("run", "system/reconix"):
        (tmp_path / name).mkdir(parents=True)
    return Paths(system=tmp_path / "system", run=tmp_path / "run")


def damage(number: int, path: str = "/nix/store/x/usr/bin/tool") -> Damage:
    return Damage(bytes([number]) * 32, Kind.CONTENT, "was altered", 4711, (path,), 2)


KNOWN = Scrubbed(b"\x80" * 32, 1767225600, (damage(1), damage(2)), 3)


def test_what_is_printed_is_read_again() -> None:
    for each in (Scrubbed(), KNOWN, replace(KNOWN, unsaved_bytes=9, others=0)):
        assert parse_scrubbed(each.print(), source="x") == each


def test_w3_what_a_newer_agent_has_written_besides_stays() -> None:
    document = json.loads(KNOWN.print())
    document |= {"version": 7, "speed": 9}
    document["damaged"].append({"kind": "slot", "digest": "", "what": "is another"})
    read = parse_scrubbed(json.dumps(document).encode(), source="x")
    assert read.damaged == KNOWN.damaged
    again = json.loads(read.print())
    assert (again["version"], again["speed"]) == (7, 9)


def test_what_makes_no_sense_is_refused_and_begins_anew(paths: Paths) -> None:
    with pytest.raises(BadDocument):
        parse_scrubbed(b'{"version": 1}', source="x")
    paths.scrub.write_bytes(b"nonsense")
    assert read_scrubbed(paths) is None


def test_no_more_is_kept_than_a_reader_takes(paths: Paths) -> None:
    many = tuple(damage(number, "/nix/store/" + "ä" * 4000) for number in range(200))
    found = Scrubbed().finding(many)
    assert (len(found.damaged), found.others) == (MAX_DAMAGED, 200 - MAX_DAMAGED)
    write_scrubbed(paths, found)
    assert read_scrubbed(paths) == found


def test_how_far_a_pass_is_follows_from_its_place() -> None:
    assert [Scrubbed(place).percent for place in (BEGIN, b"\x80" * 32, b"\xff" * 32)] == [0, 50, 99]


def test_what_is_known_in_this_boot_counts_and_after_it_what_was_written(paths: Paths) -> None:
    write_scrubbed(paths, KNOWN)
    further = replace(KNOWN, place=b"\x90" * 32, unsaved_bytes=5)
    note_scrubbed(paths, further)
    assert read_scrubbed(paths) == further
    paths.scrub_now.unlink()
    assert read_scrubbed(paths) == KNOWN


def test_the_disk_is_written_once_a_boot_for_damage_and_after_much_was_read(paths: Paths) -> None:
    assert is_due(paths, KNOWN)
    write_scrubbed(paths, KNOWN)
    assert not is_due(paths, replace(KNOWN, place=b"\x90" * 32, unsaved_bytes=SAVE_BYTES - 1))
    assert is_due(paths, replace(KNOWN, unsaved_bytes=SAVE_BYTES))
    assert is_due(paths, replace(KNOWN, damaged=()))
    paths.scrub_now.unlink()
    assert is_due(paths, KNOWN)
