"""What devices are told about bases comes back on each of them, or is refused."""

import pytest
from tests.unit.transfer.format.test_payload_head import manifest, packed

from reconix.store.manifest import Manifest
from reconix.transfer.format.bases import MAX_COLUMNS, MAX_LEFT_OUT, View, parse_views, print_views
from reconix.transfer.format.plan import Location, Which, counted
from reconix.transfer.format.stream import BadStream, varint

BASES = [manifest("123"), manifest("13579")]
COMMON = [item for item in BASES[0].objects if item in BASES[1].objects]


def view(number: int, base: Manifest, *apart: str) -> View:
    """The objects that both have, and one that is only in this base."""
    own = [item for item in base.objects if item.path.hash[0] in apart]
    place = Location(len(COMMON), (b"usr", apart[0].encode()))
    return View((*COMMON, *own), len(COMMON), frozenset({place}), Which(number, 2))


def test_each_device_gets_the_view_of_its_base() -> None:
    views = [view(0, BASES[0], "2"), view(1, BASES[1], "7")]
    content = print_views(views, BASES)
    for number, base in enumerate(BASES):
        assert parse_views(packed(content), base, Which(number, 2)) == views[number]


def test_what_all_have_may_stay() -> None:
    assert list(view(0, BASES[0], "2").staying) == COMMON
    assert View.whole(BASES[0]).staying == BASES[0].objects
    assert View.whole(None).staying == ()


LEFT_OUT = varint(0)
LONG = b"\0" + counted(b"/".join([b"x" * 250] * 16))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (varint(MAX_COLUMNS + 1) + varint(0), "in all bases"),
        (b"\1\2", "in all bases"),
        (b"\1\1" + varint(4) + LEFT_OUT, "does not have"),
        (b"\2\0\1\1" + LEFT_OUT, "does not have"),
        (b"\1\1\0" + varint(MAX_LEFT_OUT + 1), "left out"),
        (b"\1\1\0" + varint(300) + LONG * 300, "takes more"),
        (b"\1\1\0\1\1\1a", "not in an object"),
        (b"\1\1\0\1\0\0", "not in an object"),
        (b"\1\1\0\1\0\2..", "name"),
    ],
)
def test_s6_views_that_cannot_be_are_refused(content: bytes, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        parse_views(packed(content + bytes(40)), BASES[0], Which(0, 2))
