"""Whoever signs a stream cannot have more done than it declares: room, inodes, work, time."""

import gzip
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.project_files import enough
from tests.unit.transfer.conftest import Pair
from tests.unit.transfer.packed import packed as unpacker
from tests.unit.transfer.packed import packed_by
from tests.unit.transfer.receiving.test_receive import (
    Forger,
    expect_refused,
    file,
    framed,
    unframed,
)

from reconix.store.images.erofs import MAX_NODES
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, folder
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format import plan
from reconix.transfer.format.bases import View
from reconix.transfer.format.costs import MAX_WORDS_BYTES, Account, CpuLimit, TakesTooLong
from reconix.transfer.format.packing import Channel
from reconix.transfer.format.payload_head import Need, parse_payload_head, print_payload_head
from reconix.transfer.format.plan import (
    Copied,
    Copies,
    Corrections,
    End,
    Event,
    Like,
    Link,
    Location,
    New,
    Part,
    Patched,
    Piece,
    Printer,
    Source,
    Which,
    parse,
)
from reconix.transfer.format.stream import BadStream, Header
from reconix.transfer.sending.packer import Packer

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop

Events = Callable[[Forger, int], list[Event]]
TARGET = StorePath("0" * 32, "generation-gateway")

BLOCK, MIB = 65_520, 1 << 20
MEMBER = gzip.compress(bytes(4 * MIB), 9, mtime=0)


def program(blocks: int) -> bytes:
    """An ELF file with so many blocks of instructions, all of them calls."""
    code = b"\xe8\1\0\0\0" * (blocks * BLOCK // 5)
    start = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack("<HHIQQQ", 2, 62, 1, 0, 0, 64)
    start += struct.pack("<IHHHHHH", 0, 64, 0, 0, 64, 2, 0) + bytes(64)
    return start + struct.pack("<IIQQQQIIQQ", 0, 1, 6, 4096, 192, len(code), 0, 0, 0, 0) + code


@pytest.fixture
def forger(workshop: "Workshop") -> Forger:
    """The first object that is sent is a folder, with whatever a test says."""
    old: dict[str, Node] = {"member.gz": File(MEMBER), "program": File(program(60))}
    old |= {f"many/{number}": File(b"") for number in range(1500)}
    tree = folder(old)
    pair = Pair(
        workshop.generation(root=tree), workshop.generation(root=folder({**old, "a": File(b"a")}))
    )
    return Forger(workshop, pair)


def place(forger: Forger, name: bytes) -> Location:
    return Location(forger.root.source, (name,))


def refused(workshop: "Workshop", forger: Forger, events: list[Event], need: Need) -> str:
    """The message of the refusal; it comes soon."""
    started = time.process_time()
    error = expect_refused(workshop, forger.stream(events, need), forger.device, BadStream)
    assert time.process_time() - started < 20
    return str(error)


def test_the_sender_declares_what_a_device_counts_and_not_a_byte_more(
    workshop: "Workshop", pair: Pair
) -> None:
    header, packets = unframed(workshop.stream(pair.old, pair.new))
    view = View.whole(workshop.manifest(pair.old))
    content = dict(packets)[Channel.PLAN]
    head = parse_payload_head(unpacker(content), view)
    rest = content.removeprefix(print_payload_head(head, view))
    assert len(rest) < len(content)
    # An object of which everything is there already declares nothing.
    less = [
        (number, replace(need, **{what: getattr(need, what) - 1}), what)
        for number, need in enumerate(head.needs)
        for what in ("content_bytes", "space_bytes", "inodes")
        if getattr(need, what)
    ]
    for number, need, what in enough(less, at_least=5, what="accounts"):
        needs = [*head.needs[:number], need, *head.needs[number + 1 :]]
        bent = print_payload_head(replace(head, needs=tuple(needs)), view) + rest
        stream = framed(
            replace(header, **{what: getattr(header, what) - 1}),
            [(channel, bent if channel is Channel.PLAN else data) for channel, data in packets],
        )
        error = expect_refused(workshop, stream, workshop.device(pair.old), BadStream)
        assert "declared" in str(error)


NOTHING = Account(0, 0, 0, lambda message: BadStream(message, offset=0), CpuLimit(1e9, 0))


def account(content_bytes: int, space_bytes: int, inodes: int) -> Account:
    return replace(NOTHING, content_bytes=content_bytes, space_bytes=space_bytes, inodes=inodes)


@pytest.mark.parametrize("room", [(99, 4096, 1), (100, 4095, 1), (100, 4096, 0)])
def test_s6_w5_a_file_is_paid_from_what_was_declared(room: tuple[int, int, int]) -> None:
    account(100, 4096, 1).file(100)
    with pytest.raises(BadStream, match="more than it declared"):
        account(*room).file(100)


def test_a_small_file_takes_no_room_but_its_content() -> None:
    account(64, 0, 0).file(64)
    with pytest.raises(BadStream, match="more than it declared"):
        account(63, 0, 0).file(64)


def test_s6_w5_an_object_has_no_more_nodes_than_an_image() -> None:
    account(0, 0, 0).kept(MAX_NODES)
    with pytest.raises(BadStream, match="100000 files, links and folders"):
        account(0, 0, 0).kept(MAX_NODES + 1)
    full = account(0, 0, 0)
    full.kept(MAX_NODES)
    with pytest.raises(BadStream, match="100000 files, links and folders"):
        full.node(0)


def test_s6_w5_names_are_bounded_by_the_memory_that_they_take() -> None:
    found = account(0, 0, 0)
    for _ in range(MAX_WORDS_BYTES // 4096):
        found.node(4096)
    with pytest.raises(BadStream, match="bytes of names"):
        found.node(1)


@pytest.mark.parametrize(
    "events",
    [
        [plan.File(b"a", 9000, False), Piece(bytes(9000))],
        [e for n in range(4) for e in (plan.File(b"%d" % n, 65, False), Piece(b"%d" % n * 65))],
    ],
    ids=["content", "blocks of files"],
)
def test_s6_w5_every_block_is_paid_from_the_declared_space(
    workshop: "Workshop", forger: Forger, events: list[Event]
) -> None:
    need = Need(forger.position, 10_000, 2 * 4096, 99)
    message = refused(workshop, forger, [New(None), *events, End()], need)
    assert "more than it declared" in message


@pytest.mark.parametrize(
    ("limit", "said"),
    [("MAX_NODES", "files, links and folders"), ("MAX_WORDS_BYTES", "bytes of names")],
)
def test_s6_w5_a_tree_is_made_in_memory_only_up_to_a_bound(
    workshop: "Workshop", forger: Forger, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    monkeypatch.setattr(f"reconix.transfer.format.costs.{limit}", 100)
    links: list[Event] = [Link(b"%03d" % number, b"x") for number in range(101)]
    assert said in refused(workshop, forger, [New(None), *links, End()], forger.need())


def empty_parts(forger: Forger, count: int) -> list[Event]:
    """Parts of nothing, for each of which a member is expanded."""
    source = Source(place(forger, b"member.gz"), Pack.GZIP, 0, len(MEMBER), 4 * MIB)
    part = Part(Pack.NONE, 0, Channel.TEXT, (source,), Copies.of(()))
    return [New(None), Patched(b"a", 0, False, count), *[part] * count, End()]


def to_and_fro(forger: Forger, count: int) -> list[Event]:
    """Bytes copied in turns from more blocks than are kept, whose references move."""
    copies = [(192 + BLOCK * (number % 60), 0, 1) for number in range(count)]
    sources = (Source(place(forger, b"program")),)
    targets = Corrections.of([(4096, 5)])
    part = Part(Pack.NONE, count, Channel.CODE, sources, Copies.of(copies), targets)
    made = [Copied(copies, b"", bytes(count))]
    return [New(None), Patched(b"a", count, False, 1), part, *made, End()]


def corrected(forger: Forger, count: int) -> list[Event]:
    """Parts of nothing with as many corrections as there may be."""
    targets = Corrections.of((number, number) for number in range(1 << 16))
    part = Part(Pack.NONE, 0, Channel.CODE, (), Copies.of(()), targets)
    return [New(None), Patched(b"a", 0, False, count), *[part] * count, End()]


def packed(_: Forger, count: int) -> list[Event]:
    """Parts of zeros, which are next to nothing when they are packed."""
    part = Part(Pack.XZ, 3 * MIB, Channel.TEXT, (), Copies.of(()))
    pieces: list[Event] = [Piece(bytes(1 << 16))] * 48
    return [New(None), Patched(b"a", 9000, False, count), *[part, *pieces] * count, End()]


def listed(forger: Forger, count: int) -> list[Event]:
    """Folders like one that has many entries, of which they keep none."""
    like = [Like(b"%04d" % number, place(forger, b"many")) for number in range(count)]
    return [New(None), *[event for each in like for event in (each, End())], End()]


@pytest.mark.parametrize(
    ("events", "count"),
    [(empty_parts, 50), (to_and_fro, 50), (corrected, 3), (packed, 3), (listed, 60)],
)
def test_s6_w5_work_that_leaves_nothing_behind_is_paid_from_the_declared_space(
    workshop: "Workshop", forger: Forger, events: Events, count: int
) -> None:
    space = 5 * MIB if events is empty_parts else MIB // 4
    need = Need(forger.position, 10_000, space, 3000)
    assert "more work than" in refused(workshop, forger, events(forger, count), need)


def test_s6_w5_what_is_expanded_must_fit_into_the_declared_space(
    workshop: "Workshop", forger: Forger
) -> None:
    need = Need(forger.position, 10_000, 3 * MIB, 99)
    message = refused(workshop, forger, empty_parts(forger, 1), need)
    assert "more than it declared" in message


def test_a_receive_ends_when_it_takes_longer_than_its_size_explains() -> None:
    header = Header("gateway", "amd64", (), TARGET, 1, 2, 3, 4)
    CpuLimit.of(header).check()
    with pytest.raises(TakesTooLong, match="1800 s"):
        CpuLimit(1800, CpuLimit.of(header).begun - 1801).check()


def test_the_time_limit_grows_with_what_is_sent_and_declared() -> None:
    small = Header("gateway", "amd64", (), TARGET, 1, 0, 0, 4)
    large = Header("gateway", "amd64", (), TARGET, 1, 10**9, 2 * 10**9, 4, payload_bytes=10**9)
    assert CpuLimit.of(small).seconds == 1800
    assert 4 * 3600 < CpuLimit.of(large).seconds < 5 * 3600


@pytest.mark.parametrize(
    "skipped",
    [
        [plan.File(None, 9 * MIB, False), *[Piece(bytes(64 << 10))] * 144],
        [
            Patched(None, 1, False, 900),
            *[Part(Pack.NONE, 0, Channel.TEXT, (), Copies.of(()))] * 900,
        ],
    ],
    ids=["content", "parts"],
)
def test_s6_w5_what_is_for_other_bases_is_paid_for_too(skipped: list[Event]) -> None:
    def fill(packer: Packer) -> None:
        printer = Printer(packer)
        printer.feed(plan.Alternatives(None, (0, 1)))
        for event in [*file(None, b"1"), *skipped]:
            printer.feed(event)

    with pytest.raises(BadStream, match="more work than"):
        list(parse(packed_by(fill), Which(0, 2), account(1, 1 << 16, 1).skip))
