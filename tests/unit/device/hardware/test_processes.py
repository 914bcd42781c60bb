"""A process is known by its unit, also when it has ended and only who began it is left."""

import os
import subprocess
from pathlib import Path

import pytest

from reconix.device.hardware.processes import Owner, Processes, unit_of

PROC, ROOT = Path("/proc"), Path("/")


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/monitor.service\n", "monitor.service"),
        ("1:name=systemd:/x.service\n0::/system.slice/a.service/payload\n", "a.service"),
        ("0::/user.slice/user-0.slice/session-1.scope\n", "session-1.scope"),
        ("0::/init.scope\n", "init.scope"),
        ("0::/\n", ""),
        ("1:name=systemd:/x.service\n", ""),
        ("", ""),
    ],
)
def test_a_control_group_tells_the_unit(groups: str, unit: str) -> None:
    assert unit_of(groups) == unit


def test_who_runs_is_looked_at() -> None:
    found = Processes(PROC, ROOT).owner(os.getpid())
    assert found is not None
    assert found.has_our_root


def test_another_root_is_told(tmp_path: Path) -> None:
    assert Processes(PROC, tmp_path).owner(os.getpid()) == Owner(
        unit_of(Path("/proc/self/cgroup").read_text()), has_our_root=False
    )


def test_of_one_that_has_ended_the_one_before_is_asked(ended: int) -> None:
    processes = Processes(PROC, ROOT)
    assert processes.owner(ended) is None
    processes.forked(os.getpid(), ended)
    processes.forked(ended, 999_999_998)
    assert processes.owner(999_999_998) == processes.owner(os.getpid())


def test_nobody_is_asked_twice_and_the_first_process_not_at_all(ended: int) -> None:
    processes = Processes(PROC, ROOT)
    processes.forked(999_999_998, ended)
    processes.forked(ended, 999_999_998)
    assert processes.owner(ended) is None
    processes.forked(1, ended)
    assert processes.owner(ended) is None


def test_what_is_remembered_is_bounded() -> None:
    processes = Processes(PROC, ROOT)
    for pid in range(5000):
        processes.forked(1, 10_000_000 + pid)
    assert len(processes._parents) == 4096
