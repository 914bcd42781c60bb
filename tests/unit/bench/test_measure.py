"""What a step costs is what it really used, and nothing of who started it."""

import os
import sys
from pathlib import Path

import pytest
from bench.updates.measure import Memory, measure, parse_memory

from reconix.base.process import CommandFailed

MEBI = 1 << 20
HOLD = "import time; held = bytearray(b'x') * (64 << 20); time.sleep(0.4)"
START = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {HOLD!r}])"
WORK = "import time\nwhile time.process_time() < 0.3: pass"


def test_processor_time_is_that_of_the_program(tmp_path: Path) -> None:
    cost = measure((sys.executable, "-S", "-c", WORK), tmp_path / "log")
    assert 0.3 <= cost.cpu_seconds < 2
    assert cost.seconds >= 0.25


def test_memory_is_that_of_the_largest_moment(tmp_path: Path) -> None:
    cost = measure((sys.executable, "-S", "-c", HOLD), tmp_path / "log")
    assert 64 * MEBI < cost.peak_bytes < 96 * MEBI


def test_who_only_starts_others_does_not_count(tmp_path: Path) -> None:
    words = (sys.executable, "-c", "held = bytearray(b'x') * (200 << 20)\n" + START)
    assert measure(words, tmp_path / "log", only_starts=True).peak_bytes < 96 * MEBI
    assert measure(words, tmp_path / "log").peak_bytes > 264 * MEBI


def test_a_child_that_is_still_its_parent_does_not_count(tmp_path: Path) -> None:
    """``posix_spawn`` opens the file in the child, before ``execve``; here that takes a while."""
    os.mkfifo(tmp_path / "late")
    code = f"""
import os, subprocess
held = bytearray(b'x') * (100 << 20)
subprocess.Popen(['sh', '-c', 'sleep 0.5; : > {tmp_path}/late'])
late = (os.POSIX_SPAWN_OPEN, 0, '{tmp_path}/late', os.O_RDONLY, 0)
os.waitpid(os.posix_spawn('/bin/true', ['true'], {{}}, file_actions=[late]), 0)
"""
    cost = measure((sys.executable, "-S", "-c", code), tmp_path / "log")
    assert cost.seconds > 0.5
    assert 100 * MEBI < cost.peak_bytes < 150 * MEBI


def test_a_step_that_fails_has_no_cost(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no such thing"):
        measure((sys.executable, "-S", "-c", "raise SystemExit('no such thing')"), tmp_path / "log")


def test_memory_is_read_from_the_kernels_words() -> None:
    status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"
    assert parse_memory(status) == Memory(1 * MEBI, 2 * MEBI)


def test_a_process_that_goes_has_no_memory() -> None:
    assert parse_memory("Name:\tx\nState:\tZ (zombie)\n") is None
