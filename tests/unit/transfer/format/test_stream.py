import base64
import hashlib
import io
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base import progress
from reconix.base.progress import Silent
from reconix.store.paths import StorePath
from reconix.transfer.format import merkle
from reconix.transfer.format.merkle import HASH_BYTES
from reconix.transfer.format.stream import (
    FRAME_BYTES,
    MAGIC,
    MAX_BASES,
    MAX_FRAMES,
    MAX_HEADER_BYTES,
    MOVED_REFERENCES,
    REREADS,
    VERSION,
    AlteredOnTheWay,
    BadStream,
    Header,
    StreamReader,
    TruncatedStream,
    UnsupportedStream,
    parse_header,
    print_header,
    unzigzag,
    varint,
    zigzag,
)
from reconix.transfer.sending.writer import StreamWriter
from reconix.transfer.trust.seal import MAX_SEAL_BYTES, stream_statement

TARGET = StorePath("0" * 32, "generation-gateway")
HEADER = Header("gateway", "amd64", (), TARGET, 1, 2, 3, 4, sequence=5)
NOISE = random.Random(2).randbytes(50_000)


STORED = base64.b64decode(
    """
    iVJDWA0KGgoDAAAAAAAAAQAAewogICJhcmNoaXRlY3R1cmUiOiAiYW1kNjQiLAogICJiYXNlcyI6IFtd
    LAogICJjb250ZW50X2J5dGVzIjogMiwKICAiaG9zdCI6ICJnYXRld2F5IiwKICAiaW5vZGVzIjogNCwK
    ICAib2JqZWN0cyI6IDEsCiAgInBheWxvYWRfYnl0ZXMiOiA3LAogICJzZXF1ZW5jZSI6IDUsCiAgInNw
    YWNlX2J5dGVzIjogMywKICAidGFyZ2V0IjogIi9uaXgvc3RvcmUvMDAwMDAwMDAwMDAwMDAwMDAwMDAw
    MDAwMDAwMDAwMDAtZ2VuZXJhdGlvbi1nYXRld2F5Igp9Ctjqbw0NOT5OVHb2ZmVWljxG2aaRN2waLxRU
    fu68PxfwpOCi3RnLrw4Uz3dA6GLhcieCd1cUJGFB7kHm+uJUe8gCAAAAAABwYXlsb2Fk
    """
)


def write(*payload: bytes, header: Header = HEADER) -> bytes:
    written = io.BytesIO()
    writer = StreamWriter(written.write, header)
    for part in payload:
        writer.payload(part)
    writer.finish()
    return written.getvalue()


def read(content: bytes, size_bytes: int) -> bytes:
    reader = StreamReader(io.BytesIO(content).read)
    payload = b"".join(iter(reader.some, b""))
    reader.finish()
    assert len(payload) == size_bytes
    return payload


def frames(content: bytes) -> list[bytes]:
    """Cut a stream into its head and its frames."""
    reader = StreamReader(io.BytesIO(content).read)
    head = reader.read_head().print()
    assert content.startswith(head)
    rest = content[len(head) :]
    pieces = [rest[at : at + FRAME_BYTES] for at in range(0, len(rest), FRAME_BYTES)]
    return [head, *pieces]


def long_stream() -> tuple[bytes, int]:
    """A stream of several frames."""
    payload = random.Random(1).randbytes(3 * FRAME_BYTES + 1)
    content = write(payload)
    assert len(frames(content)) == 5
    return content, len(payload)


@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(1, 7))
def test_payload_comes_back_however_it_was_cut(parts: list[bytes], at_once: int) -> None:
    source = io.BytesIO(write(*parts))
    reader = StreamReader(lambda size: source.read(min(size, at_once)))
    assert b"".join(iter(reader.some, b"")) == b"".join(parts)
    reader.finish()
    assert write(*parts) == write(b"".join(parts))


@given(
    st.builds(
        Header,
        st.text(max_size=20),
        st.text(max_size=20),
        st.sampled_from([(), (TARGET,), (TARGET, StorePath("1" * 32, "other"))]),
        st.just(TARGET),
        *[st.integers(0, (1 << 63) - 1)] * 5,
        st.integers(0, MAX_FRAMES * FRAME_BYTES),
        *[st.integers(0, (1 << 63) - 1)] * 2,
    )
)
def test_header_comes_back(header: Header) -> None:
    document = print_header(header)[18:-32]
    assert parse_header(document) == header


def test_header_says_what_it_need_not_say_under_names_of_its_own() -> None:
    header = replace(HEADER, slot_bytes=7, moved_parts=8)
    assert b'"moved_parts": 8' in header.print() and b'"slot_bytes": 7' in header.print()
    assert b"slot_bytes" not in HEADER.print() and b"moved_parts" not in HEADER.print()


@pytest.mark.parametrize(
    ("number", "spelled"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (1 << 14, "808001")],
)
def test_numbers_take_seven_bits_a_byte_lowest_first(number: int, spelled: str) -> None:
    assert varint(number).hex() == spelled


def test_signed_numbers_are_spelled_in_zigzag() -> None:
    signed = [0, -1, 1, -2, 2, -3, 3]
    assert [zigzag(number) for number in signed] == list(range(7))
    assert [unzigzag(number) for number in range(7)] == signed


@given(st.integers(-(1 << 70), 1 << 70))
def test_zigzag_loses_nothing(number: int) -> None:
    assert unzigzag(zigzag(number)) == number


def test_the_seal_is_over_the_header_and_every_frame() -> None:
    content, _ = long_stream()
    reader = StreamReader(io.BytesIO(content).read)
    start = print_header(reader.header)[:-HASH_BYTES]
    leaves = tuple(merkle.leaf(frame) for frame in frames(content)[1:])
    expected = stream_statement(hashlib.sha256(start).digest(), merkle.root(leaves))
    assert reader.statement == expected


def test_a_head_is_kept_byte_for_byte_also_where_it_says_more_than_we_know() -> None:
    document = HEADER.print().replace(b"{\n", b'{\n  "because":  "of a newer release",\n', 1)
    start = MAGIC + bytes([VERSION, 0, 0, 0, 0, 0]) + len(document).to_bytes(4, "little") + document
    head = start + hashlib.sha256(start).digest() + bytes([2, 0, 0, 0, 0, 0])
    verified: list[bytes] = []
    found = StreamReader(io.BytesIO(head).read, verified.append).read_head()
    assert found.header == HEADER and found.print() == head
    assert verified == [head]


def test_what_was_proved_is_the_stream_again_piece_by_piece() -> None:
    content, _ = long_stream()
    verified: list[bytes] = []
    reader = StreamReader(io.BytesIO(content).read, verified.append)
    while reader.some():
        assert b"".join(verified) == content[: reader.offset]
    assert verified == frames(content)


def test_frames_that_were_kept_serve_a_reader_that_begins_later() -> None:
    """The way to resume: what is kept, then the link from there on."""
    content, size = long_stream()
    kept, link = (
        io.BytesIO(b"".join(frames(content)[:3])),
        io.BytesIO(b"".join(frames(content)[3:])),
    )
    reader = StreamReader(lambda size: kept.read(size) or link.read(size))
    assert sum(map(len, iter(reader.some, b""))) == size
    reader.finish()


def test_s1_a_stream_cut_at_any_byte_is_refused_with_the_place() -> None:
    content = write(b"payload")
    for size in range(len(content)):
        with pytest.raises(TruncatedStream, match=f"at byte {size}: it ends too early$") as caught:
            read(content[:size], 7)
        assert caught.value.offset == size


def test_s2_a_flipped_bit_in_any_byte_is_refused() -> None:
    content = write(b"payload")
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 1 << index % 8
        with pytest.raises((BadStream, TruncatedStream, UnsupportedStream)):
            read(bytes(changed), 7)


def test_s2_nothing_of_a_frame_is_used_before_its_hash_was_checked() -> None:
    content, _ = long_stream()
    parts = frames(content)
    changed = bytearray(parts[2])
    changed[1000] ^= 1
    reader = StreamReader(io.BytesIO(b"".join([*parts[:2], bytes(changed), *parts[3:]])).read)
    assert reader.some() == parts[1]
    begin = len(parts[0]) + len(parts[1])
    with pytest.raises(BadStream, match=f"at byte {begin}: frame 1 .*hash") as caught:
        reader.some()
    assert caught.value.offset == begin


class NoisyLink:
    """A link that alters a frame the first times that it gives it."""

    def __init__(self, content: bytes, at: int, times: int) -> None:
        self._content, self._at, self._times = content, at, times
        self._place = self.given = 0
        self.asked: list[tuple[int, int]] = []

    def read(self, size: int) -> bytes:
        data = bytearray(self._content[self._place : self._place + size])
        if self._times and self._place <= self._at < self._place + len(data):
            self._times -= 1
            data[self._at - self._place] ^= 1
        self._place += len(data)
        self.given += len(data)
        return bytes(data)

    def again(self, begin: int, size_bytes: int) -> None:
        self._place = begin
        self.asked.append((begin, size_bytes))


def test_s2_a_frame_that_came_altered_is_asked_for_again_and_nothing_else() -> None:
    content, _ = long_stream()
    at = len(b"".join(frames(content)[:2])) + 1000
    link = NoisyLink(content, at, REREADS)
    reader = StreamReader(link.read, again=link.again)
    assert b"".join(reader.some() for _ in range(reader.header.frames)) == b"".join(
        frames(content)[1:]
    )
    reader.finish()
    assert link.given == len(content) + REREADS * FRAME_BYTES
    assert link.asked == [(len(b"".join(frames(content)[:2])), FRAME_BYTES)] * REREADS


def test_s2_what_follows_the_last_frame_is_asked_for_again_too() -> None:
    content = write(b"payload")
    link = NoisyLink(content + b"more", 0, 0)
    reader = StreamReader(link.read, again=link.again)
    assert reader.some() == b"payload"
    with pytest.raises(AlteredOnTheWay, match=r": bytes follow the last frame$") as caught:
        reader.finish()
    assert caught.value.offset == len(content)
    assert link.asked == [(len(content), 1)] * REREADS
    assert link.given == len(content) + 1 + REREADS


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_s2_that_something_is_asked_for_again_is_told() -> None:
    content, _ = long_stream()
    begin = len(frames(content)[0])
    link, told = NoisyLink(content, begin + 5, 1), Notes()
    progress.listen(told)
    StreamReader(link.read, again=link.again).some()
    (note,) = told.notes
    assert f"altered at byte {begin};" in note and "frame 0" in note


def test_s2_a_frame_that_comes_altered_each_time_is_given_up() -> None:
    content, _ = long_stream()
    parts = frames(content)
    link = NoisyLink(content, len(parts[0]) + 5, 1000)
    reader = StreamReader(link.read, again=link.again)
    with pytest.raises(AlteredOnTheWay, match=f"at byte {len(parts[0])}: frame 0 .*hash"):
        reader.some()
    assert link.given == len(parts[0]) + (1 + REREADS) * FRAME_BYTES


@pytest.mark.parametrize(
    "order", [[0, 2, 1, 3, 4], [0, 1, 1, 2, 3, 4], [0, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 3]]
)
def test_s4_frames_that_are_moved_repeated_or_missing_are_refused(order: list[int]) -> None:
    content, size = long_stream()
    parts = frames(content)
    with pytest.raises((BadStream, TruncatedStream)):
        read(b"".join(parts[index] for index in order), size)


def test_t3_a_frame_of_another_stream_is_refused() -> None:
    content, size = long_stream()
    other = frames(write(random.Random(3).randbytes(size)))
    ours = frames(content)
    for mixed in ([*ours[:2], *other[2:]], [ours[0], *other[1:]], [other[0], *ours[1:]]):
        with pytest.raises(BadStream, match="hash"):
            read(b"".join(mixed), size)


def test_s4_an_unknown_version_is_named() -> None:
    for version in (2, 4):
        content = bytearray(write(b""))
        content[8] = version
        with pytest.raises(UnsupportedStream, match=f"version {version}") as caught:
            read(bytes(content), 0)
        assert "version 3" in caught.value.hint


def test_s4_an_unknown_feature_is_named() -> None:
    content = bytearray(write(b""))
    content[10] = 128
    with pytest.raises(UnsupportedStream, match="features 0x80"):
        read(bytes(content), 0)


def test_a_stream_with_moved_references_asks_for_who_knows_them() -> None:
    content = bytearray(write(b"", header=replace(HEADER, moved_parts=3)))
    assert content[10] == MOVED_REFERENCES
    assert StreamReader(io.BytesIO(content).read).header.moved_parts == 3
    content[10] = 0
    with pytest.raises(BadStream):
        read(bytes(content), 0)


def test_something_else_is_no_stream() -> None:
    with pytest.raises(BadStream, match="no update stream"):
        read(b"PK\3\4" + bytes(100), 1)


def test_bytes_after_the_last_frame_are_refused() -> None:
    with pytest.raises(BadStream, match="follow the last frame"):
        read(write(b"payload") + b"\0", 7)


def test_payload_that_nobody_asked_for_is_refused() -> None:
    reader = StreamReader(io.BytesIO(write(b"payload")).read)
    with pytest.raises(BadStream, match="follow the last object"):
        reader.finish()


def test_s6_a_huge_header_is_refused_before_it_is_read() -> None:
    start = bytearray(write(b"")[:18])
    start[14:18] = b"\xff\xff\xff\x7f"
    with pytest.raises(BadStream, match="at byte 18: a header of 2147483647 bytes") as caught:
        read(bytes(start), 0)
    assert caught.value.offset == 18


def test_a_header_as_large_as_allowed_is_read() -> None:
    document = HEADER.print().ljust(MAX_HEADER_BYTES)
    start = print_header(HEADER)[:14] + len(document).to_bytes(4, "little") + document
    head = start + hashlib.sha256(start).digest()
    assert StreamReader(io.BytesIO(head).read).header == HEADER


def test_a_header_that_lacks_something_is_named() -> None:
    document = HEADER.print().replace(b'"host"', b'"guest"')
    start = print_header(HEADER)[:14] + len(document).to_bytes(4, "little") + document
    with pytest.raises(BadStream, match="at byte 18: header"):
        StreamReader(io.BytesIO(start + hashlib.sha256(start).digest()).read)


def test_as_many_bases_and_frames_as_allowed_are_taken() -> None:
    bases = tuple(StorePath("0" * 32, f"base-{number}") for number in range(MAX_BASES))
    header = replace(HEADER, bases=bases, payload_bytes=MAX_FRAMES * FRAME_BYTES)
    assert StreamReader(io.BytesIO(print_header(header)).read).header == header


@pytest.mark.parametrize("size", [FRAME_BYTES * MAX_FRAMES + 1, (1 << 63) - 1])
def test_s6_more_frames_than_a_device_can_hold_leaves_of_are_refused(size: int) -> None:
    header = Header("gateway", "amd64", (), TARGET, 1, 2, 3, 4, payload_bytes=size)
    with pytest.raises(BadStream, match=r"frames, more than"):
        read(print_header(header), 1)


def test_s6_a_huge_seal_is_refused_before_it_is_read() -> None:
    content = print_header(HEADER) + b"\xff\xff\xff\x7f"
    with pytest.raises(BadStream, match="a seal of 2147483647 bytes"):
        read(content, 0)


def test_a_seal_that_is_none_is_named_with_its_place() -> None:
    content = print_header(HEADER) + MAX_SEAL_BYTES.to_bytes(4, "little") + b"\xff" * MAX_SEAL_BYTES
    begin = len(content) - MAX_SEAL_BYTES
    with pytest.raises(BadStream, match=f"at byte {begin}: the seal: ") as caught:
        StreamReader(io.BytesIO(content).read).read_head()
    assert caught.value.offset == begin


def test_s6_more_bases_than_make_sense_are_refused() -> None:
    bases = tuple(StorePath("0" * 32, f"base-{number}") for number in range(9))
    with pytest.raises(BadStream, match="9 bases"):
        read(print_header(Header("gateway", "amd64", bases, TARGET, 1, 2, 3, 4)), 0)


def test_a_failing_link_is_a_truncated_stream() -> None:
    def fail(size: int) -> bytes:
        raise ConnectionResetError("connection reset")

    with pytest.raises(TruncatedStream, match="connection reset"):
        StreamReader(fail)


def test_a_stream_that_was_stored_when_version_3_was_new_can_be_read() -> None:
    assert parse_header(print_header(HEADER)[18:-32]) == HEADER
    assert write(b"payload") == STORED
    assert read(STORED, 7) == b"payload"
