"""Recording: from a disk image and a workload to a history whose crash states can be checked.

Tested by ``tests/crash/test_prover.py``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import process, progress
from reconix.prove.history import Asked, Step
from reconix.prove.image import SYSTEM, partition
from reconix.prove.oracle import Known
from reconix.prove.proved import Ran
from reconix.prove.prover import Job
from reconix.prove.recorder import Pace, Recording, recording
from reconix.prove.recovery import extract
from reconix.prove.rig import Rig


@dataclass(frozen=True, slots=True)
class Performed:
    """What was done with a disk, when the firmware was told what, and what was known to run."""

    steps: tuple[Step, ...]
    asked: tuple[Asked, ...] = ()
    ran: tuple[Ran, ...] = ()


def record(
    image: Path,
    known: Iterable[Known],
    folder: Path,
    workload: Callable[[Rig], None],
    *,
    pace: Pace = Pace.QUIET,
) -> Job:
    """Do something with a device that starts from an image, and record it.

    Args:
        image: of a disk that was left in order; it is not changed.
        known: the generations that may be on it.
        folder: where everything that is needed goes; it must stay as long as the job is used.
        workload: what is done.
        pace: when the kernel writes back on its own.

    Raises:
        CannotRecord: this machine cannot.
    """
    generations = tuple(known)

    def performed(recorded: Recording) -> Performed:
        rig = Rig(recorded, folder / "rig", generations)
        workload(rig)
        return Performed(tuple(rig.steps), tuple(rig.asked), tuple(rig.services.ran))

    job = record_partition(image, SYSTEM, folder, performed, pace=pace)
    return replace(job, known=generations)


def record_partition(
    image: Path, name: str, folder: Path, workload: Callable[[Recording], Performed], *, pace: Pace
) -> Job:
    """Do something with one partition of a disk, and record it; arguments as in ``record``."""
    place = partition(image, name)
    disk, metadata = folder / "disk", folder / "metadata"
    process.run("cp", "--sparse=always", image, disk)
    extract(image, place.offset, metadata)
    size = {"offset": place.offset, "size_bytes": place.size_bytes}
    with (
        progress.stage(f"record the partition {name}, the kernel writing {pace.value}"),
        recording(disk, folder, **size, pace=pace) as recorded,
    ):
        performed = workload(recorded)
    disk.unlink()
    return Job(
        image=image,
        log=recorded.log,
        metadata=metadata,
        offset=place.offset,
        size_bytes=place.size_bytes,
        known=(),
        steps=performed.steps,
        asked=performed.asked,
        ran=performed.ran,
    )
