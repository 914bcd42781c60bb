"""The last program of a system that gives way to another one."""

import shlex
from pathlib import Path

import pytest
from tests.crash.initrd_functions import function_of

from reconix.base.process import run
from reconix.build import initrd

SCRIPT = initrd.SCRIPT.with_name("switch").read_text()


@pytest.mark.parametrize("status", [0, 1], ids=["works", "fails"])
def test_what_failed_in_the_old_system_does_not_count_against_the_next(
    tmp_path: Path, status: int
) -> None:
    """Whatever systemd says to that, the next system is started."""
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {shlex.quote(str(tmp_path / "log"))}\nexit {status}\n'
    )
    program.chmod(0o755)
    function = function_of(SCRIPT, "forget_failures")
    run(
        "sh",
        "-ec",
        f"PATH={shlex.quote(str(tmp_path))}:$PATH\nsay() {{ :; }}\n{function}\nforget_failures",
    )
    assert (tmp_path / "log").read_text() == "reset-failed\n"


def test_failures_are_forgotten_when_everything_has_stopped_and_before_the_next_begins() -> None:
    steps = SCRIPT.split("make_system_root\n", 1)[1].splitlines()
    assert steps[0] == "forget_failures"
