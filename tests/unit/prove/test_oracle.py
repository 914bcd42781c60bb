"""The oracle finds what is wrong with a disk: each kind of damage, done by hand, without root.

What is recorded needs a loop device, but the oracle reads a history from a log. So an image is
altered here step by step, and the blocks that differ after each step are written down as the log.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.device_model import SLOT_BYTES
from tests.small_device import SmallDevice, small_device

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import Copy, Slot, read_selection, select_slot, write_all
from reconix.boot.transitions import (
    Armed,
    Booted,
    Received,
    Untouched,
    WriteBegun,
    Written,
    advance,
)
from reconix.boot.tree import BootTree
from reconix.boot.trial import State, installed, print_state
from reconix.nix.install import install as install_below
from reconix.prove.history import Asked, Step
from reconix.prove.image import SYSTEM, partition
from reconix.prove.log import Flag, print_super
from reconix.prove.oracle import Known, Verdict
from reconix.prove.proved import Ran
from reconix.prove.prover import AFTERWARDS, Job, Row, prove, walking
from reconix.prove.recovery import extract
from reconix.prove.states import Cut
from reconix.store.registry import Registry

BLOCK = 4096
CHUNK = 1 << 20
NOWHERE = b"?" * 16

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDevice]:
    with small_device(tmp_path_factory.mktemp("device")) as made:
        yield made


@pytest.fixture(autouse=True)
def programs(need: Callable[..., None]) -> None:
    need("e2fsck", "e2image", "debugfs", "fsck.fat")


# -- a history without a recording -----------------------------------------------------------------


def written(before: Path, after: Path) -> Iterator[tuple[int, bytes]]:
    """The blocks of a disk that differ from what it was, with their place."""
    with before.open("rb") as old, after.open("rb") as new:
        for begin in range(0, before.stat().st_size, CHUNK):
            was, found = old.read(CHUNK), new.read(CHUNK)
            for at in range(0, len(found), BLOCK) if was != found else ():
                if was[at : at + BLOCK] != found[at : at + BLOCK]:
                    yield begin + at, found[at : at + BLOCK]


def entry(offset: int, data: bytes, flags: int = 0) -> bytes:
    head = struct.pack("<QQQQ", offset // SECTOR, len(data) // SECTOR, flags, 0)
    return head.ljust(SECTOR, b"\0") + data


def history(
    device: SmallDevice,
    folder: Path,
    *changes: Change,
    is_flushed: bool = True,
    next_boot: bytes | None = None,
    ran: Sequence[Ran] | None = None,
) -> Job:
    """A history in which a disk was changed like this, with a flush after each change.

    Unless something else is said, both generations have run before.
    """
    disk, before, metadata = folder / "disk", folder / "before", folder / "metadata"
    run("cp", "--sparse=always", device.image, disk)
    place = partition(disk, SYSTEM)
    extract(disk, place.offset, metadata)
    log, steps = [print_super(0)], []
    for number, change in enumerate(changes):
        run("cp", "--sparse=always", disk, before)
        change(disk)
        begin = sum(map(len, log))
        log += [entry(*each) for each in written(before, disk)]
        log += [entry(0, b"", Flag.FLUSH)] if is_flushed else []
        end = sum(map(len, log))
        steps.append(Step(f"change {number}", begin, end, end))
    (folder / "log").write_bytes(b"".join(log))
    return Job(
        image=device.image,
        log=folder / "log",
        metadata=metadata,
        offset=place.offset,
        size_bytes=place.size_bytes,
        known=device.known,
        steps=tuple(steps),
        asked=(Asked(0, next_boot),),
        ran=tuple(map(default_of, device.known)) if ran is None else tuple(ran),
    )


def default_of(known: Known, at: int = 0) -> Ran:
    """The default system of a generation runs from a point of the log on."""
    return Ran(at, known.generation.system(known.generation.default).toplevel, None)


def verdict_of(job: Job) -> Verdict:
    """On the disk as it is in the end."""
    with walking(job) as walk:
        return walk.check(Cut(len(walk.history.epochs)))[1]


# -- what may happen to a disk ---------------------------------------------------------------------


def overwrite(disk: Path, offset: int, content: bytes) -> None:
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def last_sector(disk: Path) -> int:
    return disk.stat().st_size - SECTOR


def lose_primary(disk: Path) -> None:
    overwrite(disk, SECTOR, bytes(SECTOR))


def lose_backup(disk: Path) -> None:
    overwrite(disk, last_sector(disk), bytes(SECTOR))


def lose_both(disk: Path) -> None:
    lose_primary(disk)
    lose_backup(disk)


def select_2(disk: Path) -> None:
    with DiskFile(disk) as opened:
        select_slot(opened, Slot(2))


def damage_slot(disk: Path) -> None:
    overwrite(disk, partition(disk, "slot-1").offset + 5 * BLOCK, b"other")


def damage_superblock(disk: Path) -> None:
    overwrite(disk, partition(disk, SYSTEM).offset + 1024 + 0x38, b"\xff\xff")


def copy_slot(disk: Path) -> None:
    """Slot 2 holds the generation of slot 1."""
    one, two = partition(disk, "slot-1"), partition(disk, "slot-2")
    with disk.open("rb") as file:
        file.seek(one.offset)
        content = file.read(one.size_bytes)
    overwrite(disk, two.offset, content)


def edit(*commands: str, content: bytes = b"other\n") -> Change:
    """Change the files of the system partition, as debugfs(8) is told; ``{}`` is a new file."""

    def change(disk: Path) -> None:
        place, part, told = partition(disk, SYSTEM), disk.with_name("part"), disk.with_name("told")
        new = disk.with_name("new")
        new.write_bytes(content)
        told.write_text("".join(f"{command.format(new)}\n" for command in commands))
        with disk.open("rb") as file:
            file.seek(place.offset)
            part.write_bytes(file.read(place.size_bytes))
        run("debugfs", "-w", "-f", told, part)
        overwrite(disk, place.offset, part.read_bytes())

    return change


def replace_file(folder: str, name: str, content: bytes = b"other\n") -> Change:
    return edit(f"cd {folder}", f"rm {name}", f"write {{}} {name}", content=content)


def remember(state: State) -> Change:
    return replace_file("/reconix", "state.json", print_state(state))


def install(device: SmallDevice) -> Change:
    """Images and contents of the target are there, then its manifest, and slot 2 has its image."""
    store = device.image.parent / "build/nix/store"

    def change(disk: Path) -> None:
        registry = Registry(disk.with_name("installed"))
        install_below(device.target, registry)
        edit(*adding(device, registry))(disk)
        manifest = registry.manifest_path(device.update.target.path)
        edit("cd /reconix/generations", f"write {manifest} {manifest.name}")(disk)
        tree = BootTree.read(store / device.update.target.boot.basename)
        overwrite(disk, partition(disk, "slot-2").offset, b"".join(fat.image(tree, SLOT_BYTES)))

    return change


def adding(device: SmallDevice, installed: Registry) -> Iterator[str]:
    """What debugfs(8) is told to add what only the target has."""
    base, target = device.known
    folders = {installed.pool.path(digest).parent.name for digest, _ in base.all_contents}
    for digest, _ in sorted(target.all_contents - base.all_contents):
        path = installed.pool.path(digest)
        if path.parent.name not in folders:
            folders.add(path.parent.name)
            yield from ("cd /pool", f"mkdir {path.parent.name}")
        yield from (f"cd /pool/{path.parent.name}", f"write {path} {path.name}")
    yield "cd /images"
    for digest in sorted(target.images - base.images):
        yield f"write {installed.image_path(Digest(digest))} {digest.hex()}"


def only_an_image(device: SmallDevice) -> Iterator[str]:
    """What debugfs(8) is told to add an image of the target, and none of its contents."""
    registry = Registry(device.image.with_name("of-the-target"))
    install_below(device.target, registry)
    entry = device.target.manifest.images[0]
    yield from ("cd /images", f"write {registry.image_path(entry.sha256)} {entry.sha256.hex()}")


def select_2_in(copy: Copy) -> Change:
    """One of the two headers selects slot 2."""

    def change(disk: Path) -> None:
        with DiskFile(disk) as opened:
            write_all(opened, [read_selection(opened).tables.header(Slot(2), copy)])

    return change


def test_a_disk_as_it_was_made_is_good(device: SmallDevice, tmp_path: Path) -> None:
    found = verdict_of(history(device, tmp_path, lambda disk: None))
    base = device.update.base.path
    assert (found.problem, found.boots, found.spare) == ("", base, base)
    assert not found.tries


@pytest.mark.parametrize("lose", [lose_primary, lose_backup])
def test_one_header_is_enough(device: SmallDevice, tmp_path: Path, lose: Change) -> None:
    found = verdict_of(history(device, tmp_path, lose))
    assert (found.problem, found.boots) == ("", device.update.base.path)


def image_of(device: SmallDevice) -> str:
    """An image that the default system needs."""
    return device.update.base.system(device.update.base.default).images[0].hex()


def content_of(device: SmallDevice) -> tuple[str, str]:
    """A content that generation one needs: its folder, and its name there."""
    name = min(device.known[0].all_contents)[0].hex()
    return f"/pool/{name[:2]}", name[2:]


def with_mode(folder: str, name: str, mode: str) -> Change:
    return edit(f"cd {folder}", f"sif {name} mode 0100{mode}")


def on_trial(device: SmallDevice) -> State:
    """The trial in slot 2 runs."""
    return advance(armed(device), Booted(Slot(2), Slot(1)))


def armed(device: SmallDevice) -> State:
    """The agent has armed a trial in slot 2."""
    target = str(device.update.target.path)
    state = installed(str(device.update.base.path), Slot(1))
    for event in (Received(target), WriteBegun(Slot(2)), Written(), Armed()):
        state = advance(state, event)
    return state


def untouched(device: SmallDevice) -> State:
    """The agent has written down that slot 2 needs no trial."""
    state = installed(str(device.update.base.path), Slot(1))
    target = str(device.update.target.path)
    for event in (Received(target), WriteBegun(Slot(2)), Written(), Untouched(("mqtt",))):
        state = advance(state, event)
    return state


NEVER_RAN = "boots a default system that never ran"

BAD: dict[str, tuple[Callable[[SmallDevice], list[Change]], str]] = {
    "no header": (lambda _: [lose_both], "the firmware finds no partition table"),
    "a slot altered": (lambda _: [damage_slot], "slot-1 would boot but holds no image"),
    "an empty slot selected": (lambda _: [select_2], "slot-2 would boot but holds no image"),
    "a superblock": (lambda _: [damage_superblock], "superblock"),
    "no state": (lambda _: [edit("rm /reconix/state.json")], "the agent has lost its memory"),
    "a state cut off": (
        lambda _: [replace_file("/reconix", "state.json", b"{")],
        "what the agent remembers cannot be read",
    ),
    "a layout that nobody knows": (
        lambda _: [replace_file("/reconix", "layout", b"1\n")],
        "does not say that it has layout 2",
    ),
    "a strange name among the images": (
        lambda _: [edit("cd /images", "write {} strange")],
        "/images/strange belongs to no generation",
    ),
    "a strange name in the pool": (
        lambda _: [edit("cd /pool", "mkdir ff", "cd ff", f"write {{}} {'f' * 62}")],
        "belongs to no generation",
    ),
    "an image removed": (lambda device: [edit(f"rm /images/{image_of(device)}")], "is missing"),
    "an image altered": (
        lambda device: [
            replace_file("/images", image_of(device)),
            with_mode("/images", image_of(device), "400"),
        ],
        "is not what its name says",
    ),
    "a content removed": (
        lambda device: [edit(f"rm {'/'.join(content_of(device))}")],
        "is missing",
    ),
    "a content altered": (
        lambda device: [
            replace_file(*content_of(device)),
            with_mode(*content_of(device), "400"),
        ],
        "is not what its name says",
    ),
    "a content that everybody may read": (
        lambda device: [with_mode(*content_of(device), "444")],
        "has the mode 444",
    ),
    "an image without a content of it": (
        lambda device: [edit(*only_an_image(device))],
        "names it",
    ),
    "a manifest removed": (
        lambda device: [
            edit(f"rm /reconix/generations/{device.update.base.path.basename}.manifest")
        ],
        "is needed and not installed",
    ),
    "a slot that was never tried": (
        lambda device: [install(device), remember(armed(device)), select_2],
        "boots from now on but was never tried",
    ),
    "a default system that was never tried": (
        lambda device: [install(device), remember(untouched(device)), select_2],
        "boots another default system, which was never tried",
    ),
    "a slot of which the agent knows nothing": (
        lambda _: [copy_slot, select_2],
        "the agent does not know what to do next",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_damage_is_found_and_named(device: SmallDevice, tmp_path: Path, what: str) -> None:
    changes, problem = BAD[what]
    assert problem in verdict_of(history(device, tmp_path, *changes(device))).problem


def test_what_boots_by_itself_has_run_before_the_cut(device: SmallDevice, tmp_path: Path) -> None:
    changes = install(device), remember(on_trial(device)), select_2
    base, target = device.known
    for number, (at, expected) in enumerate([(0, ""), (1 << 60, NEVER_RAN), (None, NEVER_RAN)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        ran = [default_of(base)] + ([] if at is None else [default_of(target, at)])
        found = verdict_of(history(device, folder, *changes, ran=ran))
        assert found.problem == (expected and f"{device.update.target.path} {expected}")


def test_the_slot_of_a_trial_is_checked_too(device: SmallDevice, tmp_path: Path) -> None:
    two = partition(device.image, "slot-2").guid
    job = history(device, tmp_path, install(device), remember(armed(device)), next_boot=two)
    found = verdict_of(job)
    assert (found.problem, found.tries) == ("", True)
    assert found.boots == device.update.base.path


def test_a_trial_of_an_empty_slot_is_bad(device: SmallDevice, tmp_path: Path) -> None:
    two = partition(device.image, "slot-2").guid
    found = verdict_of(history(device, tmp_path, remember(armed(device)), next_boot=two))
    assert "slot-2 would boot but holds no image of a generation" in found.problem


def test_a_trial_of_what_is_no_slot_is_bad(device: SmallDevice, tmp_path: Path) -> None:
    found = verdict_of(history(device, tmp_path, lose_backup, next_boot=NOWHERE))
    assert "told to boot a partition that is not a slot" in found.problem


# -- all states of a history -----------------------------------------------------------------------


def test_each_state_counts_for_the_step_that_was_cut(device: SmallDevice, tmp_path: Path) -> None:
    job = history(device, tmp_path, copy_slot, lose_backup, lose_both)
    result = prove(job, wanted=60, seed=1, processes=1)
    copy, backup, both, after = result.rows
    assert copy.old == copy.states > 20
    assert backup.old == backup.states >= 2
    assert (both.step, both.old > 0, both.bad) == ("change 2", True, both.states - both.old)
    assert (after.step, after.bad) == (AFTERWARDS, after.states)
    assert {case.problem for case in result.cases} == {"the firmware finds no partition table"}


def selecting(device: SmallDevice, folder: Path, *order: Copy) -> tuple[Row, set[str]]:
    """The states of the second header, and what is wrong in those of both."""
    changes = install(device), remember(on_trial(device)), *map(select_2_in, order)
    result = prove(history(device, folder, *changes), wanted=60, seed=1, processes=1)
    (second,) = (row for row in result.rows if row.step == "change 3")
    steps = ("change 2", "change 3")
    return second, {case.problem for case in result.cases if case.step in steps}


def test_a_slot_is_selected_by_backup_and_then_primary(device: SmallDevice, tmp_path: Path) -> None:
    second, problems = selecting(device, tmp_path, Copy.BACKUP, Copy.PRIMARY)
    assert second.old > 0 and second.new > 0
    assert not problems


def test_the_other_way_round_a_damaged_primary_would_undo_it(
    device: SmallDevice, tmp_path: Path
) -> None:
    _, problems = selecting(device, tmp_path, Copy.PRIMARY, Copy.BACKUP)
    (problem,) = problems
    assert problem.startswith("the backup of the table still leads to the old generation")


def test_what_was_acknowledged_and_not_flushed_is_missed(
    device: SmallDevice, tmp_path: Path
) -> None:
    choose = edit("cd /reconix", "write {} choice.json")
    for is_flushed in (True, False):
        folder = tmp_path / f"{is_flushed}"
        folder.mkdir()
        job = history(device, folder, choose, lose_backup, is_flushed=is_flushed)
        result = prove(job, wanted=200, seed=1, processes=1)
        missed = [case for case in result.cases if "it was acknowledged, and" in case.problem]
        assert bool(missed) is not is_flushed
