"""The workload of a data partition: its first boot, use, and a factory reset.

The scripts that start a device are run here, as a process: of their functions those that change
the partition. To mount does nothing, and ``sync`` is of this file system alone. Ordering a reset
and deleting what it left is the agent's own code.

Tested by ``tests/crash/test_prover_data.py``.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import process
from reconix.base.files import remove_tree, write_durably
from reconix.boot.oneshots.uefi import Uefi
from reconix.boot.oneshots.variables import Variables
from reconix.device.device import Device
from reconix.device.factory_reset import ALL, discard, leave_order
from reconix.device.paths import Paths
from reconix.prove.history import Step
from reconix.prove.recorder import Recording

FILL, USE, WISH, RESET, DELETE = (
    *("first boot: data", "programs keep data", "order a reset: data"),
    *("boot that resets data", "delete what was reset"),
)
"""The steps, in their order."""

IDENTITY, MACHINE_ID, USED = "identity.json", "machine-id", "used"
GIVEN = {"small": b"given\n", "large": b"given " * 2000}
"""What the root has in each path that is kept."""

_FUNCTIONS = (
    *("fault", "enter", "fill", "give", "bind_here", "keep", "keep_paths"),
    *("discard", "set_aside", "make_room", "reset_data", "make_machine_id", "find_machine_id"),
)
_STAND_IN = 'say() { :; }\nmount() { :; }\nsync() { command sync -f "$DATA"; }'
_WORK = "reset_data\nfind_machine_id\nkeep_paths"


@dataclass(frozen=True, slots=True)
class Persisting:
    """What the systems of a device keep, and what sees to it.

    Attributes:
        scripts: the text of the scripts that start a device.
        paths: a folder on the partition and a path in the root, for each that is kept.
    """

    scripts: str
    paths: tuple[tuple[str, str], ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """Where on the partition each lies."""
        return tuple(f"{folder}{path}" for folder, path in self.paths)


@dataclass
class DataWorkload:
    """One partition under recording, and what was done to it so far.

    Attributes:
        recording: its disk; what is mounted is this partition.
        persisting: what is kept there.
        folder: for what a device keeps in memory.
    """

    recording: Recording
    persisting: Persisting
    folder: Path
    steps: list[Step] = field(default_factory=list)

    def run(self) -> None:
        """All of it."""
        self._do(FILL, self._boot)
        self._do(USE, self._use)
        self._do(WISH, lambda: leave_order(self._data, ALL))
        self._do(RESET, self._boot)
        self._do(DELETE, lambda: discard(self._device))

    @property
    def _data(self) -> Path:
        return self.recording.system

    @property
    def _device(self) -> Device:
        paths = Paths(run=self.folder, data=self._data, shared=False)
        return Device(paths, Uefi(Variables(self.folder), ""))

    def _do(self, name: str, work: Callable[[], object]) -> None:
        begin = self.recording.position()
        with self.recording.writable():
            work()
            acknowledged = self.recording.position()
        self.steps.append(Step(name, begin, acknowledged, self.recording.position()))

    def _use(self) -> None:
        write_durably(self._data / IDENTITY, b"{}\n")
        for path in self.persisting.kept:
            write_durably(self._data / path / USED, b"by a program\n")

    def _boot(self) -> None:
        remove_tree(self.folder)
        self._make_root()
        process.run("sh", "-c", self._script())

    def _make_root(self) -> None:
        (self.folder / "top").mkdir(parents=True)
        lines = (f"{folder} {path}\n" for folder, path in self.persisting.paths)
        (self.folder / "top/persist").write_text("".join(lines))
        for _, path in self.persisting.paths:
            given = self.folder / "new" / path.lstrip("/")
            given.mkdir(parents=True)
            for name, content in GIVEN.items():
                (given / name).write_bytes(content)

    def _script(self) -> str:
        setting = {
            "DATA": self._data,
            "NEW": self.folder / "new",
            "TOPLEVEL": self.folder / "top",
            "data": "there",
        }
        words = [f"{name}={shlex.quote(str(value))}" for name, value in setting.items()]
        functions = [_function(self.persisting.scripts, name) for name in _FUNCTIONS]
        text = "\n".join([*words, _STAND_IN, *functions, _WORK])
        return text.replace("/run/reconix", str(self.folder))


def _function(script: str, name: str) -> str:
    """A function of a script, on one line or many."""
    found = re.search(rf"^{name}\(\) {{( [^\n]* }}$|$.*?^}}$)", script, re.MULTILINE | re.DOTALL)
    assert found, f"the scripts have no function {name}"
    return found[0]
