"""A session of the prover: everything that `reconix prove` finds out about one update.

Each workload is recorded twice, once with a kernel that writes as late as it may and once with one
that writes at every moment. Of each recording crash states are checked, and some are booted; those
of the data partition are checked as well. A state that is bad is kept as a file.

Tested by ``tests/crash/test_prove_command.py``.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from reconix.prove.boots import Boot, Sample, Virtual, boot_sample
from reconix.prove.case import keep, write_case
from reconix.prove.data_oracle import prove_data, record_data
from reconix.prove.prover import Job, Result, prove, walking
from reconix.prove.record import record
from reconix.prove.recorder import Pace
from reconix.prove.subject import Subject
from reconix.prove.workload import Workload, everything
from reconix.prove.write_amplification import Writes, count_writes
from reconix.store.paths import StorePath

DATA_PART = 10
"""One state in so many is of the data partition, besides the others."""
GREETING = "Welcome to "
"""What the first program of a system says when it has been started, see systemd(1)."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done.

    Attributes:
        states: how many crash states are checked, if there are as many.
        seed: of what is left to chance.
        processes: how many at once; as many as there are cores if not given.
        boots: how many states are booted.
        virtual: the devices in which they are, if any.
    """

    states: int
    seed: int
    processes: int | None = None
    boots: int = 0
    virtual: Virtual | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found out.

    Attributes:
        results: the states that were checked.
        boots: those that were booted.
        cases: files with the bad ones.
        writes: what each operation wrote in the first recording.
        content_bytes: how large the contents are that the update brings.
        seconds: how long it took.
    """

    results: tuple[Result, ...]
    boots: tuple[Boot, ...]
    cases: tuple[Path, ...]
    writes: tuple[Writes, ...]
    content_bytes: int
    seconds: float

    @classmethod
    def sum(cls, parts: Iterable["Outcome"]) -> "Outcome":
        """Several of them as one."""
        each = list(parts)
        return cls(
            tuple(chain.from_iterable(part.results for part in each)),
            tuple(chain.from_iterable(part.boots for part in each)),
            tuple(chain.from_iterable(part.cases for part in each)),
            tuple(chain.from_iterable(part.writes for part in each)),
            max((part.content_bytes for part in each), default=0),
            sum(part.seconds for part in each),
        )

    @property
    def is_good(self) -> bool:
        """Whether no state is bad, and each that was booted came up as expected."""
        return not any(result.bad for result in self.results) and not self.failed_boots

    @property
    def failed_boots(self) -> tuple[Boot, ...]:
        """The states that did not come up as expected."""
        return tuple(boot for boot in self.boots if boot.problem)

    @property
    def problems(self) -> list[str]:
        """What was wrong, each once."""
        return sorted({case.problem for result in self.results for case in result.cases})


@dataclass(frozen=True, slots=True)
class Session:
    """One update under test.

    Attributes:
        subject: the update.
        extent: how much is done.
        work: a folder for the recordings.
        cases: a folder for the states that are bad.
    """

    subject: Subject
    extent: Extent
    work: Path
    cases: Path

    def run(self) -> Outcome:
        """Do all of it."""
        return Outcome.sum(
            each(pace) for pace in Pace for each in (*map(self._of, self.workloads), self._of_data)
        )

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """What is done; that everybody does comes first."""
        return (everything, *self.subject.more)

    def _of(self, workload: Workload) -> Callable[[Pace], Outcome]:
        return lambda pace: self._run(pace, workload)

    def _run(self, pace: Pace, workload: Workload) -> Outcome:
        began = time.monotonic()
        name = f"{workload.__name__}-{pace.value}"
        job = self._record(pace, workload, self.work / name)
        seed, processes = self.extent.seed, self.extent.processes
        result = prove(job, wanted=self._wanted, seed=seed, processes=processes)
        is_counted = pace is Pace.QUIET and workload is everything
        writes = count_writes(job) if is_counted else ()
        cases, boots = tuple(self._keep(job, result, name)), tuple(self._boot(job))
        base, target = self.subject.known
        seconds = time.monotonic() - began
        return Outcome((result,), boots, cases, writes, target.more_bytes(base), seconds)

    @property
    def _wanted(self) -> int:
        """How many states of each recording."""
        return self._share(self.extent.states)

    def _share(self, count: int) -> int:
        """The part of each recording in what is done in all."""
        return count // (len(Pace) * len(self.workloads))

    def _record(self, pace: Pace, workload: Workload, folder: Path) -> Job:
        subject = self.subject
        folder.mkdir()
        return record(
            subject.image,
            subject.known,
            folder,
            lambda rig: workload(rig, subject.update),
            pace=pace,
        )

    def _of_data(self, pace: Pace) -> Outcome:
        began = time.monotonic()
        result = self._prove_data(pace)
        return Outcome((result,), (), (), (), 0, time.monotonic() - began)

    def _prove_data(self, pace: Pace) -> Result:
        """The part of the states that is about what persists; what is bad there is not kept."""
        folder, persisting = self.work / f"data-{pace.value}", self.subject.persisting
        folder.mkdir()
        job = record_data(self.subject.image, persisting, folder, pace=pace)
        wanted = self._wanted // DATA_PART
        return prove_data(job, persisting, wanted=wanted, seed=self.extent.seed)

    def _keep(self, job: Job, result: Result, name: str) -> Iterator[Path]:
        """Write the bad states to files."""
        if not result.cases:
            return
        base, target = self.subject.update.base.path, self.subject.update.target.path
        with walking(job) as walk:
            for number, case in enumerate(result.cases, 1):
                path = self.cases / f"bad-{name}-{number}.case"
                write_case(path, keep(walk, case, base, target))
                yield path

    def _boot(self, job: Job) -> Iterator[Boot]:
        count, virtual = self._share(self.extent.boots), self.extent.virtual
        if not count or virtual is None:
            return
        sample = Sample(count, self._wanted, self.extent.seed)
        yield from boot_sample(job, sample, self._says, self.work, virtual)

    def _says(self, path: StorePath) -> list[str]:
        """What the console says when a generation comes up."""
        update = self.subject.update
        generation = update.base if update.base.path == path else update.target
        toplevel = generation.system(generation.default).toplevel
        return [f"init={toplevel}/init", GREETING]
