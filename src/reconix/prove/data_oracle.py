"""The data partition under the prover: the first boot fills it, a factory reset empties it.

``data_workload.py`` says what is done. A state is good when the file system recovers, with nothing
left to repair, and

* a path that is kept is there with everything that the system gave it, or not at all;
* so is the identity of the device; and the file with its key stays;
* what a boot or an order has done is there from when it has said so;
* what programs kept is removed only where a reset was ordered, and all of it once nothing orders it
  any more.

Tested by ``tests/crash/test_prover_data.py``, with bugs planted.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.device.factory_reset import ALL, ORDER
from reconix.prove.blocks import Patched
from reconix.prove.data_workload import (
    DELETE,
    GIVEN,
    IDENTITY,
    MACHINE_ID,
    RESET,
    USE,
    USED,
    WISH,
    DataWorkload,
    Persisting,
)
from reconix.prove.ext4 import BadFileSystem, Ext4, Geometry
from reconix.prove.history import Step
from reconix.prove.image import DATA
from reconix.prove.oracle import Kind
from reconix.prove.prover import Case, Job, Result, Row, Tally, Walk, cuts_of, walking
from reconix.prove.record import Performed, record_partition
from reconix.prove.recorder import Pace, Recording
from reconix.prove.states import Cut

_AN_IDENTITY = re.compile(rb"[0-9a-f]{32}\n")


class BadData(ReconixError):
    """A state of the partition is bad; the message says why."""

    exit_code = 36


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a boot would find.

    Attributes:
        ordered: whether a reset is to be carried out.
        machine_id: of the device, if it has one.
        kept: the paths that are there.
        used: those of them in which a program kept something.
        has_key: whether the key is there with which the device shows who it is.
    """

    ordered: bool
    machine_id: bytes | None
    kept: frozenset[str]
    used: frozenset[str]
    has_key: bool


def record_data(image: Path, persisting: Persisting, folder: Path, *, pace: Pace) -> Job:
    """Record the workload of the data partition of a disk.

    Args:
        image: of the disk as it was made; it is not changed.
        persisting: what is kept on it.
        folder: an empty one; it must stay as long as the job is used.
        pace: when the kernel writes back on its own.

    Raises:
        CannotRecord: this machine cannot.
    """

    def perform(recorded: Recording) -> Performed:
        workload = DataWorkload(recorded, persisting, folder / "workload")
        workload.run()
        return Performed(tuple(workload.steps))

    return record_partition(image, DATA, folder, perform, pace=pace)


def prove_data(job: Job, persisting: Persisting, *, wanted: int, seed: int) -> Result:
    """Check crash states of the recorded workload.

    Args:
        job: its history.
        persisting: what is kept.
        wanted: how many states, if there are as many.
        seed: of what is left to chance.
    """
    cuts = cuts_of(job, wanted, seed)
    tally = Tally()
    with walking(job) as walk, progress.stage("check crash states of data", total=len(cuts)) as bar:
        oracle = _Oracle(walk, job, persisting)
        for cut in cuts:
            oracle.count(cut, tally)
            bar.advance(1)
    return Result(tuple(_rows(job.steps, tally)), tuple(tally.cases), seed)


def _rows(steps: Sequence[Step], tally: Tally) -> Iterator[Row]:
    for number, step in enumerate(steps):
        old, new, bad = (tally.counts[number, kind] for kind in (Kind.OLD, Kind.NEW, Kind.BAD))
        yield Row(step.name, old + new + bad, old, new, bad, trials=0)


class _Oracle:
    """Checks one state of the partition after the other."""

    def __init__(self, walk: Walk, job: Job, persisting: Persisting) -> None:
        self._walk, self._job, self._kept = walk, job, persisting.kept
        self._before = [self._facts(self._quiet(step.begin)) for step in job.steps]
        self._after = [self._facts(self._quiet(step.end)) for step in job.steps]

    def count(self, cut: Cut, tally: Tally) -> None:
        """Check a state and count it; what was made before the first step belongs to that."""
        number = self._number(cut)
        try:
            found = self._facts(cut)
            self._check(found, number, cut)
        except (BadData, BadFileSystem) as error:
            tally.counts[number, Kind.BAD] += 1
            tally.keep(Case(self._job.steps[number].name, cut, str(error)))
        else:
            is_new = found == self._after[number] != self._before[number]
            tally.counts[number, Kind.NEW if is_new else Kind.OLD] += 1

    def _number(self, cut: Cut) -> int:
        epochs = self._walk.history.epochs
        begins = epochs[cut.epoch].begins() if cut.epoch < len(epochs) else self._job.steps[-1].end
        return sum(1 for step in self._job.steps[1:] if step.begin <= begins)

    def _quiet(self, position: int) -> Cut:
        """Everything up to a position was kept."""
        return Cut(sum(1 for each in self._walk.history.epochs if each.ends < position))

    def _check(self, found: _Facts, number: int, cut: Cut) -> None:
        step, before, after = self._job.steps[number], self._before[number], self._after[number]
        if self._walk.window(cut)[0] >= step.acknowledged and found != after:
            raise BadData(f"{step.name}: it was acknowledged, and the cut has undone it")
        if before.has_key and not found.has_key:
            raise BadData(f"{step.name}: the key of the device is gone")
        if step.name in (WISH, DELETE) and found not in (before, after):
            raise BadData(f"{step.name}: what systems keep has changed")
        if step.name == USE and (found.kept, found.machine_id) != (before.kept, before.machine_id):
            raise BadData(f"{step.name}: what the system gave has changed")
        if step.name in (RESET, DELETE) and found.used and not found.ordered:
            raise BadData(f"{step.name}: nothing orders it, and {min(found.used)} is still used")

    def _facts(self, cut: Cut) -> _Facts:
        with ExitStack() as stack:
            self._walk.enter(cut, stack)
            recovered = self._walk.recovery.recover()
            if recovered.problem:
                raise BadData(recovered.problem)
            view = Patched(self._walk.disk, recovered.patches)
            return self._read(Ext4(view, Geometry.read(view, self._job.offset)))

    def _read(self, files: Ext4) -> _Facts:
        identity = _content(files, MACHINE_ID)
        if identity is not None and not _AN_IDENTITY.fullmatch(identity):
            raise BadData("the identity of the device is not whole")
        kept = frozenset(path for path in self._kept if _is_given(files, path))
        used = frozenset(path for path in kept if _content(files, *path.split("/"), USED))
        has_key = _content(files, IDENTITY) == b"{}\n"
        return _Facts(files.lookup(f"{ORDER}.{ALL}") is not None, identity, kept, used, has_key)


def _is_given(files: Ext4, path: str) -> bool:
    """Whether a path is there; then it has everything that the system gave it."""
    names = path.split("/")
    if files.lookup(*names) is None:
        return False
    for name, content in GIVEN.items():
        if _content(files, *names, name) != content:
            raise BadData(f"{path} has its name, and not all that the system gave it")
    return True


def _content(files: Ext4, *names: str) -> bytes | None:
    inode = files.lookup(*names)
    return None if inode is None else b"".join(files.content(inode))
