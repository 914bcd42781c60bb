import base64
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.store.paths import StorePath
from reconix.transfer.packing import Unpacker
from reconix.transfer.stream import (
    FRAME_BYTES,
    BadStream,
    Header,
    StreamReader,
    StreamWriter,
    TruncatedStream,
    UnsupportedStream,
    parse_header,
)

TARGET = StorePath("0" * 32, "generation-gateway")
HEADER = Header("gateway", "amd64", None, TARGET, 1, 2, 3, 4)
NOISE = random.Random(2).randbytes(50_000)


STORED = base64.b64decode(
    """
    iVJDWA0KGgoBAAAAAADaAAAAewogICJhcmNoaXRlY3R1cmUiOiAiYW1kNjQiLAogICJiYXNlIjogbnVs
    bCwKICAiY29udGVudF9ieXRlcyI6IDIsCiAgImhvc3QiOiAiZ2F0ZXdheSIsCiAgImlub2RlcyI6IDQs
    CiAgIm9iamVjdHMiOiAxLAogICJzcGFjZV9ieXRlcyI6IDMsCiAgInRhcmdldCI6ICIvbml4L3N0b3Jl
    LzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLWdlbmVyYXRpb24tZ2F0ZXdheSIKfQphhoA6
    28d1yCX0xXnfCI0L3zrAbaiw4pGxR9OSJae87wE4AAAA/Td6WFoAAAD/EtlBAgEEACEBGACDq7aBAQAG
    cGF5bG9hZAAAAAEXBx6kYbsGcp56AQAAAAAAWVq6rIQtnKg/h6DPcm0TFJaJU886eBcY3ZKkHIL4jk38
    sgIAAAAA1HsySvEqFQF5Yfw2SVVN2RXLfmHVDh7iy1HLZJzqoW8=
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
    """Cut a stream into what precedes the frames, and the frames."""
    at = 18 + int.from_bytes(content[14:18], "little") + 32
    parts = [content[:at]]
    while at < len(content):
        size = 5 + int.from_bytes(content[at + 1 : at + 5], "little") + 32
        parts.append(content[at : at + size])
        at += size
    return parts


def long_stream() -> tuple[bytes, int]:
    """A stream of several frames."""
    payload = random.Random(1).randbytes(3 * FRAME_BYTES)
    content = write(payload)
    assert len(frames(content)) >= 4
    return content, len(payload)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_payload_comes_back(parts: list[bytes]) -> None:
    payload = b"".join(parts)
    assert read(write(*parts), len(payload)) == payload


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 7))
def test_a_link_may_give_a_few_bytes_at_a_time(payload: bytes, at_once: int) -> None:
    source = io.BytesIO(write(payload))
    reader = StreamReader(lambda size: source.read(min(size, at_once)))
    assert b"".join(iter(reader.some, b"")) == payload
    reader.finish()


@settings(deadline=None)
@given(
    st.builds(
        Header,
        st.text(max_size=20),
        st.text(max_size=20),
        st.sampled_from([None, TARGET]),
        st.just(TARGET),
        *[st.integers(0, (1 << 63) - 1)] * 4,
    )
)
def test_header_comes_back(header: Header) -> None:
    assert parse_header(header.print()) == header


def test_same_payload_same_bytes_however_it_was_cut() -> None:
    assert write(NOISE) == write(NOISE[:1], NOISE[1:])


def test_s1_a_stream_cut_at_any_byte_is_refused_with_the_place() -> None:
    content = write(b"payload")
    for size in range(len(content)):
        with pytest.raises(TruncatedStream, match=f"at byte {size}:"):
            read(content[:size], 7)


def test_s2_a_flipped_bit_in_any_byte_is_refused() -> None:
    content = write(b"payload")
    for index in range(len(content)):
        changed = bytearray(content)
        changed[index] ^= 1 << index % 8
        with pytest.raises((BadStream, TruncatedStream, UnsupportedStream)):
            read(bytes(changed), 7)


def test_nothing_of_a_frame_is_used_before_its_digest_was_checked() -> None:
    content, _ = long_stream()
    parts = frames(content)
    changed = bytearray(parts[2])
    changed[1000] ^= 1
    reader = StreamReader(io.BytesIO(b"".join([*parts[:2], bytes(changed), *parts[3:]])).read)
    offset = len(parts[0]) + len(parts[1])
    with pytest.raises(BadStream, match=f"at byte {offset}: .*digest"):
        b"".join(iter(reader.some, b""))


@pytest.mark.parametrize("order", [[0, 2, 1, 3], [0, 1, 1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
def test_s4_frames_that_are_moved_repeated_or_missing_are_refused(order: list[int]) -> None:
    content, size = long_stream()
    parts = frames(content)
    parts = [*parts[:3], b"".join(parts[3:])]
    with pytest.raises((BadStream, TruncatedStream)):
        read(b"".join(parts[index] for index in order), size)


def test_t3_a_frame_of_another_stream_is_refused() -> None:
    content, size = long_stream()
    other = frames(write(NOISE, header=Header("other", "amd64", None, TARGET, 1, 2, 3, 4)))
    with pytest.raises(BadStream, match="digest"):
        read(frames(content)[0] + b"".join(other[1:]), size)


def test_s4_an_unknown_version_is_named() -> None:
    content = bytearray(write(b""))
    content[8] = 2
    with pytest.raises(UnsupportedStream, match="version 2") as caught:
        read(bytes(content), 0)
    assert "version 1" in caught.value.hint


def test_s4_an_unknown_feature_is_named() -> None:
    content = bytearray(write(b""))
    content[10] = 4
    with pytest.raises(UnsupportedStream, match="features 0x4"):
        read(bytes(content), 0)


def test_s4_an_unknown_kind_of_frame_is_named() -> None:
    parts = frames(write(b""))
    with pytest.raises(UnsupportedStream, match="kind 7"):
        read(parts[0] + b"\7" + parts[1][1:], 1)


def test_something_else_is_no_stream() -> None:
    with pytest.raises(BadStream, match="no update stream"):
        read(b"PK\3\4" + bytes(100), 1)


def test_bytes_after_the_end_mark_are_refused() -> None:
    with pytest.raises(BadStream, match="follow the end mark"):
        read(write(b"payload") + b"\0", 7)


def test_s6_a_huge_header_is_refused_before_it_is_read() -> None:
    start = bytearray(write(b"")[:18])
    start[14:18] = b"\xff\xff\xff\x7f"
    with pytest.raises(BadStream, match="a header of 2147483647 bytes"):
        read(bytes(start), 0)


def test_s6_a_huge_frame_is_refused_before_it_is_read() -> None:
    start = frames(write(b""))[0] + b"\1" + (FRAME_BYTES + 1).to_bytes(4, "little")
    with pytest.raises(BadStream, match=f"a frame of {FRAME_BYTES + 1} bytes"):
        read(start, 1)


def test_a_failing_link_is_a_truncated_stream() -> None:
    def fail(size: int) -> bytes:
        raise ConnectionResetError("connection reset")

    with pytest.raises(TruncatedStream, match="connection reset"):
        StreamReader(fail)


def test_a_stream_that_was_stored_when_version_1_was_new_can_be_read() -> None:
    assert StreamReader(io.BytesIO(STORED).read).header == HEADER
    payload = Unpacker(StreamReader(io.BytesIO(STORED).read))
    assert payload.take(7) == b"payload"
    payload.finish()
