"""The last program of a system that gives way to another one."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.crash.initrd_functions import function_of

from reconix.base.process import run
from reconix.build.boot import initrd

SCRIPT = initrd.SCRIPT.with_name("switch").read_text()
OLD = """
mount -t tmpfs run /run && mount -t tmpfs shm /dev/shm
mkdir -p /run/reconix /run/systemd /run/user/1 /run/kept /dev/shm/..hidden
mount -t tmpfs kept /run/kept
touch /run/reconix/booted.json /run/reconix/switches /run/systemd/x /run/kept/x /run/.pid
"""
"""What an old system leaves behind, in namespaces of our own."""


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


def test_w4_any_number_of_names_keeps_nothing_of_the_old_system(
    need: Callable[..., None], tmp_path: Path
) -> None:
    need("unshare")
    many = tmp_path / "many.py"
    many.write_text("for n in range(9000): open(f'/dev/shm/{n:0250}', 'w').close()\n")
    lines = [
        'need() { "$@" || exit 1; }',
        OLD,
        f"python3 {shlex.quote(str(many))}",
        *(function_of(SCRIPT, name) for name in ("read_mounts", "is_mounted", "clear_run")),
        "read_mounts; clear_run; find /run /dev/shm -type f; find /dev/shm -mindepth 1 | wc -l",
    ]
    words = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    said = run(*words, "\n".join(lines)).decode().split()
    assert sorted(said) == ["/run/kept/x", "/run/reconix/switches", "/run/systemd/x", "0"]
