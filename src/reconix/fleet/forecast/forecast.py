"""A forecast: what an update takes of a link and of a device, from what its sender has.

The stream is made, so its size is exact. What comes with it is known to the last byte
(``arrival.py``), what a file system makes of that nearly so (``peak.py``, ``wear.py``). What only
the device knows is left to it: how fast its processor is, what else is on its disk.

Tested by ``tests/unit/fleet/forecast/test_forecast.py`` and ``tests/crash/test_forecast.py``.
"""

from dataclasses import dataclass

from reconix.boot.tree import BootTree
from reconix.fleet.forecast.arrival import Arrival
from reconix.fleet.forecast.peak import StoreFormat, peak_room, stays_room
from reconix.fleet.forecast.slot import SlotUse, Unwritten, slot_use
from reconix.fleet.forecast.wear import Wear, wear
from reconix.nix.chroot import ChrootStore
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath
from reconix.transfer.receiving.room import Room, room_of
from reconix.transfer.sending.send import Sent

_MEMORY_BYTES = 64 << 20
_MEMORY_NODES = 25_000
_BYTES_PER_NODE = 630
"""What a receiver promises: ``docs/spec/stream.md``, *Limits*."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an update takes.

    Attributes:
        stream_bytes: the size of the stream; nothing if the device has the generation.
        peak: what it takes of the store when that is the most.
        stays: what it still takes when it is received.
        wanted: what has to be free before the device begins.
        slot: what becomes of a boot slot.
        wear: what is written.
        memory_bytes: the most that the receiver takes.
    """

    stream_bytes: int
    peak: Room
    stays: Room
    wanted: Room
    slot: SlotUse
    wear: Wear
    memory_bytes: int


def forecast(
    store: ChrootStore, target: StorePath, sent: Sent | None, held: StorePath | Unwritten
) -> Forecast:
    """What it takes to bring a device to a generation and to try it.

    Args:
        store: has the generations.
        target: what the device shall have.
        sent: the stream that brings it, for one base at most; without it, the device has it.
        held: the generation in the boot slot that is written, if that is known.
    """
    generation = read_generation(store.store_dir, target)
    form = StoreFormat.of(generation.integrity)
    arrival = Arrival() if sent is None else Arrival.of(sent)
    before = held if isinstance(held, Unwritten) else _boot_tree(store, held)
    slot = slot_use(before, _boot_tree(store, target), generation.slot.slot_size_bytes)
    return Forecast(
        arrival.stream_bytes,
        peak_room(arrival, form),
        stays_room(arrival, form),
        Room(0, 0) if sent is None else _wanted(sent, arrival, form),
        slot,
        wear(arrival, form, slot),
        _MEMORY_BYTES + max(0, arrival.nodes - _MEMORY_NODES) * _BYTES_PER_NODE,
    )


def _wanted(sent: Sent, arrival: Arrival, form: StoreFormat) -> Room:
    folders, compares = len(arrival.there), form.compares
    room = room_of(
        sent.needs, sent.target.manifest, arrival.images, pool_folders=folders, compares=compares
    )
    return room.with_margin


def _boot_tree(store: ChrootStore, path: StorePath) -> BootTree:
    return BootTree.read(store.path(read_generation(store.store_dir, path).boot))
