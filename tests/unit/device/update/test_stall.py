"""N1: a sender that falls silent."""

import itertools
import os
import threading
import time

import pytest

from reconix.base.clock import Clock
from reconix.device.update.stall import MIN_BYTES, until_stalled


def test_n1_silence_ends_a_stream_that_has_begun() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"begun")
    read = until_stalled(reading, stall_seconds=0.2)
    assert read(100) == b"begun"
    with pytest.raises(TimeoutError, match=r"nothing came for 0.2 s"):
        read(100)
    os.close(writing)
    assert read(100) == b""
    os.close(reading)


def test_n1_the_first_byte_may_take_longer() -> None:
    reading, writing = os.pipe()
    timer = threading.Timer(0.5, os.write, (writing, b"late"))
    timer.start()
    began = time.monotonic()
    assert until_stalled(reading, stall_seconds=0.1)(100) == b"late"
    assert time.monotonic() - began > 0.3
    timer.join()
    os.close(reading)
    os.close(writing)


def test_n1_a_sender_that_never_begins_is_given_up() -> None:
    reading, writing = os.pipe()
    with pytest.raises(TimeoutError, match=r"nothing came for 0.1 s"):
        until_stalled(reading, first_seconds=0.1)(100)
    os.close(reading)
    os.close(writing)


def test_n1_a_byte_now_and_then_is_not_enough() -> None:
    reading, writing = os.pipe()
    times = itertools.count(0, 50.0)
    read = until_stalled(reading, clock=Clock(now=lambda: next(times)))
    os.write(writing, bytes(MIN_BYTES + 3))
    assert read(MIN_BYTES) == bytes(MIN_BYTES), "each read takes 50 s by that clock"
    read(1)
    read(1)
    with pytest.raises(TimeoutError, match="only 3 bytes came in 120 s"):
        read(1)
    os.close(reading)
    os.close(writing)
