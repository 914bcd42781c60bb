"""R3: whatever a stream asks for, a receiver stays below 64 MiB; in a process of its own."""

import io
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.transfer.conftest import Pair
from tests.unit.transfer.made_btf import kernel, structures
from tests.unit.transfer.made_programs import program
from tests.unit.transfer.receiving.test_receive import Forger

from reconix.base.process import run
from reconix.store.tree import File, Node, folder
from reconix.transfer.codecs import btf
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format import plan
from reconix.transfer.format.packing import DICTIONARIES, Channel
from reconix.transfer.format.payload_head import Need
from reconix.transfer.format.plan import (
    MAX_COPIES,
    MAX_CORRECTIONS,
    Copied,
    Copies,
    Corrections,
    End,
    Event,
    Location,
    New,
    Part,
    Patched,
    Piece,
    Source,
    counted,
)
from reconix.transfer.format.stream import Header, varint
from reconix.transfer.sending.writer import StreamWriter

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop

KIB, MIB = 1 << 10, 1 << 20
LIMIT_KIB = 64 << 10

RECEIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from reconix.base.errors import ReconixError
from reconix.store.registry import Registry
from reconix.transfer.receiving.receive import receive
from reconix.transfer.receiving.spool import Spool
registry, spool = Registry(Path(sys.argv[2])), Spool(Path(sys.argv[2], "reconix/spool"))
read = sys.stdin.buffer.read
try:
    receive(read, registry, host="gateway", architecture="amd64", spool=spool)
except ReconixError as error:
    print(type(error).__name__, error)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def received(forger: Forger, stream: bytes) -> tuple[str, int]:
    """What a receiver says, and the most memory that it took, in KiB."""
    source = str(Path(plan.__file__).parents[3])
    words = [sys.executable, "-I", "-S", "-c", RECEIVER, source]
    *said, peak = run(*words, str(forger.device.system_root), stdin=stream).decode().splitlines()
    return "\n".join(said), int(peak)


@pytest.fixture
def forger(workshop: "Workshop") -> Forger:
    old: dict[str, Node] = {"program": File(program(150)), "vmlinux": File(kernel(types()))}
    pair = Pair(
        workshop.generation(root=folder(old)),
        workshop.generation(root=folder({**old, "a": File(b"a")})),
    )
    return Forger(workshop, pair)


def types() -> bytes:
    """Eight MiB of records, as a kernel says of its types."""
    found = structures(100)
    found.content *= 8 * MIB // len(found.content)
    return found.printed()


def pieces(size_bytes: int) -> list[Event]:
    return [Piece(bytes(64 * KIB)) for _ in range(size_bytes // (64 * KIB))]


def all_dictionaries(forger: Forger) -> list[Event]:
    """As much in each channel as a receiver looks back to."""
    events: list[Event] = []
    for name, channel in ((b"a1", Channel.TEXT), (b"a2", Channel.BINARY), (b"a3", Channel.CODE)):
        size = DICTIONARIES[channel] + MIB
        events += [plan.File(name, size, False, channel), *pieces(size)]
    size = 9 * MIB
    copies = Copies.of([(0, 0, size)])
    sources = (Source(Location(forger.root.source, (b"program",))),)
    part = Part(Pack.NONE, size, Channel.TEXT, sources, copies)
    copied = [Copied([(at, 0, 64 * KIB)], b"", bytes(64 * KIB)) for at in range(0, size, 64 * KIB)]
    return [*events, Patched(b"a4", size, False, 1), part, *copied]


def many_moves(forger: Forger) -> list[Event]:
    """As many copies and corrections as there may be, all of them different."""
    noise = random.Random(1)
    copies = [(number * 70, 0, 1 + noise.randrange(60)) for number in range(MAX_COPIES)]
    size = sum(length for _, _, length in copies)
    targets = Corrections.of(
        (number * 1000, noise.randrange(1 << 40)) for number in range(MAX_CORRECTIONS)
    )
    sources = (Source(Location(forger.root.source, (b"program",))),)
    part = Part(Pack.NONE, size, Channel.CODE, sources, Copies.of(copies), targets)
    return [Patched(b"b", size, False, 1), part, Copied(copies, b"", bytes(size))]


def many_types(forger: Forger) -> list[Event]:
    """As many types as there are, with as many corrections as there may be."""
    place = btf.place(kernel(types()))
    assert place is not None
    targets = Corrections.of((btf.TYPES + number, number * 7) for number in range(MAX_CORRECTIONS))
    sources = (Source(Location(forger.root.source, (b"vmlinux",))),)
    size, copied = 7 * MIB, 64 * KIB
    copies = Copies.of([(0, 0, size)])
    part = Part(Pack.NONE, size, Channel.CODE, sources, copies, targets, place)
    pieces = [Copied([(at, 0, copied)], b"", bytes(copied)) for at in range(0, size, copied)]
    return [Patched(b"b", size, False, 1), part, *pieces]


def packing(pack: Pack) -> Callable[[Forger], list[Event]]:
    def large_part(_: Forger) -> list[Event]:
        size = 8 * MIB
        part = Part(pack, size, Channel.BINARY, (), Copies.of(()))
        return [Patched(b"b", 9 * MIB, False, 1), part, *pieces(size)]

    return large_part


@pytest.mark.parametrize(
    "events", [many_moves, many_types, packing(Pack.GZIP), packing(Pack.XZ), packing(Pack.LZ4)]
)
def test_r3_w5_with_all_dictionaries_full_there_is_memory_for_the_rest(
    forger: Forger, events: Callable[[Forger], list[Event]]
) -> None:
    need = Need(forger.position, 64 * MIB, 1 << 30, 99)
    stream = forger.stream([New(None), *all_dictionaries(forger), *events(forger), End()], need)
    said, peak_kib = received(forger, stream)
    assert "larger than" in said or "smaller than" in said or "came out wrong" in said
    assert peak_kib < LIMIT_KIB


def test_r3_w5_what_comes_before_the_objects_is_held_only_up_to_a_bound(forger: Forger) -> None:
    """Packets and compressed chunks may be as small as a byte, so that little content is much."""
    hashes, names = bytes(8000 * 20), (b"\0" + counted(b"n" * 20)) * 8000
    content = b"".join(map(varint, (1, 0, 0, 8000))) + hashes + names  # a manifest begins so
    header = Header("gateway", "amd64", (forger.old.root,), forger.new.root, 0, 0, 0, 0)
    written = io.BytesIO()
    writer = StreamWriter(written.write, header)
    for number, byte in enumerate(content):  # a chunk of LZMA2 with a byte that is not compressed
        for part in (2 if number else 1, 0, 0, byte):
            writer.payload(bytes([Channel.PLAN, 0, 0, part]))
    writer.finish()
    said, peak_kib = received(forger, written.getvalue())
    assert "before the first object" in said
    assert peak_kib < LIMIT_KIB // 2
