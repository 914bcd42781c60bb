"""What the kernel says is read record by record, and is not mixed up with what programs say."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.device.hardware.kernel_log import read_kernel_log
from reconix.device.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "kmsg").touch()
    return Paths(dev=tmp_path)


def say(monkeypatch: pytest.MonkeyPatch, *records: bytes | OSError) -> None:
    """Let reads give these, one each, as the device file of the kernel does."""
    left: Iterator[bytes | OSError] = iter(records)

    def read(_descriptor: int, _size: int) -> bytes:
        record = next(left)
        if isinstance(record, OSError):
            raise record
        return record

    monkeypatch.setattr(os, "read", read)


END = BlockingIOError(errno.EAGAIN, "no more")


def test_only_the_text_of_what_the_kernel_said_is_given(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = b"4,1,10,-;fs-verity (vda3, inode 7): altered\n SUBSYSTEM=block\n"
    say(monkeypatch, kernel, b"12,2,11,-;fs-verity (vda3, inode 8): a lie\n", b"nonsense", END)
    assert list(read_kernel_log(paths)) == ["fs-verity (vda3, inode 7): altered"]


def test_what_was_dropped_while_it_is_read_is_passed_over(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = BrokenPipeError(errno.EPIPE, "dropped")
    say(monkeypatch, b"6,1,10,-;one\n", dropped, b"6,9,10,-;two\n", END)
    assert list(read_kernel_log(paths)) == ["one", "two"]


def test_it_ends_where_somebody_says_more_than_one_can_read(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "read", lambda *_: b"6,1,10,-;again\n")
    assert len(list(read_kernel_log(paths))) == 100_000


def test_without_it_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_kernel_log(Paths(dev=tmp_path)))
