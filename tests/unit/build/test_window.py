from collections.abc import Callable
from pathlib import Path

from reconix.base.process import run
from reconix.build.window import make_units


def test_the_timer_begins_when_the_window_does() -> None:
    made = make_units("22:30-04:00")
    assert b"OnCalendar=*-*-* 22:30:00\n" in made["reconix-window.timer"]
    assert b"phase.: .armed" in made["reconix-window.service"]


def test_without_a_window_there_is_no_timer() -> None:
    assert make_units(None) == {}


def test_systemd_takes_the_units(tmp_path: Path, need: Callable[..., None]) -> None:
    need("systemd-analyze")
    for name, content in make_units("00:00-23:59").items():
        (tmp_path / name).write_bytes(content)
    run("systemd-analyze", "verify", "--man=no", tmp_path / "reconix-window.timer")
