"""Really booting crash states: a seeded sample, in a virtual device with a real firmware.

The judge reads a disk as the specifications say that it is read. Whether a firmware, a boot loader
and a kernel see the same is asked here: the disk of a state is made as a file, a device is started
from it with a firmware that remembers nothing, and its console must say which generation comes up.
Each device has one core, and some run at once.

Proven by ``tests/vm/test_prover_boots.py``.
"""

import random
from collections.abc import Callable, Iterator, Sequence
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
from reconix.vm.machine import BOOT_SECONDS, running
from reconix.vm.qemu import Accelerator, Disk, Guest

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


def boot_some(
    job: Job, count: int, says: Says, folder: Path, virtual: Virtual, *, wanted: int, seed: int
) -> Iterator[Boot]:
    """Boot a sample of the states that ``prove`` judges with the same seed.

    Args:
        job: the history.
        count: how many states.
        says: what is expected on the console.
        folder: where disks go.
        virtual: what is started.
        wanted: as for ``prove``.
        seed: as for ``prove``.
    """
    with (
        walking(job) as walk,
        progress.stage("boot crash states", total=count) as stage,
        ThreadPoolExecutor(virtual.at_once) as guests,
    ):
        begun: list[Future[Boot]] = []
        for number, cut in enumerate(_sample(walk, cuts_of(job, wanted, seed), count, seed)):
            if len(begun) >= virtual.at_once:
                yield begun.pop(0).result()
                stage.advance(1)
            place = folder / f"booted-{number}"
            place.mkdir()
            boot, disk = _prepare(walk, job, cut, place)
            begun.append(guests.submit(_finish, boot, disk, says, place, virtual))
        for each in begun:
            yield each.result()
            stage.advance(1)


def _sample(walk: Walk, cuts: Sequence[Cut], count: int, seed: int) -> list[Cut]:
    """Some states of each step in turn, until there are enough."""
    chance = random.Random(seed)
    by_step: dict[str, list[Cut]] = {}
    for cut in cuts:
        by_step.setdefault(walk.step(cut), []).append(cut)
    for each in by_step.values():
        chance.shuffle(each)
    found: list[Cut] = []
    while len(found) < min(count, len(cuts)):
        found += [each.pop() for each in by_step.values() if each]
    return sorted(found[:count], key=lambda cut: cut.epoch)


def _prepare(walk: Walk, job: Job, cut: Cut, place: Path) -> tuple[Boot, Path]:
    """Make the disk of a state."""
    _, verdict = walk.judge(cut)
    disk = place / "disk"
    process.run("cp", "--sparse=always", job.image, disk)
    with disk.open("r+b") as file:
        for cell, content in walk.contents(cut).items():
            file.seek(cell * walk.disk.cell_bytes)
            file.write(content)
    return Boot(walk.step(cut), cut, verdict.boots, verdict.problem), disk


def _finish(boot: Boot, disk: Path, says: Says, place: Path, virtual: Virtual) -> Boot:
    """Start it, unless it is known already that nothing good comes of it."""
    try:
        if boot.generation is None:
            return boot
        return replace(boot, problem=_start(disk, says(boot.generation), place, virtual))
    finally:
        remove_tree(place)


def _start(disk: Path, says: Sequence[str], place: Path, virtual: Virtual) -> str:
    guest = Guest(
        firmware.prepare(place / "variables"),
        disks=(Disk(disk),),
        forwards=(),
        memory_mib=virtual.memory_mib,
        cores=1,
    )
    with running(guest, place, virtual.accelerator) as machine:
        for text in says:
            try:
                machine.console.wait(text, seconds=virtual.seconds)
            except NotSaid as error:
                return str(error)
    return ""
