"""The prover: goes through all crash states of a history and checks each.

States are checked in the order of their epochs, because neighbours share most of what has to be
read. Several processes share the work in batches; each reads image and log for itself.

Tested by ``tests/unit/prove/test_oracle.py`` and ``tests/crash/test_prover.py``.
"""

import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.files import remove_tree
from reconix.prove.blocks import Disk, Identifier, map_file
from reconix.prove.ext4 import Geometry
from reconix.prove.history import Asked, History, Step, history
from reconix.prove.image import SYSTEM, partition
from reconix.prove.oracle import Kind, Known, Oracle, Verdict, difference
from reconix.prove.proved import Ran
from reconix.prove.recovery import Recovered, Recovery, recover_in_place, volume
from reconix.prove.states import Cut, choose, pieces
from reconix.store.paths import StorePath

BATCH_STATES = 100
BLOCK_BYTES = 4096
KEPT_CASES, KEPT_ALIKE = 20, 3
_MEMORY = Path("/dev/shm")
AFTERWARDS = "afterwards"


@dataclass(frozen=True, slots=True)
class Job:
    """A recorded history and what is known about it; can be given to another process.

    Attributes:
        image: the disk that it began with.
        log: what was written to it since.
        metadata: of the image's system partition, see ``recovery.extract``.
        offset: where that begins, in bytes.
        size_bytes: how large it is.
        known: the generations that may be on the disk.
        steps: what was done.
        asked: when the firmware was told what.
        ran: what was known to run when.
    """

    image: Path
    log: Path
    metadata: Path
    offset: int
    size_bytes: int
    known: tuple[Known, ...]
    steps: tuple[Step, ...]
    asked: tuple[Asked, ...]
    ran: tuple[Ran, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A bad state."""

    step: str
    cut: Cut
    problem: str


@dataclass(frozen=True, slots=True)
class Row:
    """The states of one step."""

    step: str
    states: int
    old: int
    new: int
    bad: int
    trials: int

    @classmethod
    def sum(cls, step: str, rows: Iterable["Row"]) -> "Row":
        """Several rows added up."""
        each = list(rows)
        return cls(
            step,
            sum(row.states for row in each),
            sum(row.old for row in each),
            sum(row.new for row in each),
            sum(row.bad for row in each),
            sum(row.trials for row in each),
        )


@dataclass
class Tally:
    """How many states of which kind there were."""

    counts: Counter[tuple[int, Kind]] = field(default_factory=Counter)
    trials: Counter[int] = field(default_factory=Counter)
    cases: list[Case] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count these too."""
        self.counts += other.counts
        self.trials += other.trials
        for case in other.cases:
            self.keep(case)

    def keep(self, case: Case) -> None:
        """Keep a bad state, unless there are enough, or enough with the same problem."""
        alike = sum(each.problem == case.problem for each in self.cases)
        if len(self.cases) < KEPT_CASES and alike < KEPT_ALIKE:
            self.cases.append(case)


@dataclass(frozen=True, slots=True)
class Result:
    """What the prover has found."""

    rows: tuple[Row, ...]
    cases: tuple[Case, ...]
    seed: int

    @property
    def states(self) -> int:
        """How many states were checked."""
        return sum(row.states for row in self.rows)

    @property
    def bad(self) -> int:
        """How many of them are bad."""
        return sum(row.bad for row in self.rows)


def prove(job: Job, *, wanted: int, seed: int, processes: int | None = None) -> Result:
    """Check crash states of a history.

    Args:
        job: the history.
        wanted: how many states, if there are as many.
        seed: of what is left to chance.
        processes: how many at once; as many as there are cores if not given.
    """
    cuts = cuts_of(job, wanted, seed)
    batches = [cuts[at : at + BATCH_STATES] for at in range(0, len(cuts), BATCH_STATES)]
    count = min(processes or os.cpu_count() or 1, len(batches))
    total = Tally()
    with progress.stage("check crash states", total=len(cuts)) as stage:
        for tally, size in _checked_batches(job, batches, count):
            total.add(tally)
            stage.advance(size)
    return _result(job, total, seed)


def cuts_of(job: Job, wanted: int, seed: int) -> list[Cut]:
    """The states that ``prove`` checks."""
    read = _history(job)
    return choose([pieces(epoch) for epoch in read.epochs], wanted=wanted, seed=seed)


def _history(job: Job) -> History:
    return history(map_file(job.log), job.steps, job.asked, job.ran)


def _checked_batches(job: Job, batches: list[list[Cut]], count: int) -> Iterator[tuple[Tally, int]]:
    with _in_memory() as folder:
        if count == 1:
            walk = Walk(job, folder)
            yield from ((walk.check_all(batch), len(batch)) for batch in batches)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, context, _begin, (job, folder)) as pool:
            yield from pool.map(_check_batch, batches)


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A folder for sparse files that are written again and again."""
    folder = Path(tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        remove_tree(folder)


@contextmanager
def walking(job: Job) -> Iterator["Walk"]:
    """Go from state to state of a history."""
    with _in_memory() as folder:
        yield Walk(job, folder)


def replay(
    image: Path,
    known: Iterable[Known],
    next_boots: Iterable[bytes | None],
    ran: Collection[Ran],
) -> Verdict:
    """Check one disk as it is; its file system is recovered in place.

    Args:
        image: of the disk.
        known: the generations that may be on it.
        next_boots: what the firmware may have been told to boot next.
        ran: what was known to run.
    """
    system = partition(image, SYSTEM)
    recovered = Recovered(recover_in_place(image, system.offset, system.size_bytes), {})
    if recovered.problem:
        return Verdict(None, recovered.problem)
    disk = Disk(map_file(image), b"", BLOCK_BYTES)
    geometry = Geometry.read(disk, system.offset)
    oracle = Oracle(disk, lambda: recovered, geometry, known, frozenset())
    return oracle.check(next_boots, ran)


_walk: "Walk | None" = None  # of this process


def _begin(job: Job, folder: Path) -> None:
    global _walk
    _walk = Walk(job, folder)


def _check_batch(batch: list[Cut]) -> tuple[Tally, int]:
    assert _walk is not None
    return _walk.check_all(batch), len(batch)


def _result(job: Job, total: Tally, seed: int) -> Result:
    numbers = sorted({number for number, _ in total.counts})
    return Result(tuple(_row(job, total, number) for number in numbers), tuple(total.cases), seed)


def _row(job: Job, total: Tally, number: int) -> Row:
    by_kind = {kind: total.counts[number, kind] for kind in Kind}
    return Row(
        _name(job.steps, number),
        sum(by_kind.values()),
        by_kind[Kind.OLD],
        by_kind[Kind.NEW],
        by_kind[Kind.BAD],
        total.trials[number],
    )


def _name(steps: Sequence[Step], number: int) -> str:
    return steps[number].name if number < len(steps) else AFTERWARDS


class Walk:
    """Goes from state to state of one history.

    Everything before the epoch of a state is on the disk; the pieces that the state keeps of it are
    put there and taken back.

    Args:
        job: the history.
        folder: for sparse files, best in memory.
    """

    def __init__(self, job: Job, folder: Path) -> None:
        self._job = job
        self._image, self._log = map_file(job.image), map_file(job.log)
        self.history = history(self._log, job.steps, job.asked, job.ran)
        self.pieces = [pieces(epoch) for epoch in self.history.epochs]
        probe = Disk(self._image, self._log, BLOCK_BYTES)
        self._block_bytes = Geometry.read(probe, job.offset).super.block_bytes
        self.disk = Disk(self._image, self._log, self._block_bytes)
        written = self._everything_written()
        place = volume(self.disk, job.offset, job.size_bytes, written)
        changing = frozenset(written) | frozenset(place.metadata)
        self.recovery = Recovery(self.disk, place, job.metadata, folder)
        geometry = Geometry.read(self.disk, job.offset)
        self._oracle = Oracle(self.disk, self.recovery.recover, geometry, job.known, changing)
        self._at = 0
        self._before, self._promises = self._milestones()

    def check_all(self, cuts: Iterable[Cut]) -> Tally:
        """Check some states and count them."""
        tally = Tally()
        for cut in cuts:
            step, verdict = self.check(cut)
            kind = self._kind(step, verdict)
            tally.counts[step, kind] += 1
            tally.trials[step] += verdict.tries
            if kind is Kind.BAD:
                tally.keep(Case(_name(self._job.steps, step), cut, verdict.problem))
        return tally

    def check(self, cut: Cut) -> tuple[int, Verdict]:
        """Check one state; gives the number of the step that was cut, too."""
        earliest, _ = self.window(cut)
        with ExitStack() as stack:
            self.enter(cut, stack)
            verdict = self._oracle.check(self.next_boots(cut), self.history.ran_before(earliest))
        step = self._step(cut)
        return step, self._with_promise(self._with_spare(verdict, step), earliest)

    def contents(self, cut: Cut) -> dict[int, bytes]:
        """The blocks of a state that differ from the image, or were written at least."""
        with ExitStack() as stack:
            self.enter(cut, stack)
            return {block: self.disk.block(block) for block in sorted(self.disk.written)}

    def step(self, cut: Cut) -> str:
        """What was interrupted."""
        return _name(self._job.steps, self._step(cut))

    def enter(self, cut: Cut, stack: ExitStack) -> None:
        """Bring the disk into a state; the stack takes it back."""
        self._go_to(cut.epoch)
        before: dict[int, Identifier | None] = {}
        stack.callback(self.disk.restore, before)
        for number in cut.kept:
            last = number == cut.kept[-1]
            was = self.disk.put(self.pieces[cut.epoch][number], cut.torn_bytes if last else None)
            before.update({block: old for block, old in was.items() if block not in before})

    def ran(self, cut: Cut) -> tuple[Ran, ...]:
        """What was known to run, when the power went."""
        return self.history.ran_before(self.window(cut)[0])

    def next_boots(self, cut: Cut) -> tuple[bytes | None, ...]:
        """What the firmware may have been told to boot next, when the power went."""
        return self.history.next_boots(*self.window(cut))

    def _go_to(self, epoch: int) -> None:
        if epoch < self._at:
            self.disk.reset()
            self._at = 0
        for number in range(self._at, epoch):
            for piece in self.pieces[number]:
                self.disk.put(piece)
        self._at = epoch

    def _everything_written(self) -> dict[int, list[bytes]]:
        """Every content that the history gives to a block."""
        contents: dict[int, dict[Identifier, bytes]] = {}
        for parts in self.pieces:
            for piece in parts:
                for block in self.disk.put(piece):
                    identifier = self.disk.written[block]
                    contents.setdefault(block, {})[identifier] = self.disk.block(block)
        self.disk.reset()
        return {block: list(found.values()) for block, found in contents.items()}

    # -- time --------------------------------------------------------------------------------------

    def window(self, cut: Cut) -> tuple[int, int]:
        """Between which two positions of the log the power may have gone."""
        epochs = self.history.epochs
        if cut.epoch == len(epochs):
            return len(self._log), len(self._log)
        begins = epochs[cut.epoch - 1].ends if cut.epoch else 0
        if cut.kept:
            begins = self.pieces[cut.epoch][cut.kept[-1]].entry.at
        return begins, epochs[cut.epoch].ends

    def _step(self, cut: Cut) -> int:
        if cut.epoch == len(self.history.epochs):
            return len(self._job.steps)
        found = self.history.step_of(self.history.epochs[cut.epoch].begins())
        return len(self._job.steps) if found is None else found

    # -- promises ----------------------------------------------------------------------------------

    def _milestones(
        self,
    ) -> tuple[list[StorePath | None], list[tuple[int, int, Verdict]]]:
        """What boots before each step, and what each has promised from when to when."""
        before: list[StorePath | None] = []
        promises: list[tuple[int, int, Verdict]] = []
        boots = self._quiet(0).boots
        following = [step.begin for step in self._job.steps[1:]] + [len(self._log) + 1]
        for step, until in zip(self._job.steps, following, strict=True):
            before.append(boots)
            after = self._quiet(step.end)
            promises.append((step.acknowledged, until, after))
            boots = after.boots
        before.append(boots)
        return before, promises

    def _quiet(self, position: int) -> Verdict:
        """What is found when everything up to a position was kept."""
        epochs = self.history.epochs
        epoch = sum(1 for each in epochs if each.ends < position)
        self._go_to(epoch)
        return self._oracle.check((), self.history.ran_before(position))

    def _with_spare(self, verdict: Verdict, step: int) -> Verdict:
        """The verdict, if a damaged primary table would not undo what boots already."""
        before = self._before[step]
        if verdict.problem or verdict.boots == before or verdict.spare != before:
            return verdict
        problem = "the backup of the table still leads to the old generation, the primary does not"
        return replace(verdict, problem=problem)

    def _with_promise(self, verdict: Verdict, earliest: int) -> Verdict:
        """The verdict, if what was promised before the cut is there."""
        if verdict.problem or verdict.facts is None:
            return verdict
        for begins, until, promised in self._promises:
            if begins <= earliest < until and promised.facts is not None:
                missing = ", ".join(difference(verdict, promised))
                if missing:
                    problem = f"it was acknowledged, and the cut has undone it: {missing}"
                    return replace(verdict, problem=problem)
        return verdict

    def _kind(self, step: int, verdict: Verdict) -> Kind:
        if verdict.problem:
            return Kind.BAD
        return Kind.OLD if verdict.boots == self._before[step] else Kind.NEW
