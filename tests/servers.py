"""Web servers on this machine that do what a test tells them, well or badly."""

import base64
import contextlib
import random
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = random.Random(9).randbytes(300_000)
Span = tuple[int, int]


class Server(ThreadingHTTPServer):
    """Does what its ``behave`` says, and remembers which bytes of its file it gave."""

    daemon_threads = True

    def __init__(
        self,
        behave: "Callable[[Request], None]",
        content: bytes = CONTENT,
        *,
        at: str = "127.0.0.1",
    ) -> None:
        super().__init__((at, 0), Request)
        self.behave = behave
        self.content = content
        self.requests = 0
        self.given: list[Span] = []

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/a/stream"


class Request(BaseHTTPRequestHandler):
    """One request, with the means to answer it well or badly."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.server.behave(self)
        self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    @property
    def form(self) -> dict[str, list[str]]:
        """What was posted."""
        length = int(self.headers["Content-Length"])
        return urllib.parse.parse_qs(self.rfile.read(length).decode(), strict_parsing=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def span(self) -> Span:
        """Which bytes are wanted."""
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        begin, _, last = wanted.partition("-")
        size = len(self.server.content)
        return int(begin), min(int(last) + 1, size) if last else size

    @property
    def begin(self) -> int:
        return self.span[0]

    def head(self, status: int, length: int, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if status == 206:
            begin, end = self.span
            size = len(self.server.content)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def right(self, until: int | None = None) -> None:
        """What a good server does, perhaps only up to a byte of the file."""
        begin, end = self.span
        self.head(206 if "Range" in self.headers else 200, end - begin)
        self.give(begin, end if until is None else min(until, end))

    def give(self, begin: int, end: int) -> None:
        """Some bytes of the file."""
        self.server.given.append((begin, end))
        self.wfile.write(self.server.content[begin:end])


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """A server that answers as long as the context lasts."""
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Tunnel(ThreadingHTTPServer):
    """A proxy that connects whoever knows its password, and only to this machine."""

    daemon_threads = True

    def __init__(self, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Tunneling)
        self.login = f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}"
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunneling(BaseHTTPRequestHandler):
    server: Tunnel

    def do_CONNECT(self) -> None:
        if self.headers["Proxy-Authorization"] != self.server.login:
            self.send_error(407)
            return
        self.server.asked.append(self.path)
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as target:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(target, self.connection))
            back.start()
            _copy(self.connection, target)
            back.join()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tunneling(password: str) -> Iterator[Tunnel]:
    """Such a proxy, as long as the context lasts."""
    proxy = Tunnel(password)
    threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
