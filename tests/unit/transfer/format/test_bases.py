"""What devices are told about bases comes back on each of them, or is refused."""

import pytest
from tests.unit.transfer.format.test_payload_head import image, manifest
from tests.unit.transfer.packed import packed

from reconix.store.manifest import MAX_IMAGES, Manifest
from reconix.transfer.format.bases import MAX_COLUMNS, MAX_LEFT_OUT, View, parse_views, print_views
from reconix.transfer.format.manifest_difference import Staying
from reconix.transfer.format.plan import Location, Which, counted
from reconix.transfer.format.stream import BadStream, varint

BASES = [manifest("123"), manifest("13579")]
COMMON = [path for path in BASES[0].objects if path in BASES[1].objects]
IMAGES = tuple(entry for entry in BASES[0].images if entry in BASES[1].images)


def view(number: int, base: Manifest, *apart: str) -> View:
    """The objects that both have, and one that is only in this base."""
    own = [path for path in base.objects if path.hash[0] in apart]
    place = Location(len(COMMON), (b"usr", apart[0].encode()))
    return View((*COMMON, *own), len(COMMON), IMAGES, frozenset({place}), Which(number, 2))


def test_each_device_gets_the_view_of_its_base() -> None:
    views = [view(0, BASES[0], "2"), view(1, BASES[1], "7")]
    content = print_views(views, BASES)
    for number, base in enumerate(BASES):
        assert parse_views(packed(content), base, Which(number, 2)) == views[number]


def test_what_all_have_may_stay() -> None:
    assert (image(COMMON[1]),) == IMAGES
    assert view(0, BASES[0], "2").staying == Staying(tuple(COMMON), IMAGES)
    assert View.whole(BASES[0]).staying == Staying(BASES[0].objects, BASES[0].images)
    assert View.whole(None).staying == Staying((), ())


LEFT_OUT = varint(0)
LONG = b"\0" + counted(b"/".join([b"x" * 250] * 16))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (varint(MAX_COLUMNS + 1) + b"\0\0", "in all bases"),
        (b"\1\2\0", "in all bases"),
        (b"\1\0" + varint(MAX_IMAGES + 1), "in all bases"),
        (b"\1\1\0\1" + varint(4) + b"\1\0" + LEFT_OUT, "does not have"),
        (b"\2\0\0\0\1\1\0" + LEFT_OUT, "does not have"),
        (b"\0\0\1\0\1" + varint(3) + b"\1" + LEFT_OUT, "does not have"),
        (b"\1\1\0\0", "0 positions where 1 are needed"),
        (b"\0\0\1\0\1\0\2", "positions, more than 1"),
        (b"\1\1\0\1\0\1\0" + varint(MAX_LEFT_OUT + 1), "left out"),
        (b"\1\1\0\1\0\1\0" + varint(300) + LONG * 300, "takes more"),
        (b"\1\1\0\1\0\1\0\1\1\1a", "not in an object"),
        (b"\1\1\0\1\0\1\0\1\0\0", "not in an object"),
        (b"\1\1\0\1\0\1\0\1\0\2..", "name"),
    ],
)
def test_s6_views_that_cannot_be_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        parse_views(packed(content + bytes(40)), BASES[0], Which(0, 2))
