import lzma
import random
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.transfer.packed import Verified

from reconix.transfer.format.packing import DICTIONARIES, Channel, Unpacker, filters
from reconix.transfer.format.stream import BadStream, varint
from reconix.transfer.sending.packer import Packer


def packed(*parts: tuple[Channel, bytes]) -> bytes:
    written = bytearray()
    packer = Packer(written.extend)
    for channel, part in parts:
        packer.write(part, channel)
    packer.finish()
    return bytes(written)


def plan(*parts: bytes) -> Unpacker:
    return Unpacker(Verified(packed(*((Channel.PLAN, part) for part in parts))))


def packet(channel: int, content: bytes) -> bytes:
    return bytes([channel]) + (len(content) - 1).to_bytes(2, "little") + content


@given(
    st.lists(st.tuples(st.sampled_from(Channel), st.binary(max_size=3000)), max_size=9),
    st.integers(1, 50),
)
def test_what_was_packed_comes_back_in_the_same_order(
    parts: list[tuple[Channel, bytes]], at_once: int
) -> None:
    reader = Unpacker(Verified(packed(*parts), at_once))
    for channel, part in parts:
        assert b"".join(reader.pieces(len(part), channel)) == part
    reader.finish()


def test_however_it_was_cut_the_bytes_are_the_same() -> None:
    one = packed((Channel.TEXT, b"one two"), (Channel.PLAN, b"three"))
    two = [(Channel.TEXT, b"one "), (Channel.TEXT, b"two"), (Channel.PLAN, b"three")]
    assert packed(*two) == one


def test_long_channels_alternate() -> None:
    noise = [bytes(range(n, 256)) * 900 for n in range(40)]
    parts = [(channel, part) for part in noise for channel in (Channel.TEXT, Channel.BINARY)]
    reader = Unpacker(Verified(packed(*parts)))
    for channel, part in parts:
        assert reader.take(len(part), channel) == part
    reader.finish()


@given(st.integers(0, (1 << 63) - 1))
def test_number_comes_back(number: int) -> None:
    assert plan(varint(number)).number() == number


@pytest.mark.parametrize("spelled", [b"\x80\x00", b"\xff" * 9, b"\x80" * 8 + b"\x80\x01"])
def test_a_number_has_one_spelling_and_a_limit(spelled: bytes) -> None:
    with pytest.raises(BadStream, match="number"):
        plan(spelled).number()


@pytest.mark.parametrize("taken", [0, 3, 6])
def test_payload_that_nobody_asked_for_is_refused(taken: int) -> None:
    reader = plan(b"payload")
    reader.take(taken)
    with pytest.raises(BadStream, match="follow the last object"):
        reader.finish()


def test_payload_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadStream, match="ends in the middle"):
        plan(b"payload").take(8)


def test_s4_a_packet_out_of_order_is_refused() -> None:
    reader = Unpacker(Verified(packed((Channel.TEXT, b"text"))))
    with pytest.raises(BadStream, match="channel 5 where PLAN is needed"):
        reader.take(1)


@given(st.binary(max_size=60))
def test_s2_any_bytes_are_content_or_refused(content: bytes) -> None:
    reader = Unpacker(Verified(packet(Channel.PLAN, b"\1\0\0a" + content)))
    try:
        reader.take(1)
        reader.finish()
    except BadStream:
        pass


def test_bytes_behind_the_end_of_a_channel_are_refused() -> None:
    reader = Unpacker(Verified(packet(Channel.PLAN, b"\1\0\0a\0more")))
    with pytest.raises(BadStream, match="follow the compressed payload"):
        reader.take(2)


def test_s6_a_reference_behind_the_dictionary_is_refused() -> None:
    far = DICTIONARIES[Channel.PLAN] + (1 << 20)
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2 * far}]
    noise = b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big") for n in range(1000))
    content = lzma.compress(noise + bytes(far) + noise, lzma.FORMAT_RAW, filters=greedy)
    packets = b"".join(
        packet(0, content[at : at + 60_000]) for at in range(0, len(content), 60_000)
    )
    with pytest.raises(BadStream, match="payload is corrupt"):
        Unpacker(Verified(packets)).take(len(noise) * 2 + far)
    assert filters(Channel.PLAN)[0]["dict_size"] == DICTIONARIES[Channel.PLAN]


def test_s6_a_bomb_is_decompressed_only_as_far_as_it_is_asked_for() -> None:
    reader = Unpacker(Verified(packed((Channel.BINARY, bytes(50 << 20)))))
    tracemalloc.start()
    assert reader.take(10, Channel.BINARY) == bytes(10)
    with pytest.raises(BadStream, match="follow the last object"):
        reader.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < DICTIONARIES[Channel.BINARY] + (2 << 20)


def test_all_dictionaries_fit_into_a_small_device() -> None:
    assert sum(DICTIONARIES.values()) < 25 << 20


def test_many_numbers_come_back_wherever_what_is_ready_ends() -> None:
    noise = random.Random(1)
    numbers = [noise.getrandbits(noise.randrange(1, 60)) for _ in range(100_000)]
    reader = plan(b"".join(map(varint, numbers)))
    assert list(reader.numbers(len(numbers), Channel.PLAN)) == numbers


def test_s6_a_number_without_an_end_is_refused_at_once() -> None:
    """A search that begins anew at each of its bytes would take a minute."""
    started = time.process_time()
    for numbers in (b"", bytes(5)):
        with pytest.raises(BadStream, match="number"):
            plan(numbers, b"\x80" * (1 << 16), b"\1").numbers(9, Channel.PLAN)
    assert time.process_time() - started < 5
