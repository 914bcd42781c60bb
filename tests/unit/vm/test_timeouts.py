import os
import subprocess
import sys

import pytest

from reconix.base.process import run
from reconix.vm.timeouts import LONGEST, REFERENCE_SECONDS, factor, scaled, slowness

MEASURE = "from reconix.vm.timeouts import slowness; print(slowness())"


@pytest.mark.parametrize(
    ("took", "grows"),
    [
        (REFERENCE_SECONDS / 2, 1.0),
        (REFERENCE_SECONDS, 1.0),
        (REFERENCE_SECONDS * 3, 3.0),
        (3600.0, LONGEST),
    ],
)
def test_a_limit_follows_the_machine_and_never_becomes_shorter(took: float, grows: float) -> None:
    assert factor(took) == pytest.approx(grows)


def test_a_limit_is_measured_once() -> None:
    assert scaled(240.0) == 240.0 * slowness() == scaled(240.0)


def test_a_busy_machine_gets_more_time() -> None:
    """Six programs on the core of one that measures: it gets a seventh of it."""
    core = min(os.sched_getaffinity(0))
    pinned = ("taskset", "--cpu-list", str(core))
    busy = [subprocess.Popen([*pinned, sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    try:
        assert float(run(*pinned, sys.executable, "-c", MEASURE)) > 3
    finally:
        for each in busy:
            each.kill()
            each.wait()
