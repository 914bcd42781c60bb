"""N1: a sender that falls silent."""

import os
import threading
import time

import pytest

from reconix.device.patience import patient


def test_n1_silence_ends_a_stream_that_has_begun() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"begun")
    read = patient(reading, stall_seconds=0.2)
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
    assert patient(reading, stall_seconds=0.1)(100) == b"late"
    assert time.monotonic() - began > 0.3
    timer.join()
    os.close(reading)
    os.close(writing)
