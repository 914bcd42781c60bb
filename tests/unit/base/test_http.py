"""N1 and N2: whatever a server does, the time and the bytes that it costs are bounded."""

import base64
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.servers import CONTENT, Request, Server, serving, tunneling

from reconix.base.address import Address, Reach, Refused, reach_of
from reconix.base.http import (
    BROKEN,
    Client,
    Limits,
    NoTls,
    Proxy,
    Route,
    proxy_variables,
    trusted_by_the_system,
)

QUICK = Limits(timeout_seconds=0.3, answer_seconds=0.3, min_bytes=10_000, window_seconds=0.3)
BOUND_SECONDS = 10.0  # of what would be for ever; a busy machine needs more than the limits say
Behave = Callable[[Request], None]
Serve = Callable[[Behave], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:
        yield lambda behave: stack.enter_context(serving(Server(behave)))


def load(url: str, limits: Limits = QUICK, route: Route | None = None) -> bytes:
    client = Client(route or Route(), limits)
    try:
        with client.asking(Address.parse(url)) as answer:
            return b"".join(iter(lambda: answer.some(50_000), b""))
    finally:
        client.close()


def endlessly(begin: bytes, more: bytes, pause: float) -> Behave:
    """Something that begins well and never ends."""

    def behave(request: Request) -> None:
        with contextlib.suppress(OSError):
            request.wfile.write(begin)
            while True:
                request.wfile.write(more)
                time.sleep(pause)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SLOWLY = {
    "status": endlessly(b"HTTP/1.1 200 ", b"O", 0.02),
    "head": endlessly(HEAD, b"X", 0.02),
    "continue": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "body": endlessly(HEAD + b"\r\n", b"x", 0.02),
    "size of a chunk": endlessly(CHUNKED, b"0", 0.02),
    "chunks": endlessly(CHUNKED, b"1\r\nx\r\n", 0.02),
    "trailer": endlessly(CHUNKED + b"0\r\n", b"X: y\r\n", 0.02),
}
QUICKLY = {
    "continue": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0),
    "trailer": endlessly(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000, 0),
}


@pytest.mark.parametrize("what", SLOWLY)
def test_n1_what_comes_byte_by_byte_and_never_ends_is_given_up(serve: Serve, what: str) -> None:
    server = serve(SLOWLY[what])
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"timed out|only \d+ bytes"):
        load(server.url)
    assert time.monotonic() - began < BOUND_SECONDS


@pytest.mark.parametrize("what", QUICKLY)
def test_n1_what_comes_fast_and_is_never_what_is_due_is_given_up(serve: Serve, what: str) -> None:
    patient = Limits(timeout_seconds=60, answer_seconds=60)
    with pytest.raises(BROKEN, match="never what is due"):
        load(serve(QUICKLY[what]).url, patient)


def test_n1_what_a_client_does_in_all_ends(serve: Serve) -> None:
    server = serve(endlessly(HEAD + b"\r\n", bytes(1 << 14), 0.01))
    client = Client(Route(), Limits(), until=time.monotonic() + 0.3)
    with pytest.raises(TimeoutError), client.asking(Address.parse(server.url)) as answer:
        while answer.some(1 << 16):
            pass
    client.close()


def test_each_byte_counts_also_those_that_nobody_wants(serve: Serve) -> None:
    counted: list[int] = []
    client = Client(Route(), QUICK, count=counted.append)
    with client.asking(Address.parse(serve(lambda request: request.right()).url)) as answer:
        while answer.some(1 << 16):
            pass
    client.close()
    assert len(CONTENT) + 50 < sum(counted) < len(CONTENT) + 1000


@contextlib.contextmanager
def listening(greeting: bytes = b"", pause: float = 0.02) -> Iterator[int]:
    """Somebody who takes connections and says one byte after the other; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            with contextlib.suppress(OSError):
                connected, _ = server.accept()
                with connected:
                    for byte in greeting:
                        connected.sendall(bytes([byte]))
                        time.sleep(pause)
                    connected.settimeout(5)
                    connected.recv(1)
                    while connected.recv(1 << 16):
                        pass

        threading.Thread(target=talk, daemon=True).start()
        yield server.getsockname()[1]


def test_n1_a_handshake_that_does_not_end_is_given_up() -> None:
    began = time.monotonic()
    record = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"  # it announces 16 KiB of a handshake
    with listening(record + bytes(1000)) as port, pytest.raises(TimeoutError, match="timed out"):
        load(f"https://127.0.0.1:{port}/")
    assert time.monotonic() - began < BOUND_SECONDS


def test_n1_a_name_server_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never = threading.Event()

    def wait(*_: object, flags: int = 0, **__: object) -> None:
        if not flags & socket.AI_NUMERICHOST:
            never.wait(30)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    with pytest.raises(TimeoutError, match=r"cannot resolve example\.test"):
        load("http://example.test/")
    never.set()


def test_n1_an_address_that_is_silent_leaves_time_for_the_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = serve(lambda request: request.right()).server_address[1]
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):  # nobody takes them, so soon not even the kernel does
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        places = [
            (socket.AF_INET, 1, 6, "", at) for at in (full.getsockname(), ("127.0.0.1", port))
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        limits = Limits(timeout_seconds=2, answer_seconds=2)
        assert load("http://example.test/", limits) == CONTENT


def test_n2_a_head_of_an_answer_that_makes_no_sense_is_one_kind_of_failure(serve: Serve) -> None:
    for head in (b"\xff" * 70_000, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/9.9 200\r\n\r\n", b"\r\n\r\n"):
        with pytest.raises(BROKEN):
            load(serve(lambda request, head=head: request.wfile.write(head)).url)  # type: ignore[misc]


@pytest.mark.parametrize(
    "where",
    [
        *("http://a..b/", "http://[::1/", "http://127.0.0.1:99999/", "http://\xe4.test/"),
        *("http://\xff\xfe/", "ftp://127.0.0.1/", "file:///etc/passwd", "http://x" + "a" * 60_000),
    ],
)
def test_n2_a_redirection_to_no_address_is_refused(serve: Serve, where: str) -> None:
    server = serve(lambda request: request.head(302, 0, Location=where))
    with pytest.raises(Refused, match="not the address of a web server"):
        load(server.url)
    assert server.requests == 1


@pytest.mark.parametrize("is_same", [True, False])
def test_who_logs_in_does_not_tell_a_server_to_which_it_is_redirected(
    serve: Serve, *, is_same: bool
) -> None:
    heard: list[str | None] = []

    def listen(request: Request) -> None:
        heard.append(request.headers["Authorization"])
        request.right()

    def redirect(request: Request) -> None:
        if request.path == "/there":
            listen(request)
        else:
            request.head(302, 0, Location="/there" if is_same else other.url)

    other, server = serve(listen), serve(redirect)
    client = Client(Route(), QUICK)
    headers = {"Authorization": "Basic bWU6c2VjcmV0", "Range": "bytes=0-9"}
    with client.asking(Address.parse(server.url), headers) as it:
        assert it.some(100) == CONTENT[:10]
    client.close()
    assert heard == ["Basic bWU6c2VjcmV0" if is_same else None]


def ask_through(proxy: Server, *direct: str) -> bytes:
    """Ask a server elsewhere, which tests cannot have: a proxy answers for it."""
    route = Route({"http": Proxy.parse(proxy.url.removesuffix("/a/stream"))}, direct)
    return load("http://example.test/", route=route)


HERE = [
    "127.0.0.1",
    "127.0.0.2",
    "localhost",
    "0.0.0.0",
    "2130706433",
    "[::ffff:127.0.0.1]",
    "[::]",
]


@pytest.mark.parametrize("direct", [("localhost", "*"), ()], ids=["directly", "through the proxy"])
@pytest.mark.parametrize("host", HERE)
def test_n2_nobody_elsewhere_can_send_us_to_our_own_services(
    serve: Serve, host: str, direct: tuple[str, ...]
) -> None:
    ours = serve(lambda request: request.right())
    where = f"http://{host}:{ours.server_address[1]}/"
    proxy = serve(lambda request: request.head(302, 0, Location=where))
    names = tuple(each.replace("*", host.strip("[]")) for each in direct)
    with pytest.raises(Refused, match="which reaches this machine alone"):
        ask_through(proxy, *names)
    assert (proxy.requests, ours.requests) == (1, 0)


def test_n2_nobody_elsewhere_can_send_us_to_our_link(serve: Serve) -> None:
    where = "http://{}/latest/".format("169.254.169.254")
    proxy = serve(lambda request: request.head(302, 0, Location=where))
    with pytest.raises(Refused, match="which reaches the link of this machine"):
        ask_through(proxy)


@pytest.fixture
def our_address() -> str:
    """That of this machine on a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


def test_n2_our_address_on_the_network_is_one_of_ours(serve: Serve, our_address: str) -> None:
    assert reach_of(our_address) is Reach.OURS
    proxy = serve(lambda request: request.head(302, 0, Location=f"http://{our_address}/"))
    with pytest.raises(Refused, match="which reaches this machine"):
        ask_through(proxy)


def test_n2_a_server_on_the_network_cannot_send_us_to_loopback(
    serve: Serve, our_address: str
) -> None:
    ours = serve(lambda request: request.right())
    away = Server(lambda request: request.head(302, 0, Location=ours.url), at=our_address)
    with serving(away), pytest.raises(Refused, match="which reaches this machine alone"):
        load(away.url)
    assert (away.requests, ours.requests) == (1, 0)


def test_who_is_here_by_configuration_may_send_us_here(serve: Serve) -> None:
    ours = serve(lambda request: request.right())
    server = serve(lambda request: request.head(302, 0, Location=ours.url))
    assert load(server.url) == CONTENT


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_another_server_is_not_told_what_lets_us_in(serve: Serve, *, is_elsewhere: bool) -> None:
    told: list[str | None] = []

    def answer(request: Request) -> None:
        told.append(request.headers.get("Authorization"))
        request.right()

    def send(request: Request) -> None:
        if request.path == "/there":
            answer(request)
        else:
            request.head(307, 0, Location=other.url if is_elsewhere else "/there")

    other, server = serve(answer), serve(send)
    client = Client(Route(), Limits())
    with client.asking(Address.parse(server.url), {"Authorization": "secret"}) as found:
        assert found.some(10)
    client.close()
    assert told == [None if is_elsewhere else "secret"]


def test_who_is_redirected_through_the_proxy_stays_there(serve: Serve) -> None:
    def answer(request: Request) -> None:
        if request.path == "http://other.test/x":
            request.right()
        else:
            request.head(301, 0, Location="http://other.test/x")

    assert ask_through(serve(answer)) == CONTENT


def test_a_proxy_is_asked_with_what_it_wants_to_know(serve: Serve) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: Request) -> None:
        asked.append((request.path, request.headers["Proxy-Authorization"]))
        request.right()

    place = serve(answer).url.removeprefix("http://").removesuffix("/a/stream")
    route = Route.of({"http": f"http://me:s%40cret@{place}", "no": "other.test"})
    assert load("http://example.test/x?y", route=route) == CONTENT
    who = base64.b64encode(b"me:s@cret").decode()
    assert asked == [("http://example.test/x?y", f"Basic {who}")]


def test_a_proxy_that_does_not_let_us_pass_is_told_without_the_password() -> None:
    with tunneling("right") as proxy:
        route = Route.of({"https": proxy.url.replace("//", "//me:wrong@")})
        with pytest.raises(Refused, match="the proxy answered 407") as caught:
            load("https://example.test/", route=route)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("text", ["https://me:secret@x:1", "socks5://me:secret@x", "me:secret@:0"])
def test_what_is_no_proxy_is_refused_without_the_password(text: str) -> None:
    with pytest.raises(Refused) as caught:
        Route.of({"all": text})
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(Proxy.parse("http://me:secret@x:1"))


def test_proxies_of_an_environment_have_the_names_of_the_field() -> None:
    environment = {"http_proxy": "a", "HTTPS_PROXY": "b", "all_proxy": "c", "NO_PROXY": "d"}
    assert proxy_variables(environment) == {"http": "a", "https": "b", "all": "c", "no": "d"}
    assert proxy_variables({"HTTP_PROXY": "x", "https_proxy": ""}) == {}


@pytest.mark.parametrize(
    ("no", "url", "is_direct"),
    [
        ("example.test", "http://example.test/", True),
        (".example.test", "http://a.example.test/", True),
        ("*.example.test", "http://A.Example.test./", True),
        ("example.test", "http://anexample.test/", False),
        ("example.test:81", "http://example.test:81/", True),
        ("example.test:81", "http://example.test/", False),
        ("192.0.2.0/24, ::1", "http://192.0.2.77/", True),
        ("192.0.2.0/24, ::1", "https://[::1]:8/", True),
        ("[::1]:8", "https://[::1]:8/", True),
        ("192.0.2.0/28", "http://192.0.2.77/", False),
        ("*", "http://anything.test/", True),
        ("", "http://example.test/", False),
    ],
)
def test_what_is_reached_without_a_proxy(no: str, url: str, *, is_direct: bool) -> None:
    route = Route.of({"all": "proxy.test:3128", "no": no})
    assert (route.proxy_for(Address.parse(url)) is None) is is_direct


def test_a_system_without_tls_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ssl", None)
    with pytest.raises(NoTls, match="has no TLS"):
        trusted_by_the_system()
