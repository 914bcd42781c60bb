"""What is written is read back; what is damaged is told, and never believed or read for ever."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.store.images.test_erofs import DIGEST, SMALL, image_of

from reconix.store.images import nodes
from reconix.store.images.erofs import (
    ENTRY,
    INODE,
    SLOT_BYTES,
    SUPER_AT,
    SUPERBLOCK,
)
from reconix.store.images.image import BadImage, Image
from reconix.store.images.nodes import EXECUTABLE, MAX_INLINE_BYTES, ImageFolder, find

PLAIN = image_of(SMALL)
ROOT = SUPER_AT + SUPERBLOCK.size
WHOLE = ImageFolder(EXECUTABLE, tuple(sorted(SMALL)))


def test_a_path_leads_to_its_tree() -> None:
    image = Image(PLAIN)
    assert image.names() == (b"root", b"settings")
    assert image.tree() == WHOLE
    assert image.tree(b"root", b"bin") == find(WHOLE, b"root", b"bin")
    assert image.look(b"root", b"bin", b"ping") == find(WHOLE, b"root", b"bin", b"ping")
    assert image.look(b"root", b"link") == find(WHOLE, b"root", b"link")
    assert image.listing(b"root", b"bin") == (b"ping",)


@pytest.mark.parametrize("path", [(b"no",), (b"root", b"bin", b"no"), (b"settings", b"no")])
def test_a_path_may_lead_nowhere(path: tuple[bytes, ...]) -> None:
    image = Image(PLAIN)
    assert (image.tree(*path), image.look(*path), image.listing(*path)) == (None, None, None)


def test_a_folder_is_no_file_and_a_file_no_folder() -> None:
    image = Image(PLAIN)
    assert image.look(b"root") is None
    assert image.listing(b"settings") is None


def test_its_contents_are_those_of_its_trees() -> None:
    image = Image(PLAIN)
    assert sorted(image.contents()) == sorted(nodes.contents(WHOLE))
    assert DIGEST in dict(image.contents())


def read_all(image: Image) -> None:
    image.names()
    list(image.contents())
    image.listing(b"root", b"many")
    image.look(b"root", b"bin", b"ping")
    image.tree()


def read_damaged(content: bytes) -> None:
    """Read all of an image that may be damaged: no other error than this one is allowed."""
    try:
        read_all(Image(content))
    except BadImage as error:
        assert str(error).startswith("a damaged image: ")


FIELDS = sorted(at for at in range(ROOT, len(PLAIN)) if PLAIN[at] and PLAIN[at] != ord("x"))
"""Where something stands that is read, and some of what is only read past."""


@settings(max_examples=600)
@given(st.one_of(st.sampled_from(FIELDS), st.integers(0, len(PLAIN) - 1)), st.integers(1, 255))
def test_one_byte_is_changed(at: int, difference: int) -> None:
    damaged = bytearray(PLAIN)
    damaged[at] ^= difference
    read_damaged(bytes(damaged))


@settings(max_examples=300)
@given(
    st.sampled_from(range(ROOT, len(PLAIN), 2)),
    st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 64) - 1]),
    st.sampled_from(["<H", "<I", "<Q"]),
)
def test_a_number_is_the_largest_or_the_least(at: int, number: int, form: str) -> None:
    size = struct.calcsize(form)
    value = struct.pack(form, number & ((1 << 8 * size) - 1))
    read_damaged(PLAIN[:at] + value + PLAIN[at + size :])


@settings(max_examples=200)
@given(st.integers(0, len(PLAIN) - 1))
def test_the_end_is_missing(size_bytes: int) -> None:
    read_damaged(PLAIN[:size_bytes])


@settings(max_examples=200)
@given(st.data())
def test_a_part_stands_where_another_one_was(data: st.DataObject) -> None:
    slots = st.integers(0, len(PLAIN) // SLOT_BYTES - 8)
    source, target = data.draw(slots) * SLOT_BYTES, data.draw(slots) * SLOT_BYTES
    size = data.draw(st.integers(1, 8)) * SLOT_BYTES
    read_damaged(PLAIN[:target] + PLAIN[source : source + size] + PLAIN[target + size :])


def test_a_folder_in_itself_is_not_read_for_ever() -> None:
    first = ROOT + INODE.size
    _, names_at, _ = ENTRY.unpack_from(PLAIN, first)
    entries = first + ENTRY.size * (names_at // ENTRY.size - 2)  # that of `root`
    _, name_at, kind = ENTRY.unpack_from(PLAIN, entries)
    looped = ENTRY.pack(ROOT // SLOT_BYTES, name_at, kind)
    with pytest.raises(BadImage, match="in itself"):
        Image(PLAIN[:entries] + looped + PLAIN[entries + ENTRY.size :]).tree()


@pytest.mark.parametrize("size_bytes", [0, SUPER_AT, ROOT - 1])
def test_what_is_too_small_is_no_image(size_bytes: int) -> None:
    with pytest.raises(BadImage):
        Image(PLAIN[:size_bytes])


@pytest.mark.parametrize(
    ("at", "what"),
    [(0, "magic"), (12, "size of a block"), (80, "features"), (40, "begin of nodes")],
)
def test_another_file_system_is_no_image(at: int, what: str) -> None:
    at += SUPER_AT
    with pytest.raises(BadImage):
        Image(PLAIN[:at] + bytes([PLAIN[at] ^ 0x41]) + PLAIN[at + 1 :])


def test_names_that_are_not_in_order_are_told() -> None:
    at = PLAIN.index(b"empty" + b"link")
    with pytest.raises(BadImage, match="entry"):
        Image(PLAIN[:at] + b"zmpty" + PLAIN[at + 5 :]).tree()


def test_a_content_whose_two_names_differ_is_told() -> None:
    """The kernel reads what the path says, and compares it with the digest."""
    at = PLAIN.index(b"/" + DIGEST.hex()[:2].encode() + b"/")
    with pytest.raises(BadImage, match="another name"):
        Image(PLAIN[: at + 1] + b"00" + PLAIN[at + 3 :]).tree()


def test_a_file_that_is_damaged_is_not_absent() -> None:
    at = PLAIN.index(b"x" * MAX_INLINE_BYTES) - INODE.size + 8  # its size
    with pytest.raises(BadImage):
        Image(PLAIN[:at] + bytes([MAX_INLINE_BYTES + 1]) + PLAIN[at + 1 :]).look(b"settings")
