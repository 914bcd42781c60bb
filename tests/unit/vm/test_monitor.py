import socket
import threading
from collections.abc import Iterator

import pytest

from reconix.vm.monitor import Monitor, MonitorFailed

GREETING = b'{"QMP": {"version": {}, "capabilities": []}}\n'
AGREED = b'{"return": {}}\n'


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_events_between_question_and_answer_are_passed_over(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, qemu = ends
    qemu.sendall(GREETING + AGREED + b'{"event": "RESET", "data": {}}\n{"return": "done"}\n')
    assert Monitor(ours).execute("stop") == "done"


def test_a_refusal_is_an_error_that_shows_the_reason(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, qemu = ends
    qemu.sendall(GREETING + AGREED + b'{"error": {"class": "X", "desc": "no such command"}}\n')
    with pytest.raises(MonitorFailed, match="no such command"):
        Monitor(ours).execute("nonsense")


def test_a_connection_that_ends_is_an_error(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, qemu = ends
    qemu.sendall(GREETING + b'{"return"')
    ending = threading.Timer(0.05, lambda: qemu.shutdown(socket.SHUT_WR))
    ending.start()
    with pytest.raises(MonitorFailed, match="ended the connection"):
        Monitor(ours)
    ending.join()


def test_forwarded_ports_are_read_from_the_table(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, qemu = ends
    table = (
        r"Hub -1 (network):\r\n"
        r"  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
        r"  TCP[HOST_FORWARD]  13       127.0.0.1 40001       10.0.2.15    22     0     0\r\n"
        r"  TCP[HOST_FORWARD]  12       127.0.0.1 40002       10.0.2.15  1883     0     0\r\n"
    )
    qemu.sendall(GREETING + AGREED + b'{"return": "' + table.encode() + b'"}\n')
    assert Monitor(ours).forwarded_ports() == {22: 40001, 1883: 40002}


def test_why_a_guest_stands_still_is_remembered(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, qemu = ends
    runs, stopped = (
        b'{"return": {"status": "%s"}}\n' % status for status in (b"running", b"shutdown")
    )
    event = b'{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}\n'
    qemu.sendall(GREETING + AGREED + runs + event + stopped)
    monitor = Monitor(ours)
    assert [monitor.stopped_by(), monitor.stopped_by()] == [None, "guest-reset"]
