"""W3: the agents of earlier releases, as devices in the field have them, and this release.

``tests/data/agents/`` has the packed agent of each release (``tools/keep_release.py``). It runs
here by itself, without our sources, on a device of plain files: it takes a stream that this release
makes, puts it on trial and keeps it; and each of both reads what the other one has left.
"""

import json
import lzma
import random
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
from tests.device_model import Machine
from tests.project_files import ROOT, enough
from tests.turned_clock import TurnedClock
from tests.unit.device.conftest import Units

from reconix.base.documents import JsonInput, print_json
from reconix.boot.trial import Phase, read_state
from reconix.build.agent import zipapp
from reconix.device.__main__ import main
from reconix.store.tree import File

AGENTS = enough(
    sorted((ROOT / "tests/data/agents").glob("*.pyz.xz")), at_least=1, what="agents of releases"
)
PATIENT: JsonInput = {"receive": True, "trial_timeout_seconds": 36_000}
"""The clock of the kept agent is that of a test machine with other work to do."""

CALL = """\
import sys
sys.path[:] = [{agent!r}, *(path for path in sys.path if "reconix" not in path)]
from pathlib import Path
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.__main__ import main
from reconix.device.device import Device
from reconix.device.paths import Paths

assert main.__code__.co_filename.startswith({agent!r}), "another agent"
place = Path({place!r})
paths = Paths(system=place / "system", root=place / "root", run=place / "run", sysfs=place / "sys",
    efivars=place / "efivars", proc=place / "proc", dev=place / "dev", data=place / "data",
    disk=place / "disk", shared=False)
sys.exit(main(sys.argv[1:], Device(paths, Uefi(Variables(paths.efivars), "EFI/BOOT/BOOTX64.EFI"))))
"""


class KeptAgent:
    """The packed agent of a release, at work on a device."""

    def __init__(self, packed: bytes, machine: Machine, place: Path) -> None:
        place.mkdir()
        agent = place / "agent.pyz"
        agent.write_bytes(packed)
        self._script = place / "call.py"
        self._script.write_text(CALL.format(agent=str(agent), place=str(machine.place)))

    def run(self, *words: str, stdin: bytes = b"", status: int = 0) -> bytes:
        """Run a command; it must end with this status."""
        ran = subprocess.run(
            [sys.executable, "-I", "-S", str(self._script), *words],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == status, ran.stderr.decode()
        return ran.stdout


@pytest.fixture(params=AGENTS, ids=lambda path: path.name.removesuffix(".pyz.xz"))
def kept(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> KeptAgent:
    return KeptAgent(lzma.decompress(request.param.read_bytes()), machine, tmp_path / "kept")


@pytest.mark.parametrize("base", ["one", None])
def test_w3_it_takes_a_stream_of_this_release_tries_it_and_keeps_it(
    kept: KeptAgent, machine: Machine, units: Units, base: str | None
) -> None:
    two = machine.generation("two", extra={"update.json": File(print_json(PATIENT))})
    machine.time = TurnedClock(monotonic())  # a kept agent goes by the clock of this computer
    machine.boot()
    stream = machine.stream(base, "two").getvalue()
    kept.run("receive", "--no-reboot", stdin=stream)
    assert json.loads(kept.run("status", "--json"))["phase"] == "armed"
    assert machine.boot().booted.generation == two
    kept.run("confirm")
    machine.boot()
    assert machine.device.recall().committed.generation == str(two)
    assert main(["verify"], machine.device) == 0


def test_w3_this_release_goes_on_with_what_it_has_left(
    kept: KeptAgent, machine: Machine, units: Units, tmp_path: Path
) -> None:
    three = machine.generation("three")
    machine.generation("two")
    machine.boot()
    kept.run("receive", "--no-apply", stdin=machine.stream("one", "two").getvalue())
    stream = tmp_path / "stream"
    stream.write_bytes(machine.stream("two", "three").getvalue())
    assert main(["receive", str(stream), "--no-reboot"], machine.device) == 0
    assert machine.boot().booted.generation == three
    assert json.loads(kept.run("status", "--json"))["phase"] == "on-trial"
    kept.run("rollback", "--no-reboot")
    assert machine.boot().booted.generation == machine.generations["one"]
    kept.run("verify")


def test_w3_what_has_arrived_is_taken_over_by_the_other_one(
    kept: KeptAgent, machine: Machine, units: Units, tmp_path: Path
) -> None:
    machine.generation("two", extra={"large": File(random.Random(1).randbytes(3_000_000))})
    machine.boot()
    stream = machine.stream("one", "two").getvalue()
    kept.run("receive", "--no-reboot", stdin=stream[:2_500_000], status=51)
    offset = json.loads(kept.run("resume-offset", "--json"))["offset"]
    assert 2_000_000 < offset <= 2_500_000
    today = KeptAgent(zipapp.pack(), machine, tmp_path / "today")
    today.run("receive", "--resume-at", str(offset), "--no-reboot", stdin=stream[offset:])
    assert machine.boot().booted.generation == machine.generations["two"]


def test_w3_it_tries_what_a_newer_one_would_commit_without_a_restart(
    kept: KeptAgent, machine: Machine, units: Units
) -> None:
    two = machine.generation("two", only=["mqtt"])
    machine.boot()
    kept.run("receive", "--no-reboot", stdin=machine.stream("one", "two").getvalue())
    assert json.loads(kept.run("status", "--json"))["phase"] == "armed"
    assert machine.boot().booted.generation == two


def test_w3_it_goes_on_with_what_a_newer_one_has_committed_without_a_restart(
    kept: KeptAgent, machine: Machine, units: Units
) -> None:
    two = machine.generation("two", only=["mqtt"])
    machine.boot()
    machine.install("two")
    assert main(["apply", str(two)], machine.device) == 0
    assert json.loads(kept.run("status", "--json"))["committed"]["generation"] == str(two)
    kept.run("rollback", "--no-reboot")
    state = read_state(machine.paths.state)
    assert (state.phase, state.untried) == (Phase.ARMED, ("mqtt",))
    assert machine.boot().booted.generation == machine.generations["one"]
