import lzma
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.transfer import packing
from reconix.transfer.packing import DICTIONARY_BYTES, Packer, Unpacker
from reconix.transfer.stream import BadStream, varint


class Proved:
    """Bytes that nobody has to prove."""

    def __init__(self, content: bytes, at_once: int = 1000) -> None:
        self.content, self.used, self.at_once = content, 0, at_once

    def some(self) -> bytes:
        taken = self.content[self.used : self.used + self.at_once]
        self.used += len(taken)
        return taken

    def wrong(self, message: str) -> BadStream:
        return BadStream(message, offset=self.used)


def packed(*parts: bytes) -> bytes:
    written = bytearray()
    packer = Packer(written.extend, "amd64")
    for part in parts:
        packer.write(part)
    packer.finish()
    return bytes(written)


def payload(*parts: bytes) -> Unpacker:
    return Unpacker(Proved(packed(*parts)))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(1, 50))
def test_what_was_packed_comes_back(parts: list[bytes], at_once: int) -> None:
    content = b"".join(parts)
    reader = Unpacker(Proved(packed(*parts), at_once))
    assert b"".join(reader.pieces(len(content))) == content
    reader.finish()


@settings(deadline=None)
@given(st.integers(0, (1 << 63) - 1))
def test_number_comes_back(number: int) -> None:
    assert payload(varint(number)).number() == number


@pytest.mark.parametrize("spelled", [b"\x80\x00", b"\xff" * 9, b"\x80" * 8 + b"\x80\x01"])
def test_a_number_has_one_spelling_and_a_limit(spelled: bytes) -> None:
    with pytest.raises(BadStream, match="number"):
        payload(spelled).number()


@pytest.mark.parametrize("taken", [0, 3, 6])
def test_payload_that_nobody_asked_for_is_refused(taken: int) -> None:
    reader = payload(b"payload")
    reader.take(taken)
    with pytest.raises(BadStream, match="follow the last object"):
        reader.finish()


def test_payload_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadStream, match="ends in the middle"):
        payload(b"payload").take(8)


def test_s6_a_dictionary_that_a_device_cannot_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20}]
    monkeypatch.setattr(packing, "_filters", lambda _: greedy)
    with pytest.raises(BadStream, match="not compressed as it should be"):
        payload(b"payload").take(7)


def test_s6_a_bomb_is_decompressed_only_as_far_as_it_is_asked_for() -> None:
    reader = payload(bytes(50 << 20))
    tracemalloc.start()
    assert reader.take(10) == bytes(10)
    with pytest.raises(BadStream, match="follow the last object"):
        reader.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < DICTIONARY_BYTES + (2 << 20)
