from dataclasses import replace

from tests.unit.config.lock.test_containers import IMAGE, MANIFEST, blob, lock, native, package

from reconix.base.digests import Digest
from reconix.config.lock.moved import moved

INDEX = Digest.of(b"another index")
ELSEWHERE = replace(IMAGE, top=INDEX, manifest=blob("another", MANIFEST))


def test_a_tag_that_moved_is_told_with_both_digests() -> None:
    (found,) = moved(lock({"broker": IMAGE}), lock({"broker": ELSEWHERE}))
    assert str(found) == (
        f"container broker of gateway:default: {IMAGE.asked} was {IMAGE.top}, and is {INDEX} now"
    )


def test_an_index_that_has_the_same_image_is_told_as_that() -> None:
    (found,) = moved(lock({"broker": IMAGE}), lock({"broker": replace(IMAGE, top=INDEX)}))
    assert str(found).endswith("; the image for this architecture is the same")


def test_nothing_moved_where_something_else_is_asked_for() -> None:
    other = replace(ELSEWHERE, asked="registry.example.com/apps/broker:3")
    for before, now in (
        ({"broker": IMAGE}, {"broker": IMAGE}),
        ({"broker": IMAGE}, {"broker": other}),
        ({"broker": IMAGE}, {"other": ELSEWHERE}),
        ({"broker": native(package("flask"))}, {"broker": IMAGE}),
        ({"broker": IMAGE}, {"broker": native(package("flask"))}),
    ):
        assert moved(lock(before), lock(now)) == ()
