"""No power cut during an update of a small device leaves it in a state that is not old or new."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.device_model import BY_DISK
from tests.small_device import (
    SmallDevice,
    device_with_containers,
    need_recording,
    small_device,
)

from reconix.base.documents import BadDocument, print_json
from reconix.base.process import run
from reconix.boot.trial import Phase
from reconix.device.update.collect import collect
from reconix.prove.blocks import Disk, Patched, map_file
from reconix.prove.case import keep, parse_case, print_case, put_on
from reconix.prove.log import Entry
from reconix.prove.prover import Case, Job, cuts_of, prove, replay, walking
from reconix.prove.record import record
from reconix.prove.recorder import Pace, loop
from reconix.prove.recovery import recover_in_place
from reconix.prove.rig import Rig
from reconix.prove.states import Cut
from reconix.prove.workload import (
    UPDATE,
    Update,
    changing,
    confirming,
    everything,
    in_place,
    receiving,
    repeating,
    trying,
    untouched,
)
from reconix.prove.write_amplification import Writes, count_writes
from reconix.store.tree import File

pytestmark = pytest.mark.prover

STATES, SEED = 2000, 1
NAMES = ("broker", "logger", "cache")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDevice]:
    with small_device(tmp_path_factory.mktemp("device")) as made:
        yield made


def recorded(device: SmallDevice, folder: Path, pace: Pace) -> Job:
    folder.mkdir()
    return record(
        device.image,
        device.known,
        folder,
        lambda rig: everything(rig, device.update),
        pace=pace,
    )


@pytest.fixture(scope="module")
def job(device: SmallDevice, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return recorded(device, tmp_path_factory.mktemp("job") / "quiet", Pace.QUIET)


@pytest.fixture(autouse=True)
def programs(need: Callable[..., None]) -> None:
    need_recording(need)


def test_p1_p2_b11_every_crash_state_of_an_update_boots_old_or_new(job: Job) -> None:
    """P1 to P6, P8 and P12; and B11, because each generation has a loader of its own.

    In receive, collect, slot, arm, trial, confirm, choice and roll-back.
    """
    result = prove(job, wanted=STATES, seed=SEED, processes=2)
    assert result.bad == 0, result.cases
    assert result.states >= STATES
    by_step = {row.step: row for row in result.rows}
    assert by_step["confirm"].old > 3 and by_step["confirm"].new > 3
    assert by_step["arm"].trials > 0
    assert by_step["register"].states > 0
    for step in ("receive", "collect", "write the slot", "roll back"):
        assert by_step[step].old == by_step[step].states > 20


def test_nor_when_the_kernel_writes_at_every_moment(device: SmallDevice, tmp_path: Path) -> None:
    result = prove(
        recorded(device, tmp_path / "restless", Pace.RESTLESS),
        wanted=STATES,
        seed=SEED,
        processes=2,
    )
    assert result.bad == 0, result.cases
    assert result.states >= STATES


def test_nor_when_the_disk_remembers_the_trial(tmp_path: Path) -> None:
    policy = {"update.json": File(print_json(BY_DISK))}
    with small_device(tmp_path, extra=policy) as device:
        job = recorded(device, tmp_path / "job", Pace.QUIET)
        result = prove(job, wanted=STATES, seed=SEED, processes=2)
    assert result.bad == 0, result.cases
    by_step = {row.step: row for row in result.rows}
    assert by_step["arm"].old == by_step["arm"].states
    assert by_step["arm"].trials > 0 and by_step["boot of the trial"].trials > 0
    assert by_step["confirm"].old > 3 and by_step["confirm"].new > 3


def test_p14_nor_when_the_update_does_not_touch_what_runs(tmp_path: Path) -> None:
    with small_device(tmp_path, only=["mqtt"]) as device:
        folder = tmp_path / "job"
        folder.mkdir()
        job = record(
            device.image,
            device.known,
            folder,
            lambda rig: untouched(rig, device.update),
            pace=Pace.QUIET,
        )
        result = prove(job, wanted=STATES, seed=SEED, processes=2)
    assert result.bad == 0, result.cases
    by_step = {row.step: row for row in result.rows}
    for step in ("adopt", "go back"):
        assert by_step[step].old > 3 and by_step[step].new > 3
        assert by_step[step].trials == 0


def test_p14_nor_when_only_containers_change(tmp_path: Path) -> None:
    """Kept, taken back, gone back from, and a third generation on top, all without a restart."""
    with device_with_containers(tmp_path) as device:
        folder = tmp_path / "job"
        folder.mkdir()
        job = record(device.image, device.known, folder, lambda rig: changing_all(rig, device))
        result = prove(job, wanted=STATES, seed=SEED, processes=2)
    assert result.bad == 0, result.cases
    by_step = {row.step: row for row in result.rows}
    for step in ("change containers", "restore containers", "change on top", "the third"):
        assert by_step[step].old > 3 and by_step[step].new > 3
    assert by_step["take back"].old == by_step["take back"].states > 20
    assert sum(row.trials for row in result.rows) == 0
    assert_all_were_well(job)


def changing_all(rig: Rig, device: SmallDevice) -> None:
    assert device.on_top is not None
    in_place(rig, device.update)
    receiving(rig, device.on_top)
    changing(rig, device.on_top.target, "the third")
    assert rig.services.running == {f"container-{name}.service" for name in NAMES}


def assert_all_were_well(job: Job) -> None:
    """Each set of containers was seen well, on the one root that was ever made."""
    seen = {each.containers for each in job.ran}
    assert seen == {shape.containers for one in job.known for shape in one.shapes} - {None}


def test_the_same_seed_gives_the_same_result_in_one_process_or_two(job: Job) -> None:
    one = prove(job, wanted=300, seed=3, processes=1)
    assert one == prove(job, wanted=300, seed=3, processes=2)


def test_a_kept_state_is_judged_again_as_it_was(
    device: SmallDevice, job: Job, tmp_path: Path
) -> None:
    with walking(job) as walk:
        cut = Cut(len(walk.history.epochs) // 2, (0,))
        _, verdict = walk.check(cut)
        kept = keep(walk, Case("a step", cut, "none"), *(k.generation.path for k in device.known))
    again = parse_case(print_case(kept), source="case")
    assert again == kept
    image = tmp_path / "image"
    run("cp", "--sparse=always", device.image, image)
    put_on(image, again)
    found = replay(image, device.known, again.next_boots, again.ran)
    assert (found.problem, found.boots) == ("", verdict.boots)
    damage(image, job.offset + 1024 + 0x38)
    assert "superblock" in replay(image, device.known, (), again.ran).problem


def test_recovery_needs_no_more_than_it_was_given(
    device: SmallDevice, job: Job, tmp_path: Path
) -> None:
    """The same as e2fsck makes of the whole disk, with all of its journal, block by block."""
    image, replayed = tmp_path / "image", 0
    with walking(job) as walk:
        volume = walk.recovery.volume
        compared = [block for block in volume.metadata if block != volume.superblock_at]
        for cut in cuts_of(job, STATES, SEED)[:: STATES // 40]:
            run("cp", "--sparse=always", device.image, image)
            put_on(image, keep(walk, Case("", cut, ""), *(k.generation.path for k in device.known)))
            with ExitStack() as stack:
                walk.enter(cut, stack)
                found = walk.recovery.recover()
                view = Patched(walk.disk, found.patches)
                ours = [view.block(block) for block in compared]
            assert recover_in_place(image, volume.offset, volume.size_bytes) == found.problem == ""
            whole = Disk(map_file(image), b"", walk.disk.block_bytes)
            assert ours == [whole.block(block) for block in compared], cut
            replayed += len(found.patches) > 0
    assert replayed > 10


def test_an_update_that_was_cut_is_finished_by_repeating_it(
    device: SmallDevice, job: Job, tmp_path: Path
) -> None:
    """After a cut in any operation up to the confirmation, the same stream leads to the same."""
    ends = set()
    for number, cut in enumerate(cuts_before("choose a system", job)):
        folder = tmp_path / str(number)
        folder.mkdir()
        image = folder / "image"
        run("cp", "--sparse=always", device.image, image)
        with walking(job) as walk:
            case = Case(walk.step(cut), cut, "")
            put_on(image, keep(walk, case, *(k.generation.path for k in device.known)))
        recover(image, job, folder)
        again = record(image, device.known, folder, lambda rig: finish(rig, device.update))
        with walking(again) as walk:
            _, verdict = walk.check(Cut(len(walk.history.epochs)))
        assert (verdict.problem, verdict.boots) == ("", device.update.target.path), case
        assert verdict.facts is not None and verdict.stored is not None
        ends.add((verdict.facts.manifests, verdict.stored.digests))
    assert len(ends) == 1


def test_repeating_a_finished_update_writes_neither_slots_nor_files(
    device: SmallDevice, tmp_path: Path
) -> None:
    """R4. What is left is what a remount writes: the superblock, and an empty journal."""

    def workload(rig: Rig, update: Update) -> None:
        for step in (receiving, trying, confirming, repeating):
            step(rig, update)
        rig.do("nothing", lambda device: None)

    job = record(device.image, device.known, tmp_path, lambda rig: workload(rig, device.update))
    first, again, nothing = (
        {write.offset for write in writes_of(job, step)}
        for step in ("receive", "all of it again", "nothing")
    )
    assert again <= nothing, "what a remount alone does not write"
    assert len(first) > 5 * len(nothing)


def test_what_an_update_writes_and_changes_is_counted(job: Job) -> None:
    writes = {each.step: each for each in count_writes(job)}
    update = Writes.sum("update", [writes[step] for step in UPDATE])
    assert 0 < update.changed_bytes < update.written_bytes
    again = writes["all of it again"]
    assert again.written_bytes < update.written_bytes / 50
    assert again.changed_bytes <= 4096, "the superblock, which knows when it was mounted"


def writes_of(job: Job, step: str) -> list[Entry]:
    number = [each.name for each in job.steps].index(step)
    with walking(job) as walk:
        return [
            write
            for epoch in walk.history.epochs
            for write in epoch.writes
            if walk.history.step_of(write.at) == number
        ]


def recover(image: Path, job: Job, folder: Path) -> None:
    """Let the kernel itself recover the file system."""
    place = folder / "mounted"
    place.mkdir()
    with loop(image, "--offset", str(job.offset), "--sizelimit", str(job.size_bytes)) as part:
        run("mount", "-t", "ext4", part, place)
        run("umount", place)


def cuts_before(step: str, job: Job) -> list[Cut]:
    """One state of each operation before a certain one."""
    with walking(job) as walk:
        by_step: dict[str, list[Cut]] = {}
        for cut in cuts_of(job, 1000, SEED):
            by_step.setdefault(walk.step(cut), []).append(cut)
    names = list(by_step)
    names = names[: names.index(step)]
    assert len(names) > 6
    return [by_step[name][2 * len(by_step[name]) // 3] for name in names]


def finish(rig: Rig, update: Update) -> None:
    """What an operator does who does not know how far it came: send the same stream again."""
    rig.boot("boot after the cut")
    if rig.device.recall().phase is Phase.ON_TRIAL:  # it was, and the device tries it again
        confirming(rig, update)
    elif rig.device.recall().committed.generation != str(update.target.path):
        receiving(rig, update)
        trying(rig, update)
        confirming(rig, update)
    rig.do("collect", lambda device: collect(device, device.recall()))


def damage(image: Path, offset: int) -> None:
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff\xff")


def test_what_is_no_case_is_refused() -> None:
    for content in (b"", b"{}\n", b'{"version": 3}\n'):
        with pytest.raises(BadDocument):
            parse_case(content, source="case")
