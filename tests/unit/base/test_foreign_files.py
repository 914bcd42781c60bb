"""Whatever stands where a file should be is told, at once, and never opened for what it does."""

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconix.base.files import BadFile, open_lock, open_regular, read_bounded, read_text


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """A pipe that is waited for is a failure, not a test that never ends."""

    def too_late(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def put(path: Path, kind: str) -> None:
    """Put something that is no file where one is looked for."""
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory() as short:
            listener.bind(f"{short}/socket")
            Path(short, "socket").rename(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a terminal":
        path.symlink_to("/dev/tty")
    else:
        path.symlink_to(path.name)


KINDS = ("a pipe", "a folder", "a socket", "a device", "a terminal", "a link to itself")
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_only_a_file_is_read(tmp_path: Path, kind: str) -> None:
    put(tmp_path / "file", kind)
    with pytest.raises((BadFile, OSError)) as caught:
        read_bounded(tmp_path / "file", 10)
    assert "not a file" in str(caught.value) or isinstance(caught.value, OSError)


@each_kind
def test_only_a_file_is_locked(tmp_path: Path, kind: str) -> None:
    put(tmp_path / "lock", kind)
    with pytest.raises((BadFile, OSError)):
        open_lock(tmp_path / "lock")


def test_a_device_is_not_even_opened(tmp_path: Path) -> None:
    """Opening a watchdog starts it; the other end of a terminal notices, too."""
    ours, its = os.openpty()
    name = os.ttyname(its)
    os.close(its)
    with pytest.raises(BadFile, match="is a device"):
        read_bounded(Path(name), 10)
    os.close(ours)


def test_a_link_is_followed_only_where_nobody_else_writes(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"root's")
    (tmp_path / "link").symlink_to("secret")
    assert read_bounded(tmp_path / "link", 10) == b"root's"
    with pytest.raises(BadFile, match="is a link"):
        read_bounded(tmp_path / "link", 10, follow_links=False)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "\udcff" * 3])
def test_a_name_that_no_file_can_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises((BadFile, FileNotFoundError)):
        open_regular(tmp_path / name)


def test_what_is_not_utf_8_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc\xed\xa0\x80")
    with pytest.raises(BadFile, match="byte 3 is not UTF-8"):
        read_text(tmp_path / "file", 10)
