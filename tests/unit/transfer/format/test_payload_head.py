"""What is told before the objects comes back with any base, costs little, or is refused."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.packed import packed, packed_size

from reconix.base.digests import Digest
from reconix.store.images.erofs import MAX_NODES
from reconix.store.manifest import MAX_IMAGES, ImageEntry, Manifest
from reconix.store.paths import StorePath, base32_encode
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.codecs.tools import Tool
from reconix.transfer.format.bases import View
from reconix.transfer.format.manifest_difference import (
    MAX_NEW_IMAGES_BYTES,
    MAX_OBJECTS,
    MAX_PLACES,
    image_pairs,
    pairs,
    renames,
)
from reconix.transfer.format.payload_head import (
    Need,
    PayloadHead,
    parse_payload_head,
    print_payload_head,
)
from reconix.transfer.format.stream import BadStream, varint

ROOT = StorePath("0" * 32, "generation-gateway")


def image(*objects: StorePath, size_blocks: int = 3) -> ImageEntry:
    """An image, whose digest tells what stands in it."""
    inside = tuple(sorted(objects))
    return ImageEntry(inside, Digest.of(repr((inside, size_blocks)).encode()), 4096 * size_blocks)


def manifest(names: Sequence[str], size_blocks: int = 3) -> Manifest:
    """A generation with objects of these names; the first two stand in images of their own."""
    below = [StorePath(f"{name * 32}", "part") for name in names]
    images = [image(path, size_blocks=size_blocks) for path in below[:2]]
    images.append(image(ROOT, *below[1:], size_blocks=size_blocks))
    return Manifest(ROOT, tuple(sorted(images)))


def head_of(target: Manifest, view: View, tools: Tool = Tool(0)) -> PayloadHead:  # noqa: B008
    """A head with which everything is sent that the base does not have."""
    had = set(view.staying.objects)
    needs = (
        Need(place, 5, 4096, 1) for place, path in enumerate(target.objects) if path not in had
    )
    return PayloadHead(target, tuple(needs), tools)


names = st.lists(st.sampled_from("123456789abcdfgh"), unique=True)


@given(names, names, st.sampled_from([3, 4]), st.sampled_from([Tool(0), Tool.GZIP | Tool.LZ4]))
def test_any_manifest_comes_back_with_any_base(
    old: list[str], new: list[str], size: int, tools: Tool
) -> None:
    for base in (None, manifest(old)):
        view = View.whole(base)
        head = head_of(manifest(new, size), view, tools)
        parsed = parse_payload_head(packed(print_payload_head(head, view)), view)
        assert replace(parsed, renames=NO_RENAMES) == head
        assert parsed.renames == renames(view.staying, head.manifest)
        assert (
            parsed.renames.hashes
            == Renames.of(
                (before, after)
                for after, before in pairs(view.staying.objects, head.manifest.objects).items()
            ).hashes
        )


def test_what_the_base_has_may_be_sent_because_it_differs() -> None:
    base = manifest("12")
    head = PayloadHead(base, (Need(1, 0, 0, 0),))
    view = View.whole(base)
    assert parse_payload_head(packed(print_payload_head(head, view)), view) == head


def test_a_python_that_is_needed_is_named() -> None:
    view = View.whole(None)
    head = replace(
        head_of(manifest("12"), view), tools=Tool.PYTHON | Tool.GZIP, python=Digest.of(b"x")
    )
    assert parse_payload_head(packed(print_payload_head(head, view)), view) == head


def test_a_change_of_one_object_costs_little() -> None:
    many = "123456789abcdfghijklmnpqrsvwxyz"
    base, target = manifest(many), manifest(many[:-1])
    assert len(print_payload_head(PayloadHead(target, ()), View.whole(base))) < 32 + 20
    whole = View.whole(None)
    assert len(print_payload_head(head_of(target, whole), whole)) > 20 * len(many)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ([Need(1, 0, 0, 0)], "not in the manifest"),
        ([Need(0, 0, 0, 0), Need(1, 0, 0, 0)], "more than the target has"),
        ([Need(0, 0, 0, MAX_NODES + 1)], "more than 100000 files"),
        ([], "is new, and not sent"),
    ],
    ids=repr,
)
def test_needs_that_cannot_be_are_refused(needs: list[Need], said: str) -> None:
    content = print_payload_head(PayloadHead(manifest([]), tuple(needs)), View.whole(None))
    with pytest.raises(BadStream, match=said):
        parse_payload_head(packed(content), View.whole(None))


KEPT = b"\1\2\0\0"
ONE_NEW = b"\1\0\0\1" + bytes(20)
IMAGE = bytes(32)
ALL = b"\1\0\2"
"""Both objects of the base."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (varint(MAX_OBJECTS + 1), "steps in the manifest"),
        (b"\1\3", "that stay"),
        (b"\1\0\3", "that leave"),
        (b"\1\0\0" + varint(MAX_OBJECTS + 1), "objects in the manifest"),
        (ONE_NEW + b"\0\x80\x02", "a name"),
        (ONE_NEW + b"\0\4n/me\0\0\1" + IMAGE + b"\1\1\0\1", "store path"),
        (ONE_NEW + b"\3", "beyond the base"),
        (b"\0\0", "beyond the 0 of the manifest"),
        (KEPT + b"\5\0\0", "beyond the 2 of the manifest"),
        (KEPT + b"\0" + varint(MAX_IMAGES + 1), "runs"),
        (KEPT + b"\0\1\0" + varint(MAX_IMAGES + 1), "positions"),
        (KEPT + b"\0\1\3\1", "beyond the 2 of the manifest"),
        (KEPT + b"\0\0" + varint(MAX_IMAGES + 1), "images"),
        (KEPT + b"\0\0\1" + IMAGE + b"\1" + varint(MAX_PLACES + 1), "runs"),
        (KEPT + b"\0\0\2" + (IMAGE + b"\1\1\0" + varint(MAX_PLACES // 2 + 1)) * 2, "positions"),
        (KEPT + b"\0\0\1" + IMAGE + b"\1\1\1\2", "beyond the 2 of the manifest"),
        (KEPT + b"\0\0\1" + IMAGE + b"\0" + ALL, "no size"),
        (KEPT + b"\0\0\1" + IMAGE + varint((MAX_NEW_IMAGES_BYTES >> 12) + 1) + ALL, "blocks of"),
        (KEPT + b"\0\0\1" + IMAGE + b"\1\0", "not sorted"),
        (KEPT + b"\0\0\2" + (IMAGE + b"\1" + ALL) * 2, "stands twice"),
        (KEPT + b"\0\0\1" + IMAGE + b"\1\1\0\1", "do not have its objects"),
        (KEPT + b"\0\0\1" + IMAGE + b"\1\1\1\1", "in none of its images"),
        (KEPT + b"\0\1\0\2\0\0\x40", "tools"),
    ],
)
def test_s6_a_head_that_cannot_be_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        parse_payload_head(packed(content + bytes(40)), View.whole(manifest(["1"])))


def renamed(seed: int, count: int) -> Manifest:
    """A generation in which each object has a new hash for each seed; all stand together."""
    chance = random.Random(seed)
    paths = [
        StorePath(base32_encode(chance.randbytes(20)), f"package-{number}")
        for number in range(count)
    ]
    return Manifest(
        paths[0], (ImageEntry(tuple(sorted(paths)), Digest(chance.randbytes(32)), 4096),)
    )


def test_an_object_with_a_new_name_costs_its_hash_and_an_image_its_digest() -> None:
    old, new = renamed(1, 100), renamed(2, 100)
    view = View.whole(old)
    content = print_payload_head(head_of(new, view), view)
    assert packed_size(content) < 100 * (20 + 2) + 32 + 100
    parsed = parse_payload_head(packed(content), view)
    assert parsed.manifest == new
    names = {path.name: path for path in new.objects}
    assert all(parsed.renames.follow(path) == names[path.name] for path in old.objects)


def test_an_image_stands_for_one_that_goes_and_has_objects_of_the_same_names() -> None:
    names = ("etc", "system")
    old, new = ([StorePath(digit * 32, name) for name in names] for digit in "12")
    other = StorePath("3" * 32, "linux")
    stays, kernel = image(ROOT), image(other)
    before = [image(*old), image(old[0]), kernel, stays]
    after = [image(*new), image(new[0], size_blocks=4), image(*new, other), stays]
    assert list(image_pairs(before, after)) == [
        (image(*old).sha256, image(*new).sha256),
        (image(old[0]).sha256, image(new[0], size_blocks=4).sha256),
    ]


def test_of_several_images_for_one_the_first_counts() -> None:
    path = StorePath("1" * 32, "etc")
    one, two, three = (image(path, size_blocks=size) for size in (1, 2, 3))
    assert list(image_pairs([one], [two, three])) == [(one.sha256, two.sha256)]
    assert list(image_pairs([one, two], [three])) == [(one.sha256, three.sha256)]
