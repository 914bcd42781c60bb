"""Who a process belongs to, even if it has ended meanwhile.

The kernel has told who has forked whom. So where a process has ended, the one that began it is
asked, and so on; a unit of systemd seldom changes on the way. Of a process are told its unit, by
its control group, and whether it has the root of the system, which a container has not.

Source: cgroups(7), proc(5), systemd.slice(5).
Tested by ``tests/unit/device/hardware/test_processes.py``.
"""

from pathlib import Path

from reconix.base.files import BadFile, read_bounded
from reconix.base.records import dataclass, field

_MAX_REMEMBERED = 4096
_MAX_BYTES = 1 << 14
_UNITS = (".service", ".scope", ".socket", ".mount", ".swap")
_FIRST = 2
"""The first process and the kernel's own: whoever descends from nobody else is of no unit."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a process belongs to.

    Attributes:
        unit: of systemd; nothing if it is of none.
        has_our_root: whether paths mean to it what they mean to us.
    """

    unit: str
    has_our_root: bool


@dataclass(slots=True)
class Processes:
    """The processes of this boot.

    Attributes:
        proc: where the kernel shows them.
        root: the folder that is the root of the system.
    """

    proc: Path
    root: Path
    _parents: dict[int, int] = field(default_factory=dict)

    def forked(self, parent: int, pid: int) -> None:
        """Remember who has begun a process; the oldest are forgotten."""
        self._parents.pop(pid, None)
        if len(self._parents) >= _MAX_REMEMBERED:
            del self._parents[next(iter(self._parents))]
        self._parents[pid] = parent

    def owner(self, pid: int) -> Owner | None:
        """Whom a process belongs to, or the next one before it that still runs."""
        found = self._look(pid)
        seen = {pid}
        while found is None and (pid := self._parents.get(pid, 0)) > _FIRST and pid not in seen:
            seen.add(pid)
            found = self._look(pid)
        return found

    def _look(self, pid: int) -> Owner | None:
        place = self.proc / str(pid)
        try:
            is_ours = (place / "root").samefile(self.root)
            groups = read_bounded(place / "cgroup", _MAX_BYTES).decode(errors="replace")
        except (OSError, BadFile):
            return None
        return Owner(unit_of(groups), is_ours)


def unit_of(groups: str) -> str:
    """The unit that a control group is of, or the one above it; nothing if there is none.

    Args:
        groups: what the kernel says in ``/proc/PID/cgroup``.
    """
    lines = (line for line in groups.splitlines() if line.startswith("0::"))
    steps = next(lines, "").split("/")
    return next((step for step in reversed(steps) if step.endswith(_UNITS)), "")
