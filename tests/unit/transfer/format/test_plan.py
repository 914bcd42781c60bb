"""Events come back, and nothing else is read."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.packed import packed, packed_by

from reconix.store.images.metadata import MAX_MODE
from reconix.store.images.nodes import MAX_ATTRIBUTES_BYTES, MAX_ID, MAX_MTIME, Metadata
from reconix.transfer.codecs.modules import MAX_MADE_BYTES, MAX_SOURCE_BYTES
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.format.packing import Channel, Unpacker
from reconix.transfer.format.plan import (
    FIRST_METADATA,
    MAX_ATTRIBUTES,
    MAX_COPIES,
    MAX_CORRECTIONS,
    MAX_EXPANDED_BYTES,
    MAX_PARTS,
    MAX_SHIFT,
    MAX_SOURCES,
    Alternatives,
    Copied,
    Copies,
    Corrections,
    Drop,
    End,
    Event,
    File,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Meta,
    New,
    Op,
    Part,
    Patched,
    Piece,
    Printer,
    Same,
    Source,
    Take,
    Which,
    parse,
)
from reconix.transfer.format.stream import BadStream, varint
from reconix.transfer.sending.packer import Packer

PLACE = Location(3, (b"usr", b"lib"))


def printed_to(packer: Packer, events: Iterable[Event]) -> None:
    printer = Printer(packer)
    for event in events:
        printer.feed(event)


class Joined:
    """Takes what is written to the channel of the plan."""

    def __init__(self) -> None:
        self.plan = bytearray()

    def write(self, data: bytes, channel: Channel = Channel.PLAN) -> None:
        if channel is Channel.PLAN:
            self.plan += data


def printed(events: Iterable[Event]) -> bytes:
    sink = Joined()
    printer = Printer(sink)
    for event in events:
        printer.feed(event)
    return bytes(sink.plan)


names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {0, 0x2F} & set(name) and name not in (b".", b"..")
)
targets = st.binary(min_size=1, max_size=20).filter(lambda target: 0 not in target)
places = st.builds(
    Location, st.integers(0, 1 << 40), st.lists(names, max_size=3).map(lambda path: tuple(path))
)
metadata = st.builds(
    Metadata,
    st.integers(0, MAX_MODE),
    st.integers(0, MAX_ID),
    st.integers(0, 1000),
    st.integers(0, MAX_MTIME),
    st.dictionaries(
        st.sampled_from([b"user.a", b"security.capability"]), st.binary(max_size=4)
    ).map(lambda found: tuple(sorted(found.items()))),
)
counts = st.integers(1, 1 << 40)


@st.composite
def leaves(draw: st.DrawFn, name: st.SearchStrategy[bytes | None]) -> list[Event]:
    chosen = draw(name)
    content = draw(st.binary(max_size=30))
    file = File(chosen, len(content), draw(st.booleans()))
    pieces = [Piece(content)] if content else []
    link = Link(chosen, draw(targets))
    take = Take(chosen, draw(places))
    events: list[Event] = [Meta(found) for found in draw(st.lists(metadata, max_size=1))]
    events += draw(st.sampled_from([[file, *pieces], [link], [take], draw(patched(chosen))]))
    return events


sources = st.builds(Source, st.none() | places) | st.builds(
    Source,
    st.none() | places,
    st.sampled_from([Pack.GZIP, Pack.XZ, Pack.LZ4]),
    *[st.integers(0, 1 << 20)] * 3,
)
modules = st.builds(
    Source,
    places,
    st.just(Pack.MODULE),
    st.just(0),
    st.integers(0, MAX_SOURCE_BYTES),
    st.integers(0, MAX_MADE_BYTES),
    prefix=st.binary(max_size=9),
)
copies = st.lists(
    st.tuples(st.integers(0, 1 << 40), st.integers(0, 9), st.integers(1, 9)), max_size=4
)

shifts = st.integers(-MAX_SHIFT, MAX_SHIFT)
corrections = st.dictionaries(shifts, shifts, max_size=4).map(
    lambda found: Corrections.of(sorted(found.items()))
)


@st.composite
def patched(draw: st.DrawFn, name: bytes | None) -> list[Event]:
    count = draw(st.integers(0, 2))
    events: list[Event] = [Patched(name, draw(st.integers(0, 1 << 40)), draw(st.booleans()), count)]
    for _ in range(count):
        listed, rest = draw(copies), draw(st.integers(0, 9))
        size = rest + sum(gap + length for _, gap, length in listed)
        channel = draw(st.sampled_from([Channel.TEXT, Channel.BINARY, Channel.CODE]))
        chosen = tuple(draw(st.lists(sources | modules, max_size=2)))
        pack = draw(st.sampled_from([pack for pack in Pack if pack is not Pack.MODULE]))
        targets = draw(st.none() | corrections)
        types_at = draw(st.none() | st.integers(0, 1 << 40)) if targets else None
        events.append(Part(pack, size, channel, chosen, Copies.of(listed), targets, types_at))
        if listed:
            gaps, lengths = (sum(copy[index] for copy in listed) for index in (1, 2))
            events.append(Copied(listed, b"p" * gaps, b"d" * lengths))
        events += [Piece(b"r" * rest)] if rest else []
    return events


@st.composite
def nodes(draw: st.DrawFn, name: st.SearchStrategy[bytes | None], depth: int) -> list[Event]:
    if depth == 0 or draw(st.booleans()):
        return draw(leaves(name))
    chosen, has_source = draw(name), draw(st.booleans())
    opened = Like(chosen, draw(places)) if has_source else New(chosen)
    return [opened, *draw(inside(has_source=has_source, depth=depth - 1)), End()]


@st.composite
def inside(draw: st.DrawFn, *, has_source: bool, depth: int) -> list[Event]:
    optional = st.one_of(st.none(), names) if has_source else names
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 3))):
        choice = draw(st.integers(0, 4)) if has_source else 0
        if choice == 0:
            events += draw(nodes(optional, depth))
        elif choice == 1:
            events.append(Keep(draw(counts)))
        elif choice == 2:
            events.append(Drop(draw(counts)))
        elif choice == 3:
            events += [Meta(draw(metadata)), Same()]
        elif depth:
            events += [Here(), *draw(inside(has_source=True, depth=depth - 1)), End()]
    return events


@given(nodes(st.none(), 3))
def test_events_come_back(events: list[Event]) -> None:
    reader = packed_by(lambda packer: printed_to(packer, events))
    assert list(parse(reader)) == events
    reader.finish()


def alternatives(*picks: int) -> Unpacker:
    """Two variants of a file, inside a folder."""

    def fill(packer: Packer) -> None:
        packer.write(print_ops(Op.NEW))
        printer = Printer(packer)
        for event in (Alternatives(b"a", picks), *VARIANTS[0], *VARIANTS[1]):
            printer.feed(event)
        packer.write(print_ops(Op.END))

    return packed_by(fill)


def print_ops(*ops: Op) -> bytes:
    return bytes(ops)


COPY = Part(Pack.NONE, 9, Channel.TEXT, (Source(PLACE),), Copies.of([(0, 2, 5)]))
VARIANTS: list[list[Event]] = [
    [File(None, 3, False), Piece(b"abc")],
    [Patched(None, 9, True, 1), COPY, Copied([(0, 2, 5)], b"pp", b"ddddd"), Piece(b"rr")],
]


@pytest.mark.parametrize(("number", "variant"), [(0, 0), (1, 1), (2, 0)])
def test_of_several_variants_each_base_gets_its_own(number: int, variant: int) -> None:
    reader = alternatives(0, 1, 0)
    found = list(parse(reader, Which(number, 3)))
    first = File(b"a", 3, False) if variant == 0 else Patched(b"a", 9, True, 1)
    assert found == [New(None), first, *VARIANTS[variant][1:], End()]
    reader.finish()


@pytest.mark.parametrize("picks", [(1, 0), (0, 2), (0, 1 << 62)])
def test_s6_variants_that_are_not_there_cannot_be_picked(picks: tuple[int, int]) -> None:
    with pytest.raises(BadStream, match="in order of first use"):
        list(parse(alternatives(*picks), Which(0, 2)))


def test_with_one_base_there_are_no_alternatives() -> None:
    with pytest.raises(BadStream, match="only one base"):
        list(parse(alternatives(0)))


@pytest.mark.parametrize("op", [Op.NEW, Op.LIKE, Op.LINK, Op.ALTERNATIVES, Op.END, 0x48, 0xFF])
def test_a_variant_is_nothing_but_a_file(op: int) -> None:
    content = printed([New(None)]) + printed_alternatives() + bytes([op])
    with pytest.raises(BadStream, match="no variant begins with"):
        list(parse(packed(content), Which(0, 2)))


def printed_alternatives() -> bytes:
    sink = Joined()
    Printer(sink).feed(Alternatives(b"a", (0, 1)))
    return bytes(sink.plan)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"/etc", b"a/b", b"a\0b", b"n" * 256])
def test_s5_a_name_that_no_file_can_have_is_refused(name: bytes) -> None:
    reader = packed(printed([New(None), File(name, 0, False), End()]))
    with pytest.raises(BadStream, match="name"):
        list(parse(reader))


@pytest.mark.parametrize("path", [b"/etc", b"a//b", b"..", b"a/../b", b"a/", b"a\0", b"x" * 4096])
def test_s5_a_path_that_climbs_is_refused(path: bytes) -> None:
    reader = packed(b"\x0e\x00" + varint(len(path)) + path + b"\0")
    with pytest.raises(BadStream, match=r"name|path"):
        list(parse(reader))


@pytest.mark.parametrize("target", [b"", b"a\0b", b"t" * 4096])
def test_s5_a_link_target_that_cannot_be_is_refused(target: bytes) -> None:
    reader = packed(printed([Link(None, target)]))
    with pytest.raises(BadStream, match="target"):
        list(parse(reader))


@pytest.mark.parametrize(
    "events",
    [
        [End()],
        [Keep(1)],
        [Drop(1)],
        [Here()],
        [File(b"name", 0, False)],
        [New(None), Keep(1)],
        [New(None), Drop(1)],
        [New(None), Here()],
        [New(None), Link(None, b"target")],
    ],
    ids=repr,
)
def test_a_step_that_has_nothing_to_refer_to_is_refused(events: list[Event]) -> None:
    with pytest.raises(BadStream, match="no step begins with"):
        list(parse(packed(printed(events))))


@pytest.mark.parametrize("op", [6, 7, 18, 0x44, 0x45, 0x40, 0x41, 0x4D, 0x80, 0xFF])
def test_an_unknown_step_is_refused(op: int) -> None:
    content = printed([Like(None, PLACE)]) + bytes([op])
    with pytest.raises(BadStream, match=f"no step begins with {op:#04x}"):
        list(parse(packed(content)))


def test_s6_folders_in_folders_end_somewhere() -> None:
    reader = packed(printed([New(None), *[New(b"d")] * 1000]))
    with pytest.raises(BadStream, match="deeper"):
        list(parse(reader))


def test_s6_absurd_numbers_are_refused() -> None:
    too_big = varint((1 << 60) + 1)
    for content in (b"\x08" + too_big, printed([Like(None, PLACE)]) + b"\x02\x00"):
        with pytest.raises(BadStream, match=r"a file of|of no entries"):
            list(parse(packed(content)))
    parts = printed([Patched(None, 1, False, MAX_PARTS + 1)])
    with pytest.raises(BadStream, match="parts"):
        list(parse(packed(parts)))


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\x04", "no kind of packing"),
        (b"\x06", "no kind of packing"),
        (b"\x01" + varint(MAX_EXPANDED_BYTES + 1), "packed part"),
        (b"\x00\x05\x09", "no kind of content"),
        (b"\x00\x05\x00" + varint(MAX_SOURCES + 1), "sources"),
        (b"\x00\x05\x00\x01\x12", "no kind of source"),
        (b"\x00\x05\x00\x01\x06", "references follow in a packed source"),
        (b"\x00\x05\x00\x01\x04\x00\x00" + varint(MAX_EXPANDED_BYTES + 1), "a source of"),
        (b"\x00\x05\x00\x00" + varint(MAX_COPIES + 1), "copies"),
    ],
)
def test_s6_a_part_that_cannot_be_is_refused(start: bytes, said: str) -> None:
    content = printed([Patched(None, 5, False, 1)]) + start
    with pytest.raises(BadStream, match=said):
        list(parse(packed(content)))


@pytest.mark.parametrize(
    "found",
    [
        [(5, 1), (5, 2)],
        [(5, 1), (4, 2)],
        [(MAX_SHIFT + 1, 1)],
        [(-MAX_SHIFT - 1, 1)],
        [(0, MAX_SHIFT), (1, MAX_SHIFT + 1)],
        [(number, 1) for number in range(MAX_CORRECTIONS + 1)],
    ],
    ids=len,
)
def test_s6_corrections_have_an_order_and_limits(found: list[tuple[int, int]]) -> None:
    part = Part(Pack.NONE, 5, Channel.CODE, (), Copies.of([]), Corrections.of(found))
    events: list[Event] = [Patched(None, 5, False, 1), part, Piece(bytes(5))]
    with pytest.raises(BadStream, match="correction"):
        list(parse(packed_by(lambda packer: printed_to(packer, events))))


@pytest.mark.parametrize("copies", [[(0, 0, 6)], [(0, 6, 1)], [(0, 3, 1), (0, 1, 1)]])
def test_s6_copies_do_not_make_more_than_their_part(copies: list[tuple[int, int, int]]) -> None:
    part = Part(Pack.NONE, 5, Channel.TEXT, (Source(None),), Copies.of(copies))
    copied = Copied(copies, bytes(sum(gap for _, gap, _ in copies)), bytes(9))
    events: list[Event] = [Patched(None, 5, False, 1), part, copied]
    with pytest.raises(BadStream, match="longer than their part"):
        list(parse(packed_by(lambda packer: printed_to(packer, events))))


def test_a_copy_from_before_the_beginning_is_refused() -> None:
    def fill(packer: Packer) -> None:
        packer.write(printed([Patched(None, 5, False, 1)]) + b"\x00\x05\x00\x00\x01")
        for channel in (Channel.FROM, Channel.GAP, Channel.LENGTH):
            packer.write(b"\x01", channel)

    with pytest.raises(BadStream, match="out of range"):
        list(parse(packed_by(fill)))


def test_metadata_that_were_told_before_take_two_bytes() -> None:
    found = Metadata(0o640, 100, 101, 1_700_000_000, ((b"user.a", b"1"),))
    told: list[Event] = [Meta(found), Link(b"a", b"x")]
    assert len(printed([New(None), *told, *told])) == len(printed([New(None), *told])) + 2 + 5
    assert len(printed([Meta(FIRST_METADATA), New(None)])) == 3


@pytest.mark.parametrize("event", [Keep(1), Drop(1), End(), Meta(FIRST_METADATA)], ids=repr)
def test_metadata_of_nothing_are_refused(event: Event) -> None:
    with pytest.raises(BadStream, match="metadata of what begins with"):
        list(parse(packed(printed([Like(None, PLACE), Meta(FIRST_METADATA), event]))))


def test_what_is_the_same_has_other_metadata() -> None:
    with pytest.raises(BadStream, match="no other metadata"):
        list(parse(packed(printed([Like(None, PLACE), Same(), End()]))))
    with pytest.raises(BadStream, match="no step begins with"):
        list(parse(packed(printed([New(None), Meta(FIRST_METADATA), Same(), End()]))))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (b"\x20", "no kind of metadata"),
        (b"\x01" + varint(MAX_MODE + 1), "out of range"),
        (b"\x02" + varint(MAX_ID + 1), "out of range"),
        (b"\x04" + varint(MAX_ID + 1), "out of range"),
        (b"\x08" + varint(2 * MAX_MTIME + 2), "out of range"),
        (b"\x08\x01", "out of range"),
        (b"\x10" + varint(MAX_ATTRIBUTES + 1), "attributes"),
        (b"\x10\x01" + varint(MAX_ATTRIBUTES_BYTES + 1), "an attribute"),
        (b"\x10\x01\x06user.a" + varint(MAX_ATTRIBUTES_BYTES - 5), "an attribute"),
        (b"\x10\x01\x06system\x00", "none of ours"),
        (b"\x10\x01\x1btrusted.overlay.redirect.ab\x00", "none of ours"),
        (b"\x10\x02\x06user.b\x00\x06user.a\x00", "not sorted"),
    ],
)
def test_s6_metadata_that_cannot_be_are_refused(told: bytes, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        list(parse(packed(b"\x04" + told + b"\x0b" + bytes(300))))
