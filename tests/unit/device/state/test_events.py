"""The log is bounded and survives damage."""

from pathlib import Path

from reconix.device.state.events import KEPT, append, read_events


def test_events_come_back_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "installed", generation="/nix/store/x", text="one")
    append(log, "confirmed", text="zwölf\nlines")
    assert [(event.name, event.generation, event.text) for event in read_events(log)] == [
        ("installed", "/nix/store/x", "one"),
        ("confirmed", "", "zwölf\nlines"),
    ]


def test_the_oldest_go_and_long_texts_lose_their_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(KEPT + 3):
        append(log, "x", text=f"{number}" + "ü" * 3000)
    found = read_events(log)
    assert len(found) == KEPT
    assert all(len(event.text) == 2000 for event in found)


def test_lines_that_are_no_events_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, "first")
    log.write_bytes(log.read_bytes() + b'{"at": "yesterday"}\n\xff\xfe\n[]\n')
    append(log, "second")
    assert [event.name for event in read_events(log)] == ["first", "second"]
