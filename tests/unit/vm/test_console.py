from pathlib import Path

import pytest

from reconix.vm.console import Console, NotSaid


def console(log: Path, *, running: bool = True) -> Console:
    return Console(log, running=lambda: running)


def test_each_wait_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = console(log)
    log.write_text("first login: second login: end")
    assert found.wait("login:", seconds=1) == "first login:"
    assert found.wait("login:", seconds=1) == " second login:"
    with pytest.raises(NotSaid):
        found.wait("login:", seconds=0)


def test_what_was_said_before_the_guest_started_is_not_seen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("login:")
    found = console(log)
    with pytest.raises(NotSaid):
        found.wait("login:", seconds=0)


def test_a_guest_that_stops_ends_the_wait_and_its_last_words_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = console(log, running=False)
    log.write_text("Kernel panic\n")
    with pytest.raises(NotSaid, match=r"the guest has stopped(.|\n)*Kernel panic"):
        found.wait("login:", seconds=60)


def test_what_a_guest_says_last_is_found_although_it_has_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = console(log, running=False)
    log.write_text("Power down\n")
    assert found.wait("Power down", seconds=0) == "Power down"


def test_colours_do_not_hide_a_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = console(log)
    log.write_bytes(b"\x1b[0;32m  O\x1b[0mK \x1b[01;01H] Started\r\n")
    assert found.wait("OK ] Started\n", seconds=1)
