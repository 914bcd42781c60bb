"""What devices would refuse the sender refuses, before anybody is offered it, or says otherwise."""

import gzip
import io
import shutil

import pytest
from tests.unit.transfer.conftest import Pair, Workshop

from reconix.store.tree import File, Node, Symlink, folder
from reconix.transfer.receiving.sources import TooManyEntries
from reconix.transfer.sending import send
from reconix.transfer.sending.rehearsal import DevicesWouldRefuse

WIDE: dict[str, Node] = {f"{number:03}": Symlink("x" * 90) for number in range(60)}
CONTENT = File(b"what is in it does not matter\n" * 9)


def refused(workshop: Workshop, pair: Pair) -> DevicesWouldRefuse:
    written = io.BytesIO()
    with pytest.raises(DevicesWouldRefuse) as caught:
        send.create(workshop.store, [pair.old], pair.new, written.write)
    assert not written.getvalue()
    return caught.value


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("stream.MAX_HEADER_BYTES", 100),
        ("stream.MAX_FRAMES", 0),
        ("reading.MAX_PAYLOAD_HEAD_BYTES", 100),
        ("manifest_difference.MAX_OBJECTS", 1),
        ("manifest_difference.MAX_REFERENCES", 1),
        ("payload_head.MAX_INODES", 1),
        ("plan.MAX_DEPTH", 1),
        ("plan.MAX_SIZE", 1000),
        ("plan.MAX_PARTS", 0),
        ("plan.MAX_COPIES", 0),
        ("plan.MAX_ENTRIES", 3),
    ],
)
def test_a_stream_that_breaks_a_limit_is_refused_before_a_byte_of_it_is_written(
    workshop: Workshop, pair: Pair, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(f"reconix.transfer.format.{limit}", value)
    assert refused(workshop, pair).hint


def test_bases_with_too_much_of_their_own_to_be_left_out_are_refused_with_a_way_out(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [
        workshop.generation(root=folder({"same": CONTENT, f"only-here-{number}": File(b"")}))
        for number in range(2)
    ]
    new = workshop.generation(root=folder({"same": CONTENT, "new": File(b"new")}))
    workshop.stream(old[0], new, old[1])
    monkeypatch.setattr("reconix.transfer.format.bases.MAX_LEFT_OUT", 0)
    with pytest.raises(DevicesWouldRefuse) as caught:
        workshop.stream(old[0], new, old[1])
    assert "fewer bases" in str(caught.value.hint)


def _changed(old: dict[str, Node]) -> dict[str, Node]:
    return {**old, "000": Symlink("y")}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"root": folder(WIDE)}, {"root": folder(_changed(WIDE))}),
        (
            {"root": folder({"a": folder(WIDE), "b": CONTENT})},
            {"root": folder({"a": folder(_changed(WIDE)), "b": CONTENT})},
        ),
        (
            {"root": folder({"a": folder(WIDE), "b": CONTENT})},
            {"root": folder({"a": folder(WIDE), "b": File(b"other")})},
        ),
        (
            {"root": folder({"a": folder({**WIDE, "f": CONTENT}), "b": CONTENT})},
            {"root": folder({"c": folder({**WIDE, "f": CONTENT}), "b": CONTENT})},
        ),
        (
            {"root": folder({"a": folder({**WIDE, "z": folder(WIDE)})})},
            {"root": folder({"a": folder({**WIDE, "z": folder(_changed(WIDE))})})},
        ),
    ],
    ids=["like", "here", "keep", "take", "nested"],
)
def test_folders_that_a_device_cannot_hold_at_once_are_described_without_them(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, old: dict[str, Node], new: dict[str, Node]
) -> None:
    pair = Pair(workshop.generation(**old), workshop.generation(**new))
    careless = workshop.stream(pair.old, pair.new)
    monkeypatch.setattr("reconix.transfer.receiving.sources.MAX_LISTED_BYTES", 10_000)
    with pytest.raises(TooManyEntries):
        workshop.receive(careless, workshop.device(pair.old))
    device = workshop.device(pair.old)
    workshop.receive(workshop.stream(pair.old, pair.new), device)
    workshop.expect_complete(device, pair.new)


def test_what_is_only_read_is_paid_for_too(workshop: Workshop) -> None:
    """An object that is there already is read over; in the stream it is expanded."""
    tool = {"usr/bin/gzip": File(b"#!", executable=True)}
    packed = File(gzip.compress(bytes(4 << 20), 9, mtime=0))
    old = workshop.generation(root=folder(tool))
    new = workshop.generation(root=folder(tool), packed=packed)
    path = workshop.path(new, "packed")
    device = workshop.device(old)
    shutil.copy2(workshop.store.path(path), device.path(path))
    workshop.receive(workshop.stream(old, new), device)
    workshop.expect_complete(device, new)
