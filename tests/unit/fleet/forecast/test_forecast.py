"""What is said before an update is what the receiver then does, on a device of plain files."""

import io
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.device_model import SLOT_BYTES, Machine

from reconix.boot import fat
from reconix.boot.disk import DiskFile
from reconix.boot.slots import BLOCK_BYTES, write_slot
from reconix.boot.tables import Slot
from reconix.boot.tree import BootTree
from reconix.device.hardware.disk import PartitionView
from reconix.device.state.lock import exclusive_rw
from reconix.device.update.receive import receive
from reconix.fleet.forecast.arrival import Arrival
from reconix.fleet.forecast.forecast import Forecast, forecast
from reconix.fleet.forecast.peak import StoreFormat, peak_room
from reconix.fleet.forecast.slot import Unwritten, slot_use
from reconix.fleet.forecast.wear import wear
from reconix.store.manifest import Manifest
from reconix.store.registry import Registry
from reconix.store.tree import File, Node
from reconix.transfer.receiving.room import room_for
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.sending import send
from reconix.transfer.sending.send import Sent

BLOCK = 1024


class WatchedRegistry(Registry):
    """A registry that looks at its disk when a manifest got its name: more is never there."""

    seen: dict[Path, int]

    def register(self, manifest: Manifest) -> None:
        super().register(manifest)
        self.seen = files_of(self.system_root)


def files_of(system: Path) -> dict[Path, int]:
    """The size of each file of a store."""
    return {path: path.stat().st_size for path in system.rglob("*") if path.is_file()}


@dataclass
class Update:
    """An update of a device, which was not done yet."""

    machine: Machine
    stream: io.BytesIO = field(default_factory=io.BytesIO)

    def make(self, *, full: bool = False) -> Sent:
        ends = self.machine.generations
        bases = [] if full else [ends["one"]]
        return send.create(self.machine.store, bases, ends["two"], self.stream.write)

    def said(self, sent: Sent) -> Forecast:
        target = self.machine.generations["two"]
        return forecast(self.machine.store, target, sent, Unwritten.ZEROS)

    def receive(self) -> tuple[dict[Path, int], dict[Path, int], dict[Path, int]]:
        """Do it; gives the files before it, when there were most of them, and after it."""
        device = self.machine.device
        watched = WatchedRegistry(self.machine.paths.system)
        device._opened.append(watched)
        before = files_of(self.machine.paths.system)
        self.stream.seek(0)
        with exclusive_rw(device.paths):
            receive(device, self.stream.read, Spool(device.paths.spool))
        return before, watched.seen, files_of(self.machine.paths.system)


@pytest.fixture
def update(machine: Machine) -> Update:
    chance = random.Random(1)
    files: dict[str, Node] = {
        f"file-{number}": File(chance.randbytes(60 + number**2)) for number in range(150)
    }
    machine.boot()
    machine.generation("two", extra={**files, "twice": files["file-9"]})
    return Update(machine)


def in_blocks(files: dict[Path, int]) -> int:
    return sum(-(-size // BLOCK) * BLOCK for size in files.values())


def folders_of(files: dict[Path, int]) -> set[Path]:
    return {path.parent for path in files if path.parent.parent.name == "pool"}


@pytest.mark.parametrize("full", [False, True])
def test_the_room_that_is_told_is_what_a_receiver_takes(update: Update, full: bool) -> None:
    said = update.said(update.make(full=full))
    before, most, after = update.receive()
    if full:  # the device has the other generation, too, of which the sender knows nothing
        assert said.peak.size_bytes > in_blocks(most) - in_blocks(before)
        return
    made = len(folders_of(most) - folders_of(before))
    taken = in_blocks(most) - in_blocks(before) + made * BLOCK
    assert abs(said.peak.size_bytes - taken) <= taken / 100
    assert said.peak.inodes == len(most) - len(before) + made
    kept = {path: size for path, size in after.items() if path not in before}
    kept = {path: size for path, size in kept.items() if path.name not in ("log", "trust.json")}
    assert abs(said.stays.size_bytes - in_blocks(kept) - made * BLOCK) <= taken / 100
    assert said.stays.inodes == len(kept) + made


def test_what_must_be_free_is_what_the_device_asks_for(update: Update) -> None:
    sent = update.make()
    registry = update.machine.registry
    registry.staging_dir.mkdir()
    asked = room_for(sent.needs, sent.target.manifest, registry).with_margin
    assert update.said(sent).wanted == asked


def test_the_stream_is_as_large_as_it_is(update: Update) -> None:
    said = update.said(update.make())
    assert said.stream_bytes == len(update.stream.getvalue())


def test_contents_and_images_are_written_once_and_whole(update: Update) -> None:
    said = update.said(update.make())
    before, most, _ = update.receive()
    new = [path for path in most if path not in before]
    contents = sum(most[path] for path in new if path.parent.parent.name == "pool")
    images = sum(most[path] for path in new if path.parent.name == "images")
    assert contents <= said.wear.contents <= contents * 1.1 + 2 * BLOCK * len(new)
    assert said.wear.images == images
    assert said.wear.stream - len(update.stream.getvalue()) in range(4096)


def boot_tree(machine: Machine, name: str) -> BootTree:
    return BootTree.read(machine.store.path(machine.read(machine.generations[name]).boot))


@pytest.mark.parametrize("held", [None, "one"])
def test_of_a_slot_the_blocks_count_that_are_written(machine: Machine, held: str | None) -> None:
    machine.generation("two")
    machine.install("two")
    new = boot_tree(machine, "two")
    before = Unwritten.ZEROS if held is None else boot_tree(machine, held)
    said = slot_use(before, new, SLOT_BYTES)
    with DiskFile(machine.place / "disk") as disk:
        slot = PartitionView(disk, machine.tables.slot(Slot(2)))
        if held is not None:
            old = fat.image(boot_tree(machine, held), SLOT_BYTES)
            write_slot(old, slot, old.digest())
        image = fat.image(new, SLOT_BYTES)
        written = write_slot(image, slot, image.digest())
    # What is behind the end of the old image nobody knows: it counts.
    assert written <= said.written_bytes <= written + BLOCK_BYTES
    assert said.image_bytes == image.size_bytes


def test_a_slot_of_which_nobody_knows_is_written_as_a_whole(machine: Machine) -> None:
    said = slot_use(Unwritten.ANYTHING, boot_tree(machine, "one"), SLOT_BYTES)
    assert said.written_bytes == said.image_bytes


def test_a_generation_that_is_there_takes_no_room_and_is_tried(machine: Machine) -> None:
    two = machine.generation("two")
    said = forecast(machine.store, two, None, machine.generations["one"])
    assert (said.stream_bytes, said.peak.size_bytes, said.wanted.size_bytes) == (0, 0, 0)
    assert said.wear.contents == said.wear.images == said.wear.stream == 0
    assert said.wear.slot > 0 and said.wear.journal > 0


def test_hashes_of_the_kernel_take_room_and_wear() -> None:
    arrival = Arrival(new={bytes([number]) * 32: 10_000 for number in range(9)}, images=(4096,))
    plain, compared = StoreFormat(4096, compares=False), StoreFormat(4096, compares=True)
    more = peak_room(arrival, compared).size_bytes - peak_room(arrival, plain).size_bytes
    assert more == 9 * 2 * 4096 + 4096, "a level of hashes and a descriptor, or that alone"
    slot = slot_use(Unwritten.ANYTHING, BootTree(()), SLOT_BYTES)
    assert wear(arrival, compared, slot).contents == wear(arrival, plain, slot).contents + 9 * 8192


def folders(names: int, *, more: int) -> int:
    """How much the names of so many contents in one folder of the pool take when more come."""
    digests = (bytes([7]) + number.to_bytes(31) for number in range(more))
    there = Arrival().there
    there.update({7: names} if names else {})
    arrival = Arrival(new=dict.fromkeys(digests, BLOCK), there=there)
    return peak_room(arrival, StoreFormat(BLOCK, compares=False)).size_bytes - more * BLOCK


@pytest.mark.parametrize(
    ("names", "more", "blocks"),
    [(0, 1, 1), (0, 13, 1), (5, 8, 0), (13, 1, 2), (20, 7, 0), (20, 8, 1)],
)
def test_a_folder_of_the_pool_grows_when_it_is_full(names: int, more: int, blocks: int) -> None:
    assert folders(names, more=more) == blocks * BLOCK
