"""A link to a guest that goes dead after a number of bytes, as a bad link to a device does.

It listens on this machine and forwards each connection to a forwarded port of the guest. Towards
the guest a connection carries at most ``limit_bytes``; what comes later is neither forwarded nor
refused: nobody takes it, as when a cable is cut. So a sender stands still in the middle of what it
sends, for as long as one wants, and the power of a device can be cut that surely lacks the rest.

    with dead_after(30_000, port=machine.port(22)) as link:
        …ssh -p {link.port}…
        link.is_dead.wait(60)

Tested by ``tests/unit/vm/test_link.py``.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

_HERE = "127.0.0.1"
_CHUNK_BYTES = 4096
_CONNECT_SECONDS = 30.0


class Link:
    """The forwarding of connections, while it lasts."""

    def __init__(self, limit_bytes: int, *, target: int) -> None:
        self._limit, self._target = limit_bytes, target
        self._listener = socket.create_server((_HERE, 0))
        self._ends: list[socket.socket] = []
        self._closed = threading.Event()
        self.is_dead = threading.Event()
        """A connection has carried all that it may."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        number: int = self._listener.getsockname()[1]
        return number

    def close(self) -> None:
        """End all connections."""
        self._closed.set()
        for each in (self._listener, *self._ends):
            with contextlib.suppress(OSError):  # the other side may have ended it
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((_HERE, self._target), _CONNECT_SECONDS)
                far.settimeout(None)
                self._ends += [near, far]
                for way in ((self._forward, near, far), (self._return, far, near)):
                    threading.Thread(target=way[0], args=way[1:], daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        """Towards the guest, as far as the limit."""
        left = self._limit
        with _until_closed(far):
            while left and (chunk := near.recv(min(left, _CHUNK_BYTES))):
                far.sendall(chunk)
                left -= len(chunk)
            if not left:
                self.is_dead.set()
                self._closed.wait()

    def _return(self, far: socket.socket, near: socket.socket) -> None:
        """Back from the guest, all of it."""
        with _until_closed(near):
            while chunk := far.recv(_CHUNK_BYTES):
                near.sendall(chunk)


@contextlib.contextmanager
def _until_closed(to: socket.socket) -> Iterator[None]:
    """One way of a connection: its end is forwarded to the other side."""
    with contextlib.suppress(OSError):
        yield
        to.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def dead_after(limit_bytes: int, *, port: int) -> Iterator[Link]:
    """Have a link to a port of this machine that goes dead; at the end of the block it is gone."""
    link = Link(limit_bytes, target=port)
    try:
        yield link
    finally:
        link.close()
