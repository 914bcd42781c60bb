"""Images are a pure function of trees, within limits."""

import gc
import hashlib
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.image_trees import CAPABILITY, file, folder, forests, link

from reconix.store.images import erofs
from reconix.store.images.erofs import (
    BLOCK_BYTES,
    MAX_NODES,
    TooLargeForImage,
    write_image,
)
from reconix.store.images.image import Image
from reconix.store.images.nodes import (
    EXECUTABLE,
    LINK,
    MAX_ATTRIBUTES_BYTES,
    MAX_DEPTH,
    MAX_ID,
    MAX_INLINE_BYTES,
    MAX_MTIME,
    MAX_NAME_BYTES,
    MAX_SIZE,
    MAX_TARGET_BYTES,
    READ_ONLY,
    ImageFile,
    ImageFolder,
    ImageLink,
    Metadata,
    Node,
)

GOLDEN = Path(__file__).parents[3] / "data" / "images" / "small.hex"
DIGEST = hashlib.sha256(b"content").digest()

SMALL: list[tuple[bytes, Node]] = [
    (
        b"root",
        folder(
            Metadata(0o1755, 1, 2, 1_700_000_000),
            bin=folder(ping=ImageFile(Metadata(0o4755, 0, 7, 1 << 33), 70_000, DIGEST)),
            caps=ImageFile(
                Metadata(0o755, attributes=((b"security.capability", CAPABILITY),)), 4096, DIGEST
            ),
            empty=file(b""),
            link=link(b"bin/ping"),
            long=link(b"up//" * 1023),
            small=file(b"small content\n"),
            many=folder(**{f"{each:03}" + "x" * 237: link(b"..") for each in range(17)}),
        ),
    ),
    (b"settings", file(b"x" * MAX_INLINE_BYTES, EXECUTABLE)),
]


def image_of(trees: Sequence[tuple[bytes, Node]]) -> bytes:
    written = bytearray()
    told = write_image(trees, written.extend)
    assert told == (hashlib.sha256(written).digest(), len(written))
    assert len(written) % BLOCK_BYTES == 0
    return bytes(written)


def hexdump(data: bytes) -> bytes:
    """Its digest, and sixteen bytes a line; one that repeats the last one is left out."""
    lines = [hashlib.sha256(data).hexdigest()]
    last = b""
    for at in range(0, len(data), 16):
        if data[at : at + 16] != last:
            last = data[at : at + 16]
            lines.append(f"{at:06x}  {last.hex(' ', 4)}")
    return "\n".join([*lines, ""]).encode()


def test_the_format_is_the_one_that_is_specified() -> None:
    printed = hexdump(image_of(SMALL))
    if os.environ.get("ACCEPT"):
        GOLDEN.write_bytes(printed)
    assert printed == GOLDEN.read_bytes(), "is it another version of the format?"


@settings(max_examples=30)
@given(forests, st.randoms(use_true_random=False))
def test_the_order_of_trees_does_not_matter(
    trees: list[tuple[bytes, Node]], chance: random.Random
) -> None:
    shuffled = chance.sample(trees, len(trees))
    assert image_of(shuffled) == image_of(trees)


@settings(max_examples=50)
@given(forests)
def test_an_image_has_all_of_its_trees(trees: list[tuple[bytes, Node]]) -> None:
    image = Image(image_of(trees))
    assert image.tree() == ImageFolder(EXECUTABLE, tuple(sorted(trees)))


@settings(max_examples=30)
@given(forests, forests)
def test_other_trees_have_another_image(
    one: list[tuple[bytes, Node]], other: list[tuple[bytes, Node]]
) -> None:
    assert (image_of(one) == image_of(other)) == (sorted(one) == sorted(other))


def test_no_image_is_without_a_root() -> None:
    assert Image(image_of([])).tree() == ImageFolder(EXECUTABLE, ())


@pytest.mark.parametrize("count", [1, 2, 35, 36, 37, 5000])
def test_a_folder_of_any_number_of_names_is_read_back(count: int) -> None:
    names = {f"{each:0100}": file(b"%d" % each) for each in range(count)}
    assert Image(image_of([(b"x", folder(**names))])).tree(b"x") == folder(**names)


@pytest.mark.parametrize("size_bytes", range(3950, MAX_TARGET_BYTES + 1, 5))
def test_a_long_target_is_read_back_wherever_it_stands(size_bytes: int) -> None:
    """Up to a block less an inode it stands behind it, and so never across the end of a block."""
    trees: list[tuple[bytes, Node]] = [(b"%d" % each, link(b"t" * size_bytes)) for each in range(3)]
    assert Image(image_of(trees)).tree(b"1") == link(b"t" * size_bytes)


@pytest.mark.parametrize("size_bytes", [0, 1, 100, 3900, 4000, 4096, 9000, 32_000])
def test_attributes_of_any_size_are_read_back(size_bytes: int) -> None:
    metadata = Metadata(0o644, attributes=((b"user.a", bytes(size_bytes)), (b"user.b", b"1")))
    nodes: list[Node] = [
        file(b"small", metadata),
        ImageFile(metadata, 5000, DIGEST),
        ImageLink(metadata, b"x" * 4000),
        ImageFolder(metadata, ()),
    ]
    trees = [(b"%d" % number, node) for number, node in enumerate(nodes)]
    assert Image(image_of(trees)).tree() == ImageFolder(EXECUTABLE, tuple(trees))


def nested(depth: int) -> Node:
    node: Node = file(b"")
    for _ in range(depth):
        node = folder(x=node)
    return node


def test_as_much_as_is_allowed_fits() -> None:
    most = Metadata(0o7777, MAX_ID, MAX_ID, MAX_MTIME)
    trees: list[tuple[bytes, Node]] = [
        (b"deep", nested(MAX_DEPTH - 1)),
        (b"large", ImageFile(most, MAX_SIZE, DIGEST)),
        (b"n" * MAX_NAME_BYTES, ImageLink(LINK, b"t" * MAX_TARGET_BYTES)),
    ]
    assert Image(image_of(trees)).tree() == ImageFolder(EXECUTABLE, tuple(trees))


def with_attribute(name: bytes, value: bytes) -> Node:
    return file(b"", Metadata(0o644, attributes=((name, value),)))


@dataclass(frozen=True)
class Refused:
    """A tree that is no image, and what is said of it."""

    node: Node
    reason: str


REFUSED = [
    Refused(nested(MAX_DEPTH), "in each other"),
    Refused(file(b"", Metadata(0o10000)), "mode 10000"),
    Refused(file(b"", Metadata(-1)), "mode -1"),
    Refused(file(b"", Metadata(0, user=MAX_ID + 1)), "user 4294967295"),
    Refused(file(b"", Metadata(0, user=-1)), "user -1"),
    Refused(file(b"", Metadata(0, group=MAX_ID + 1)), "group 4294967295"),
    Refused(file(b"", Metadata(0, mtime=MAX_MTIME + 1)), "time"),
    Refused(file(b"", Metadata(0, mtime=-1)), "time -1"),
    Refused(ImageFile(READ_ONLY, MAX_SIZE + 1, DIGEST), "a file of"),
    Refused(ImageFile(READ_ONLY, MAX_INLINE_BYTES + 1, DIGEST[1:]), "a file of"),
    Refused(ImageFile(READ_ONLY, 5, b"four"), "a file of"),
    Refused(link(b""), "a link to 0"),
    Refused(link(b"t" * (MAX_TARGET_BYTES + 1)), "a link to 4096"),
    Refused(ImageFolder(EXECUTABLE, ((b"", link(b"x")),)), "no name"),
    Refused(ImageFolder(EXECUTABLE, ((b"a/b", link(b"x")),)), "no name"),
    Refused(ImageFolder(EXECUTABLE, ((b"a\0", link(b"x")),)), "no name"),
    Refused(ImageFolder(EXECUTABLE, ((b"n" * 256, link(b"x")),)), "no name"),
    Refused(ImageFolder(EXECUTABLE, ((b".", link(b"x")),)), "twice"),
    Refused(ImageFolder(EXECUTABLE, ((b"..", link(b"x")),)), "twice"),
    Refused(ImageFolder(EXECUTABLE, ((b"a", link(b"x")), (b"a", link(b"y")))), "twice"),
    Refused(with_attribute(b"user.x", bytes(MAX_ATTRIBUTES_BYTES)), "attributes of"),
    Refused(with_attribute(b"user.x", bytes(1 << 16)), "an attribute of"),
    Refused(with_attribute(b"user." + b"x" * 256, b""), "an attribute of"),
    Refused(with_attribute(b"user.", b""), "no word"),
    Refused(with_attribute(b"other.x", b""), "no word"),
    Refused(with_attribute(b"system.posix_acl_access2", b""), "no word"),
    Refused(with_attribute(b"trusted.overlay.opaque", b"y"), "overlayfs"),
]


@pytest.mark.parametrize("refused", REFUSED)
def test_what_an_image_has_no_word_for_is_refused(refused: Refused) -> None:
    with pytest.raises(TooLargeForImage, match=refused.reason):
        image_of([(b"x", refused.node)])


def flat(count: int) -> ImageFolder:
    entries = ((b"%06d" % each, link(b"x")) for each in range(count))
    return ImageFolder(EXECUTABLE, tuple(entries))


def test_an_image_has_at_most_so_many_nodes() -> None:
    """The root and the folder count too."""
    assert len(image_of([(b"x", flat(MAX_NODES - 2))])) < 16 << 20
    with pytest.raises(TooLargeForImage, match=str(MAX_NODES)):
        image_of([(b"x", flat(MAX_NODES - 1))])


def calls(trees: Sequence[tuple[bytes, Node]]) -> int:
    """How many functions of ours are called to write an image."""
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename == erofs.__file__

    before = sys.getprofile()
    gc.disable()
    sys.setprofile(seen)
    try:
        write_image(trees, lambda _: None)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


@pytest.mark.parametrize("shape", ["one folder", "many folders", "many trees"])
def test_twice_the_nodes_take_twice_the_steps(shape: str) -> None:
    def some(count: int) -> list[tuple[bytes, Node]]:
        if shape == "one folder":
            return [(b"x", flat(count))]
        if shape == "many folders":
            return [(b"x", folder(**{str(each): flat(9) for each in range(count // 10)}))]
        return [(b"%d" % each, folder(x=link(b"y"))) for each in range(count // 2)]

    once, twice = calls(some(2000)), calls(some(4000))
    assert 1.8 * once < twice < 2.2 * once
