"""From a disk image and something to do with it, to a history that can be proved.

Proven by ``tests/crash/test_prover.py``.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from reconix.base import process, progress
from reconix.prove.image import system_partition
from reconix.prove.judge import Known
from reconix.prove.prover import Job
from reconix.prove.recorder import Pace, recording
from reconix.prove.recovery import extract
from reconix.prove.rig import Rig


def record(
    image: Path,
    known: Iterable[Known],
    folder: Path,
    play: Callable[[Rig], None],
    *,
    pace: Pace = Pace.QUIET,
) -> Job:
    """Do something with a device that starts from an image, and record it.

    Args:
        image: of a disk that was left in order; it is not changed.
        known: the generations that may be on it.
        folder: where everything that is needed goes; it must stay as long as the job is used.
        play: what is done.
        pace: when the kernel writes by itself.

    Raises:
        CannotRecord: this machine cannot.
    """
    system = system_partition(image)
    disk, metadata = folder / "disk", folder / "metadata"
    process.run("cp", "--sparse=always", image, disk)
    extract(image, system.offset, metadata)
    place = {"offset": system.offset, "size_bytes": system.size_bytes}
    with (
        progress.stage(f"record the device, the kernel writing {pace.value}"),
        recording(disk, folder, **place, pace=pace) as recorded,
    ):
        rig = Rig(recorded, folder / "rig")
        play(rig)
    disk.unlink()
    return Job(
        image=image,
        log=recorded.log,
        metadata=metadata,
        offset=system.offset,
        size_bytes=system.size_bytes,
        known=tuple(known),
        steps=tuple(rig.steps),
        asked=tuple(rig.asked),
    )
