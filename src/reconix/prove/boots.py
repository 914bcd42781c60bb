"""Booting crash states for real: a seeded sample, in a virtual device with a real firmware.

The oracle reads a disk as the specifications say that it is read. Whether a firmware, a boot loader
and a kernel see the same is asked here: the disk of a state is made as a file, a device is started
from it with a firmware that remembers nothing, and its console must say which generation comes up.
Each device has one core, and some run at once.

Tested by ``tests/vm/test_prover_boots.py``.
"""

import contextlib
import random
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import process, progress
from reconix.base.files import remove_tree
from reconix.prove.prover import Job, Walk, cuts_of, walking
from reconix.prove.states import Cut
from reconix.store.paths import StorePath
from reconix.vm import firmware
from reconix.vm.console import NotSaid
from reconix.vm.machine import BOOT_SECONDS, Machine, running
from reconix.vm.qemu import Accelerator, Disk, Guest

_DISK = "disk"

Says = Callable[[StorePath], Sequence[str]]
"""What the console says, in this order, when a generation comes up."""


@dataclass(frozen=True, slots=True)
class Virtual:
    """The virtual devices that are started.

    Attributes:
        accelerator: how they are run.
        memory_mib: what each has.
        seconds: how long the next line of its console may take.
        at_once: how many run side by side.
    """

    accelerator: Accelerator
    memory_mib: int = 512
    seconds: float = 2 * BOOT_SECONDS
    at_once: int = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """Which states are booted: some of those that the oracle checks with the same seed.

    Attributes:
        count: how many.
        wanted: how many the oracle checks.
        seed: of both choices.
    """

    count: int
    wanted: int
    seed: int


@dataclass(frozen=True, slots=True)
class Boot:
    """One state that was booted.

    Attributes:
        step: what had been interrupted.
        cut: the state.
        generation: what should come up.
        problem: what happened instead, if it did not.
    """

    step: str
    cut: Cut
    generation: StorePath | None
    problem: str


def boot_sample(
    job: Job, sample: Sample, says: Says, folder: Path, virtual: Virtual
) -> Generator[Boot, None, None]:
    """Boot a sample of the crash states of a history.

    A caller that stops asking, or is interrupted, does not wait for devices that still run.

    Args:
        job: the history.
        sample: which states.
        says: what is expected on the console.
        folder: where disks go.
        virtual: what is started.
    """
    room = _Room(says, virtual)
    with (
        walking(job) as walk,
        progress.stage("boot crash states", total=sample.count) as stage,
        ThreadPoolExecutor(virtual.at_once) as threads,
        contextlib.closing(room),
    ):
        begun: list[Future[Boot]] = []
        for number, cut in enumerate(_sample(walk, job, sample)):
            if len(begun) >= virtual.at_once:
                yield begun.pop(0).result()
                stage.advance(1)
            place = folder / f"booted-{number}"
            place.mkdir()
            boot = _prepare(walk, job, cut, place)
            begun.append(threads.submit(room.finish, boot, place))
        for each in begun:
            yield each.result()
            stage.advance(1)


def _sample(walk: Walk, job: Job, sample: Sample) -> list[Cut]:
    """Some states of each step in turn, until there are enough."""
    chance = random.Random(sample.seed)
    cuts = cuts_of(job, sample.wanted, sample.seed)
    by_step: dict[str, list[Cut]] = {}
    for cut in cuts:
        by_step.setdefault(walk.step(cut), []).append(cut)
    for each in by_step.values():
        chance.shuffle(each)
    found: list[Cut] = []
    while len(found) < min(sample.count, len(cuts)):
        found += [each.pop() for each in by_step.values() if each]
    return sorted(found[: sample.count], key=lambda cut: cut.epoch)


def _prepare(walk: Walk, job: Job, cut: Cut, place: Path) -> Boot:
    """Make the disk of a state."""
    _, verdict = walk.check(cut)
    disk = place / _DISK
    process.run("cp", "--sparse=always", job.image, disk)
    with disk.open("r+b") as file:
        for block, content in walk.contents(cut).items():
            file.seek(block * walk.disk.block_bytes)
            file.write(content)
    return Boot(walk.step(cut), cut, verdict.boots, verdict.problem)


class _Room:
    """Where the devices stand; whoever leaves it switches them off."""

    def __init__(self, says: Says, virtual: Virtual) -> None:
        self._says, self._virtual = says, virtual
        self._on: list[Machine] = []
        self._is_closed = False

    def close(self) -> None:
        """Switch off whatever still runs; nobody waits for it any more."""
        self._is_closed = True
        for machine in list(self._on):
            machine.cut_power()

    def finish(self, boot: Boot, place: Path) -> Boot:
        """Start it, unless it is known already that nothing good comes of it."""
        try:
            if boot.generation is None:
                return boot
            return replace(boot, problem=self._start(place, self._says(boot.generation)))
        finally:
            remove_tree(place)

    def _start(self, place: Path, says: Sequence[str]) -> str:
        guest = Guest(
            firmware.prepare(place / "variables"),
            disks=(Disk(place / _DISK),),
            forwards=(),
            memory_mib=self._virtual.memory_mib,
            cores=1,
        )
        with running(guest, place, self._virtual.accelerator) as machine:
            self._on.append(machine)
            try:
                return self._expect(machine, says)
            finally:
                self._on.remove(machine)

    def _expect(self, machine: Machine, says: Sequence[str]) -> str:
        if self._is_closed:
            return "it was interrupted"
        for text in says:
            try:
                machine.console.wait(text, seconds=self._virtual.seconds)
            except NotSaid as error:
                return str(error)
        return ""
