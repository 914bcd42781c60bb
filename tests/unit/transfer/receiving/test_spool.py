"""N1: what arrived is not sent twice, and what the disk lost does not count."""

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconix.base.errors import ReconixError
from reconix.store.registry import Registry
from reconix.store.tree import File, folder
from reconix.transfer.format.stream import (
    FRAME_BYTES,
    AlteredOnTheWay,
    StreamReader,
    TruncatedStream,
)
from reconix.transfer.receiving.receive import StorageFailed, receive
from reconix.transfer.receiving.room import Room
from reconix.transfer.receiving.spool import Spool

if TYPE_CHECKING:
    from tests.unit.transfer.conftest import Pair, Workshop

import random

NOISE = random.Random(5).randbytes(6 * FRAME_BYTES)


class Link:
    """A link that is cut after so many bytes, and counts what it gave."""

    def __init__(self, content: bytes, until: int | None = None) -> None:
        self._source = io.BytesIO(content[:until])
        self.given = 0

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self.given += len(data)
        return data


@pytest.fixture
def stream(workshop: "Workshop") -> bytes:
    """Some frames, of a generation with two large objects."""
    half = len(NOISE) // 2
    target = workshop.generation(
        one=folder({"a": File(NOISE[:half])}), two=folder({"b": File(NOISE[half:])})
    )
    return workshop.stream(None, target)


def place(device: Registry) -> Path:
    return device.system_root / "reconix/spool"


def take(device: Registry, link: Link, *, resume: bool = False) -> None:
    """Receive as the agent does: with what is held first, if that is wanted."""
    spool = Spool(place(device))
    held = spool.held() if resume else None
    if held is None:
        receive(link.read, device, host="gateway", architecture="amd64", spool=spool)
        return
    with spool.resuming(held, link.read) as read:
        receive(read, device, host="gateway", architecture="amd64", spool=spool)


def cut(device: Registry, stream: bytes, at: int) -> int:
    """The link is cut at a byte; gives the byte at which the device can go on."""
    with pytest.raises(TruncatedStream):
        take(device, Link(stream, at), resume=True)
    held = Spool(place(device)).held()
    return 0 if held is None else held.offset


def head_bytes(stream: bytes) -> int:
    return len(StreamReader(io.BytesIO(stream).read).read_head().print())


def test_n1_after_a_cut_only_the_rest_is_sent(workshop: "Workshop", stream: bytes) -> None:
    device = workshop.device()
    offset = cut(device, stream, 4 * FRAME_BYTES)
    assert offset == head_bytes(stream) + 3 * FRAME_BYTES
    rest = Link(stream[offset:])
    take(device, rest, resume=True)
    assert rest.given == len(stream) - offset
    target = StreamReader(io.BytesIO(stream).read).header.target
    workshop.expect_complete(device, target)
    assert workshop.staged(device) == []
    assert not place(device).exists()


def test_n1_many_cuts_cost_no_more_than_what_they_cut(workshop: "Workshop", stream: bytes) -> None:
    device, offset, sent = workshop.device(), 0, 0
    for at in range(FRAME_BYTES + 9000, len(stream), FRAME_BYTES - 1000):
        link = Link(stream[offset:], at - offset)
        with pytest.raises(TruncatedStream):
            take(device, link, resume=True)
        held = Spool(place(device)).held()
        assert held is not None and held.offset >= offset
        offset, sent = held.offset, sent + link.given
    rest = Link(stream[offset:])
    take(device, rest, resume=True)
    assert sent + rest.given < len(stream) + 7 * FRAME_BYTES


@pytest.mark.parametrize("lost", [1, FRAME_BYTES - 1, FRAME_BYTES + 1])
def test_n1_what_the_disk_did_not_keep_is_asked_for_again(
    workshop: "Workshop", stream: bytes, lost: int
) -> None:
    device = workshop.device()
    offset = cut(device, stream, 5 * FRAME_BYTES)
    with place(device).open("r+b") as file:
        file.truncate(offset - lost)
    held = Spool(place(device)).held()
    assert held is not None and held.offset == offset - -(-lost // FRAME_BYTES) * FRAME_BYTES
    take(device, Link(stream[held.offset :]), resume=True)


def test_n1_what_the_disk_changed_does_not_count(workshop: "Workshop", stream: bytes) -> None:
    device = workshop.device()
    cut(device, stream, 5 * FRAME_BYTES)
    begin = head_bytes(stream)
    with place(device).open("r+b") as file:
        file.seek(begin + FRAME_BYTES + 77)
        file.write(b"\0\0\0\0")
    held = Spool(place(device)).held()
    assert held is not None and held.offset == begin + FRAME_BYTES
    take(device, Link(stream[held.offset :]), resume=True)


def test_n1_a_spool_without_a_whole_head_is_none(workshop: "Workshop", stream: bytes) -> None:
    device = workshop.device()
    for size in (0, 17, 300, head_bytes(stream) - 1):
        place(device).write_bytes(stream[:size])
        assert Spool(place(device)).held() is None
    take(device, Link(stream))


def test_another_stream_takes_the_place_of_what_was_kept(
    workshop: "Workshop", stream: bytes, pair: "Pair"
) -> None:
    device = workshop.device(pair.old)
    cut(device, stream, 5 * FRAME_BYTES)
    take(device, Link(workshop.stream(pair.old, pair.new)))
    workshop.expect_complete(device, pair.new)
    assert not place(device).exists() and workshop.staged(device) == []


def test_nothing_is_kept_of_a_stream_whose_generation_is_here(
    workshop: "Workshop", stream: bytes
) -> None:
    device = workshop.device()
    cut(device, stream, 5 * FRAME_BYTES)
    receive(Link(stream).read, device, host="gateway", architecture="amd64")
    assert place(device).exists()
    take(device, Link(stream))
    assert not place(device).exists()


def test_r2_nothing_is_kept_of_a_stream_that_the_disk_could_not_take(
    workshop: "Workshop", stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = workshop.device()

    def fail(descriptor: int) -> None:
        assert place(device).exists()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("reconix.transfer.receiving.contents.sync_file_system", fail)
    with pytest.raises(StorageFailed):
        take(device, Link(stream))
    assert not place(device).exists() and workshop.staged(device) == []


def test_r1_what_was_kept_of_another_stream_makes_room(
    workshop: "Workshop", stream: bytes, pair: "Pair", monkeypatch: pytest.MonkeyPatch
) -> None:
    device = workshop.device(pair.old)
    cut(device, stream, 5 * FRAME_BYTES)
    kept = place(device)
    monkeypatch.setattr(Room, "lacks", lambda *_: "what is kept" if kept.exists() else "")
    take(device, Link(workshop.stream(pair.old, pair.new)))
    workshop.expect_complete(device, pair.new)


def test_r2_what_was_received_counts_even_if_what_was_kept_cannot_be_removed(
    workshop: "Workshop", stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, discarded = workshop.device(), list[Spool]()

    def discard(spool: Spool) -> None:
        discarded.append(spool)
        if len(discarded) > 1:  # before the first write it fails as any write does
            spool.close()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Spool, "discard", discard)
    take(device, Link(stream))
    workshop.expect_complete(device, StreamReader(io.BytesIO(stream).read).header.target)


def test_t3_the_rest_of_another_stream_does_not_fit(workshop: "Workshop", stream: bytes) -> None:
    device = workshop.device()
    offset = cut(device, stream, 4 * FRAME_BYTES)
    other = workshop.stream(None, workshop.generation(one=folder({"a": File(NOISE[::-1])})))
    with pytest.raises(AlteredOnTheWay, match=f"at byte {offset}: frame 3 does not match its hash"):
        take(device, Link(other[offset:]), resume=True)
    assert device.manifests() == ()
    held = Spool(place(device)).held()
    assert held is not None and held.offset == offset, "what was verified stays"


def test_n1_a_flipped_bit_costs_only_the_frames_behind_it(
    workshop: "Workshop", stream: bytes
) -> None:
    device = workshop.device()
    begin = head_bytes(stream) + 4 * FRAME_BYTES
    altered = bytearray(stream)
    altered[begin + 1000] ^= 1
    with pytest.raises(AlteredOnTheWay):
        take(device, Link(bytes(altered)))
    rest = Link(stream[begin:])
    take(device, rest, resume=True)
    assert rest.given == len(stream) - begin


def test_n1_what_follows_a_stream_is_not_taken_and_costs_nothing_of_it(
    workshop: "Workshop", stream: bytes
) -> None:
    device = workshop.device()
    with pytest.raises(AlteredOnTheWay, match="bytes follow the last frame"):
        take(device, Link(stream + b"<html>log in to go on</html>"))
    nothing = Link(b"")
    take(device, nothing, resume=True)
    assert nothing.given == 0
    workshop.expect_complete(device, StreamReader(io.BytesIO(stream).read).header.target)


def test_a_stream_that_is_refused_first_leaves_what_was_kept(
    workshop: "Workshop", stream: bytes, pair: "Pair"
) -> None:
    device = workshop.device()
    offset = cut(device, stream, 4 * FRAME_BYTES)
    with pytest.raises(ReconixError):
        take(device, Link(workshop.stream(pair.old, pair.new)))
    held = Spool(place(device)).held()
    assert held is not None and held.offset == offset


def test_nothing_is_kept_of_what_proves_nothing(workshop: "Workshop", stream: bytes) -> None:
    """Only whole frames that have their hash are written."""
    device = workshop.device()
    cut(device, stream, 4 * FRAME_BYTES)
    assert place(device).read_bytes() == stream[: head_bytes(stream) + 3 * FRAME_BYTES]


def test_n3_an_installed_generation_needs_nothing_but_the_head(
    workshop: "Workshop", stream: bytes
) -> None:
    device = workshop.device()
    take(device, Link(stream))
    before = workshop.snapshot(device)
    again = Link(stream)
    take(device, again)
    assert again.given == head_bytes(stream)
    assert workshop.snapshot(device) == before
