"""The demo is a test: what it shows, it has checked, in a real firmware with a real kernel.

It locks, builds, boots, uses each system, updates, survives a bad update and a power cut; each line
with ✓ is an assertion of `examples/demo.py`, which ends with another status if one does not hold.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconix.base.process import CommandFailed, run
from reconix.vm.timeouts import scaled

Need = Callable[..., None]
DEMO = Path(__file__).parents[2] / "examples/demo.py"
PROGRAMS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mosquitto_pub", "ssh", "ssh-keygen")
CLAIMS = (
    "the same generation",
    "a shell on the device",
    "its log from the first line",
    "a file went there and came back",
    "the device runs mqtt, under the same kernel",
    "the device runs web, after a restart",
    "published and received by a real client",
    "the default system runs again",
    "the host key is the one of the first boot",
    "generation 2 is kept",
    "the new page",
    "which names generation and system",
    "the new package is there",
    "the setting is made",
    "the device is back at generation 2",
    "and says why",
    "the rest is still to come",
    "the old generation runs",
    "generation 4 is kept",
    "every object is intact",
)


@pytest.mark.vm
@pytest.mark.archive
def test_the_demo_goes_the_whole_way(tmp_path: Path, need: Need) -> None:
    need(*PROGRAMS)
    folder = tmp_path / "demo"
    try:
        said = run(sys.executable, DEMO, "--folder", folder, timeout_seconds=scaled(2400)).decode()
    except CommandFailed as error:
        pytest.fail(f"{error}\n--- the end of its console:\n{_console(folder)}")
    missing = [claim for claim in CLAIMS if f"✓ {claim}" not in said]
    assert not missing, said
    print(said)


def _console(folder: Path) -> str:
    log = folder / "console.log"  # not there if it failed before a device was started
    return log.read_text(errors="replace")[-6000:] if log.exists() else ""
