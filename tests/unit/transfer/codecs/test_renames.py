"""References follow: whole, in pieces and in windows alike, and on the device to the last byte."""

import io
import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.receiving.test_receive import contents_of, unframed

from reconix.base.digests import Digest
from reconix.store.paths import StorePath
from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.bases import View
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.payload_head import parse_payload_head
from reconix.transfer.format.plan import Follow, parse
from reconix.transfer.format.stream import StreamReader
from reconix.transfer.receiving.sources import DamagedBase

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Workshop

OLD = [StorePath(letter * 32, "package") for letter in "abc"]
NEW = [StorePath(letter * 32, "package") for letter in "bcd"]
IMAGES = [Digest.of(letter) for letter in (b"a", b"b", b"c")]
RENAMES = Renames.of(zip(OLD, NEW, strict=True), itertools.pairwise(IMAGES))
"""Chains: what was replaced once must not be replaced again."""

DIGITS = [image.hex().encode() for image in IMAGES]
words = st.sampled_from(
    [str(path).encode() for path in [*OLD, *NEW]]
    + [b"/nix/store/", b"a" * 32, b"-", b"x", b"/nix/store/" + b"a" * 32, b"\0" * 30]
    + [*DIGITS, DIGITS[0][:63], DIGITS[0].upper()]
)
texts = st.lists(words, max_size=12).map(b"".join)


def replaced() -> Iterator[tuple[bytes, bytes]]:
    for old, new in zip(OLD, NEW, strict=True):
        yield f"/nix/store/{old.hash}-".encode(), f"/nix/store/{new.hash}-".encode()
    yield from itertools.pairwise(DIGITS)


def by_hand(text: bytes) -> bytes:
    """The slow way: at each place, does a reference begin here?"""
    made, at = b"", 0
    while at < len(text):
        for old, new in replaced():
            if text.startswith(old, at):
                made += new
                at += len(old)
                break
        else:
            made += text[at : at + 1]
            at += 1
    return made


@given(texts)
def test_references_are_replaced_wherever_they_stand(text: bytes) -> None:
    assert RENAMES.apply(text) == by_hand(text)


@given(texts, st.lists(st.integers(1, 60), min_size=1))
def test_pieces_do_not_matter(text: bytes, sizes: list[int]) -> None:
    pieces: list[bytes] = []
    rest = text
    while rest:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(rest[:size])
        rest = rest[size:]
    assert b"".join(RENAMES.apply_all(pieces)) == RENAMES.apply(text)
    assert bool(RENAMES.used_in(pieces)) == (RENAMES.apply(text) != text)


@given(texts, st.integers(0, 300), st.integers(0, 300))
def test_a_window_shows_what_the_whole_has_there(text: bytes, begin: int, size: int) -> None:
    def read(offset: int, size_bytes: int) -> bytes:
        return text[offset : offset + size_bytes]

    assert RENAMES.read(read, begin, size) == RENAMES.apply(text)[begin : begin + size]
    assert NO_RENAMES.read(read, begin, size) == text[begin : begin + size]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def closure(workshop: "Workshop", bottom: bytes, script: bytes = b"") -> StorePath:
    """A generation over a library, a program that names it in all ways, and a farm of links."""
    library = workshop.store.add_files(folder({"lib.so": File(bottom)}), "library")
    name = str(library).encode()
    program: dict[str, Node] = {
        "bin/tool": File(
            noise(1, 70_000) + name + noise(2, (1 << 20) - 20) + name, executable=True
        ),
        "bin/empty": File(b""),
        "bin/script": File(b"#!" + name + b"/sh\n" + script),
        "share/plain": File(noise(3, 200_000)),
        "share/doc/readme": File(b"see " + name + b"/share/doc\n"),
        "share/doc/short": File(b"no reference"),
        "lib": Symlink(f"{library}/lib.so"),
    }
    tool = workshop.store.add_files(folder(program), "tool", [library])
    farm: dict[str, Node] = {f"bin/{n}": Symlink(f"{tool}/bin/{n}") for n in range(50)}
    top = workshop.store.add_files(folder(farm), "farm", [tool])
    return workshop.generation_over({"root": top})


def followed(stream: bytes, workshop: "Workshop", base: StorePath) -> int:
    """How many steps of a stream let references follow."""
    reader = StreamReader(io.BytesIO(stream).read)
    reader.read_head()
    payload = Unpacker(reader)
    head = parse_payload_head(payload, View.whole(workshop.manifest(base)))
    events = [event for _ in head.needs for event in parse(payload)]
    return sum(isinstance(event, Follow) for event in events)


def test_a_change_at_the_bottom_costs_little_more_than_itself(workshop: "Workshop") -> None:
    old, new = closure(workshop, b"one"), closure(workshop, b"two")
    stream = workshop.stream(old, new)
    assert len(stream) < 1200
    assert followed(stream, workshop, old) >= 3
    registry = workshop.device(old)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, new)


def test_what_has_no_reference_is_not_written_again(workshop: "Workshop") -> None:
    old, new = closure(workshop, b"one"), closure(workshop, b"two")
    registry = workshop.device(old)
    workshop.receive(workshop.stream(old, new), registry)
    had, has = (contents_of(workshop, each) for each in (old, new))
    assert set(registry.pool.digests()) == had | has
    plain = workshop.content(old, "tool", "share", "plain")
    tool = [workshop.content(each, "tool", "bin", "tool") for each in (old, new)]
    assert plain in had & has and tool[0] not in has and tool[1] not in had


def test_a_file_that_changes_as_well_is_made_from_one_whose_references_follow(
    workshop: "Workshop",
) -> None:
    old, new = closure(workshop, b"one", b"old"), closure(workshop, b"two", b"new")
    registry = workshop.device(old)
    workshop.receive(workshop.stream(old, new), registry)
    workshop.expect_complete(registry, new)


@pytest.mark.parametrize("name", ["bin/tool", "share/doc/readme"])
def test_damage_in_what_follows_is_found(workshop: "Workshop", name: str) -> None:
    old, new = closure(workshop, b"one"), closure(workshop, b"two")
    registry = workshop.device(old)
    place = registry.pool.path(workshop.content(old, "tool", *name.split("/")))
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.chmod(0o644)
    place.write_bytes(content)
    with pytest.raises(DamagedBase, match=f"{name} is damaged"):
        workshop.receive(workshop.stream(old, new), registry)
    assert registry.get(new) is None


def test_several_bases_follow_only_what_all_have(workshop: "Workshop") -> None:
    olds: Sequence[StorePath] = [closure(workshop, b"one"), closure(workshop, b"two")]
    new = closure(workshop, b"three")
    stream = workshop.stream(olds[0], new, olds[1])
    for old in olds:
        registry = workshop.device(old, at=workshop.place / old.hash)
        workshop.receive(stream, registry)
        workshop.expect_complete(registry, new)


def test_the_digest_of_an_image_that_a_generation_names_is_not_sent_as_text(
    workshop: "Workshop",
) -> None:
    old, new = (workshop.generation(page=File(b"page %d\n" % number)) for number in range(2))
    stream = workshop.stream(old, new)
    image = workshop.manifest(new).image_of(workshop.path(new, "system-default"))
    assert image is not None
    document = workshop.store.path(new) / "generation.json"
    assert image.sha256.hex() in document.read_text()
    _, packets = unframed(stream)
    assert not any(image.sha256.hex().encode() in content for _, content in packets)
    registry = workshop.device(old)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, new)
