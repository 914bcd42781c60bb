"""T5: a device whose clock says 2106 is updated, tries what it got, and keeps it.

The other end, 1970, is none for a whole device: systemd sets a clock that says less than the day on
which it was built. The agent alone is tested with it: ``tests/unit/device/test_clock.py``.
"""

import time
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.vm.project import Project
from tests.vm.test_hangs import PROGRAMS, WITH_WATCHDOG, booted

from reconix.store.tree import File

CLOCK = "2106-03-01T00:00:00"
DAY = 24 * 60 * 60


@pytest.mark.vm
@pytest.mark.archive
def test_t5_an_update_is_kept_in_2106(tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS)
    project = Project.make(tmp_path / "project", WITH_WATCHDOG)
    project.reconix("lock")
    project.reconix("build")
    with booted(project, clock=CLOCK) as box:
        seconds = int(box.answer("date", "+%s"))
        assert abs(seconds - time.time()) > DAY, "the clock of the device is right"
        box.keep(box.broken({"page": File(b"of another century")}))
