import socket
import threading
from collections.abc import Iterator

import pytest

from reconix.vm.link import dead_after


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that says what it hears."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def answer(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=repeat, args=(connection,), daemon=True).start()


def repeat(connection: socket.socket) -> None:
    with connection:
        while heard := connection.recv(100):
            connection.sendall(heard)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def talk(port: int, said: bytes, *, heard_bytes: int) -> bytes:
    """What comes back; at most so many bytes are waited for."""
    with connected(port) as client:
        client.sendall(said)
        heard = b""
        while len(heard) < heard_bytes and (chunk := client.recv(heard_bytes)):
            heard += chunk
        return heard


def test_a_link_carries_each_connection_both_ways(echo: int) -> None:
    with dead_after(10, port=echo) as link:
        for _ in range(3):
            assert talk(link.port, b"12345", heard_bytes=5) == b"12345"
        assert not link.is_dead.is_set()


def test_a_link_goes_dead_in_the_middle_of_what_is_sent_and_refuses_nothing(echo: int) -> None:
    with dead_after(10, port=echo) as link, connected(link.port) as client:
        client.sendall(b"1234567890lost")
        assert client.recv(100) == b"1234567890"
        assert link.is_dead.wait(10)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)


def test_the_end_of_what_is_said_is_carried_too(echo: int) -> None:
    with dead_after(10, port=echo) as link, connected(link.port) as client:
        client.sendall(b"123")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"123"
        assert client.recv(100) == b""
