import io
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.paths import StorePath
from reconix.transfer.packing import Packer, Unpacker
from reconix.transfer.plan import (
    MAX_CHECKS,
    Drop,
    End,
    Event,
    File,
    Here,
    Keep,
    Like,
    Link,
    Location,
    Need,
    New,
    Piece,
    Printer,
    Take,
    folder_check,
    parse,
    parse_preface,
    print_preface,
)
from reconix.transfer.stream import BadStream, varint

TARGET = StorePath("0" * 32, "generation-gateway")
PLACE = Location(3, (b"usr", b"lib"))


class Proved:
    """Bytes that nobody has to prove."""

    def __init__(self, content: bytes) -> None:
        self.left = io.BytesIO(content)

    def some(self) -> bytes:
        return self.left.read(1000)

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=self.left.tell())


def payload(content: bytes) -> Unpacker:
    written = io.BytesIO()
    packer = Packer(written.write, "amd64")
    packer.write(content)
    packer.finish()
    return Unpacker(Proved(written.getvalue()))


def printed(events: Iterable[Event]) -> bytes:
    written = io.BytesIO()
    printer = Printer(written.write)
    for event in events:
        printer.feed(event)
    printer.close()
    return written.getvalue()


names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {0, 0x2F} & set(name) and name not in (b".", b"..")
)
targets = st.binary(min_size=1, max_size=20).filter(lambda target: 0 not in target)
places = st.builds(
    Location, st.integers(0, 1 << 40), st.lists(names, max_size=3).map(lambda path: tuple(path))
)
checks = st.binary(max_size=6).map(lambda content: content[: len(content) // 2 * 2])
numbers = st.integers(0, 0xFFFF)
counts = st.integers(1, 1 << 40)


@st.composite
def leaves(draw: st.DrawFn, name: st.SearchStrategy[bytes | None]) -> list[Event]:
    chosen = draw(name)
    content = draw(st.binary(max_size=30))
    file = File(chosen, len(content), draw(st.booleans()))
    pieces = [Piece(content)] if content else []
    link = Link(chosen, draw(targets))
    take = Take(chosen, draw(places), draw(checks))
    return draw(st.sampled_from([[file, *pieces], [link], [take]]))


@st.composite
def nodes(draw: st.DrawFn, name: st.SearchStrategy[bytes | None], depth: int) -> list[Event]:
    if depth == 0 or draw(st.booleans()):
        return draw(leaves(name))
    chosen, has_source = draw(name), draw(st.booleans())
    opened = Like(chosen, draw(places), draw(numbers)) if has_source else New(chosen)
    return [opened, *draw(inside(has_source=has_source, depth=depth - 1)), End()]


@st.composite
def inside(draw: st.DrawFn, *, has_source: bool, depth: int) -> list[Event]:
    optional = st.one_of(st.none(), names) if has_source else names
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 3))):
        choice = draw(st.integers(0, 3)) if has_source else 0
        if choice == 0:
            events += draw(nodes(optional, depth))
        elif choice == 1:
            events.append(Keep(draw(counts), draw(checks)))
        elif choice == 2:
            events.append(Drop(draw(counts)))
        elif depth:
            events += [Here(draw(numbers)), *draw(inside(has_source=True, depth=depth - 1)), End()]
    return events


@settings(deadline=None)
@given(nodes(st.none(), 3))
def test_events_come_back(events: list[Event]) -> None:
    reader = payload(printed(events))
    assert list(parse(reader)) == events
    reader.finish()


@pytest.mark.parametrize("name", [b"", b".", b"..", b"/etc", b"a/b", b"a\0b", b"n" * 256])
def test_s5_a_name_that_no_file_can_have_is_refused(name: bytes) -> None:
    reader = payload(printed([New(None), File(name, 0, False), End()]))
    with pytest.raises(BadStream, match="name"):
        list(parse(reader))


@pytest.mark.parametrize("path", [b"/etc", b"a//b", b"..", b"a/../b", b"a/", b"a\0", b"x" * 4096])
def test_s5_a_path_that_climbs_is_refused(path: bytes) -> None:
    reader = payload(b"\x0e\x00" + varint(len(path)) + path + b"\0")
    with pytest.raises(BadStream, match=r"name|path"):
        list(parse(reader))


@pytest.mark.parametrize("target", [b"", b"a\0b", b"t" * 4096])
def test_s5_a_link_target_that_cannot_be_is_refused(target: bytes) -> None:
    reader = payload(printed([Link(None, target)]))
    with pytest.raises(BadStream, match="target"):
        list(parse(reader))


@pytest.mark.parametrize(
    "events",
    [
        [End()],
        [Keep(1, b"")],
        [Drop(1)],
        [Here(0)],
        [File(b"name", 0, False)],
        [New(None), Keep(1, b"")],
        [New(None), Drop(1)],
        [New(None), Here(0)],
        [New(None), Link(None, b"target")],
    ],
    ids=repr,
)
def test_a_step_that_has_nothing_to_refer_to_is_refused(events: list[Event]) -> None:
    with pytest.raises(BadStream, match="no step begins with"):
        list(parse(payload(printed(events))))


@pytest.mark.parametrize("op", [3, 7, 15, 0x40, 0x41, 0x4D, 0x80, 0xFF])
def test_an_unknown_step_is_refused(op: int) -> None:
    content = printed([Like(None, PLACE, 0)]) + bytes([op])
    with pytest.raises(BadStream, match=f"no step begins with {op:#04x}"):
        list(parse(payload(content)))


def test_s6_folders_in_folders_end_somewhere() -> None:
    reader = payload(printed([New(None), *[New(b"d")] * 1000]))
    with pytest.raises(BadStream, match="deeper"):
        list(parse(reader))


def test_s6_absurd_numbers_are_refused() -> None:
    too_big = varint((1 << 60) + 1)
    for content in (b"\x08" + too_big, printed([Like(None, PLACE, 0)]) + b"\x02\x00"):
        with pytest.raises(BadStream, match=r"a file of|does nothing"):
            list(parse(payload(content)))
    many = printed([Like(None, PLACE, 0)]) + b"\x01\x01" + varint(MAX_CHECKS + 1)
    with pytest.raises(BadStream, match="checks"):
        list(parse(payload(many)))


def manifest() -> Manifest:
    item = StoreObject(TARGET, Digest.of(b"nar"), 3)
    return Manifest(TARGET, (item,))


def test_preface_comes_back() -> None:
    needs = (Need(0, 5, 4096, 1),)
    assert parse_preface(payload(print_preface(manifest(), needs))) == (manifest(), needs)


@pytest.mark.parametrize(
    "needs",
    [
        [Need(1, 0, 0, 0)],
        [Need(0, 0, 0, 0), Need(0, 0, 0, 0)],
        [Need(0, 0, 0, (1 << 21) + 1)],
    ],
    ids=repr,
)
def test_needs_that_cannot_be_are_refused(needs: list[Need]) -> None:
    with pytest.raises(BadStream):
        parse_preface(payload(print_preface(manifest(), needs)))


def test_a_manifest_that_is_none_is_refused() -> None:
    with pytest.raises(BadStream, match="manifest"):
        parse_preface(payload(varint(3) + b"{}\n" + b"\0"))
    with pytest.raises(BadStream, match="manifest"):
        parse_preface(payload(varint(1 << 40)))


def test_a_folder_check_tells_names_kinds_and_targets_apart() -> None:
    shapes = [
        [],
        [(b"a", b"-")],
        [(b"a", b"d")],
        [(b"b", b"-")],
        [(b"a", b"lx")],
        [(b"a", b"ly")],
        [(b"a", b"-"), (b"b", b"-")],
    ]
    assert len({folder_check(shape) for shape in shapes}) == len(shapes)
