"""Whoever signs a stream cannot have more done than it declares: room, inodes, work, time."""

import errno
import gzip
import os
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.project_files import enough
from tests.unit.transfer.conftest import Pair, Verified
from tests.unit.transfer.receiving.test_receive import (
    Forger,
    expect_refused,
    file,
    framed,
    unframed,
)

from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, folder
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format import plan
from reconix.transfer.format.bases import View
from reconix.transfer.format.costs import Account, CpuLimit, Spare, TakesTooLong, TooManyNames
from reconix.transfer.format.packing import Channel, Unpacker
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
    folder_check,
    parse,
)
from reconix.transfer.format.stream import BadStream, Header
from reconix.transfer.receiving.sources import TooManyEntries
from reconix.transfer.receiving.staging import ContentMismatch
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
    made = Forger(workshop, pair)
    needed = [i for i, item in enumerate(made.new.objects) if item not in made.old.objects]
    made.position = needed[0]
    return made


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
    view = View.whole(workshop.store.manifest(pair.old))
    content = dict(packets)[Channel.PLAN]
    head = parse_payload_head(plan_of(content), view)
    rest = content.removeprefix(print_payload_head(head, view))
    assert len(rest) < len(content) and len(head.needs) == 3
    # A need without room is a file that is there already.
    takes = [(number, need) for number, need in enumerate(head.needs) if need.space_bytes]
    for number, need in enough(takes, at_least=2, what="objects that take room"):
        less = list(head.needs)
        less[number] = replace(need, space_bytes=need.space_bytes - 1)
        bent = print_payload_head(replace(head, needs=tuple(less)), view) + rest
        stream = framed(
            replace(header, space_bytes=header.space_bytes - 1),
            [(channel, bent if channel is Channel.PLAN else data) for channel, data in packets],
        )
        error = expect_refused(workshop, stream, workshop.device(pair.old), BadStream)
        assert "declared" in str(error)


def plan_of(content: bytes) -> Unpacker:
    written = bytearray()
    packer = Packer(written.extend)
    packer.write(content)
    packer.finish()
    return Unpacker(Verified(bytes(written)))


@pytest.mark.parametrize(
    "events",
    [
        [plan.File(b"a", 9000, False), Piece(bytes(9000))],
        [Link(b"%d" % number, b"x" * 60) for number in range(4)],
        [Link(b"%d" % number + b"n" * 250, b"x") for number in range(10, 60)],
        [event for number in range(4) for event in (New(b"%d" % number), End())],
        [e for number in range(4) for e in (plan.File(b"%d" % number, 1, False), Piece(b"1"))],
    ],
    ids=["content", "link targets", "names", "folders", "blocks of small files"],
)
def test_s6_w5_every_block_is_paid_from_the_declared_space(
    workshop: "Workshop", forger: Forger, events: list[Event]
) -> None:
    need = Need(forger.position, 10_000, 3 * 4096, 99)
    message = refused(workshop, forger, [New(None), *events, End()], need)
    assert "more than it declared" in message


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
    check = folder_check((name.encode(), b"-") for name in sorted(map(str, range(1500))))
    like = [Like(b"%04d" % number, place(forger, b"many"), check) for number in range(count)]
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


def test_s6_w5_copies_of_files_with_too_many_names_are_bounded(
    workshop: "Workshop", forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot get one more name is copied; nobody has declared room for that."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)
    where = place(forger, b"many")
    check = many_check()
    events: list[Event] = [New(None), plan.Take(b"a", where, check), End()]
    need = Need(forger.position, 0, MIB, 99)
    expect_refused(workshop, forger.stream(events, need), forger.device, TooManyNames)


def many_check() -> int:
    """The check of a take of the folder with many files."""
    state = plan.entry_check(b"", b"d", 0)
    for name in sorted(map(str, range(1500))):
        state = plan.entry_check(name.encode(), b"-", state)
    return plan.end_check(state) & 0xFFFF


def test_s6_w5_folders_that_are_open_at_once_are_held_only_up_to_a_bound(
    workshop: "Workshop", forger: Forger
) -> None:
    check = folder_check((name.encode(), b"-") for name in sorted(map(str, range(1500))))
    inside = [Like(b"x", place(forger, b"many"), check)] * 100
    events: list[Event] = [New(None), *inside, *[End()] * 101]
    need = Need(forger.position, 0, 2 * MIB, 200)
    expect_refused(workshop, forger.stream(events, need), forger.device, TooManyEntries)


def test_s6_w5_an_object_is_not_made_whose_folders_nobody_could_hold(
    workshop: "Workshop", forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside each other they may have as many entries as they like."""
    monkeypatch.setattr("reconix.transfer.format.plan.MAX_ENTRIES", 6)
    need = Need(forger.position, 0, MIB, 99)
    links: list[Event] = [Link(b"%d" % number, b"x") for number in range(4)]
    beside: list[Event] = [New(None), New(b"a"), *links, End(), New(b"b"), *links, End(), End()]
    nested: list[Event] = [New(None), New(b"a"), *links, New(b"b"), *links, End(), End(), End()]
    expect_refused(workshop, forger.stream(beside, need), forger.device, ContentMismatch)
    assert "nested folders" in refused(workshop, forger, nested, need)


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
    written = bytearray()
    packer = Packer(written.extend)
    printer = Printer(packer)
    printer.feed(plan.Alternatives(None, (0, 1)))
    for event in [*file(None, b"1"), *skipped]:
        printer.feed(event)
    packer.finish()
    payload = Unpacker(Verified(bytes(written)))
    header = Header("gateway", "amd64", (), TARGET, 1, 2, 3, 4)
    spare = Spare(0, 0)
    account = Account(1, 1 << 16, 1, payload.wrong, CpuLimit.of(header), spare)
    with pytest.raises(BadStream, match="more work than"):
        list(parse(payload, Which(0, 2), account.skip))
