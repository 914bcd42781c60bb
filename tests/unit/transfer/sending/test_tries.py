"""A database of hardware with a few more records is a small stream, for agents that know how."""

import io

from tests.unit.transfer.conftest import Workshop
from tests.unit.transfer.made_tries import made

from reconix.build.agent import zipapp
from reconix.store.tree import File, folder
from reconix.transfer.format.stream import AGENT, MOVED_TRIES, StreamReader

RECORDS = {
    f"usb:v{n * 7919 % 65536:04X}p{n * 104729 % 65536:04X}*": {
        "ID_VENDOR_FROM_DATABASE": f"Maker {n * n % 9973}",
        "ID_MODEL_FROM_DATABASE": f"Pump {n * 31 % 1009} of {n}",
    }
    for n in range(2000)
}
MORE = RECORDS | {f"pci:v0000{n:04X}*": {"ID_VENDOR_FROM_DATABASE": f"New {n}"} for n in range(9)}
PLACE = "usr/lib/udev/hwdb.bin"


def received(workshop: Workshop, *, knows: bool) -> bytes:
    """The stream from one database to the other; a device has taken it."""
    agent = {f"etc/{AGENT}": File(zipapp.pack())} if knows else {}
    base, target = (
        workshop.generation(root=folder({PLACE: File(made(records)), **agent}))
        for records in (RECORDS, MORE)
    )
    stream = workshop.stream(base, target)
    registry = workshop.device(base)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, target)
    header = StreamReader(io.BytesIO(stream).read).header
    assert header.moved_tries == header.moved_parts == int(knows)
    assert bool(header.features & MOVED_TRIES) is knows
    return stream


def test_places_in_a_trie_are_moved_for_agents_that_know_how(workshop: Workshop) -> None:
    moved, as_it_is = (len(received(workshop, knows=knows)) for knows in (True, False))
    assert moved < 0.5 * as_it_is, f"{moved} bytes, and {as_it_is} for an older agent"
