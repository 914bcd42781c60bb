"""N1 and N2: servers that stall, crawl, lie, and send what nobody asked for."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from tests.servers import CONTENT, Request, Server, serving

from reconix.device.web import MAX_REDIRECTS, LinkFailed, Patience, TooMuch, Web

QUICK = Patience(0.5, (0.01, 0.01, 0.01), min_bytes=10_000, window_seconds=0.5)
LIMIT = 2 * len(CONTENT)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Request], None]], Server]]:
    with contextlib.ExitStack() as stack:
        yield lambda behave: stack.enter_context(serving(Server(behave)))


Serve = Callable[[Callable[[Request], None]], Server]


def load(server: Server, begin: int = 0, limit: int = LIMIT) -> bytes:
    web = Web(server.url, limit_bytes=limit, patience=QUICK)
    web.go_to(begin)
    try:
        return b"".join(iter(lambda: web.read(50_000), b""))
    finally:
        web.close()


def test_a_good_server_gives_all_or_the_rest(serve: Serve) -> None:
    server = serve(lambda request: request.right())
    assert load(server) == CONTENT
    assert load(server, 123_456) == CONTENT[123_456:]


def test_n1_a_connection_that_ends_early_is_continued(serve: Serve) -> None:
    server = serve(lambda request: request.right(request.begin + 70_000))
    assert load(server) == CONTENT
    assert server.requests == 5


def test_what_came_altered_is_asked_for_again_and_no_more_than_that(serve: Serve) -> None:
    server = serve(lambda request: request.right())
    web = Web(server.url, limit_bytes=LIMIT, patience=QUICK)
    web.go_to(10_000)
    assert web.read(5_000) == CONTENT[10_000:15_000]
    web.again(10_000, 8_000)
    assert b"".join(iter(lambda: web.read(50_000), b"")) == CONTENT[10_000:]
    assert server.given[1:] == [(10_000, 18_000), (18_000, len(CONTENT))]


def test_n1_a_server_that_stalls_is_given_up_after_some_tries(serve: Serve) -> None:
    def stall(request: Request) -> None:
        request.head(200, len(CONTENT))
        time.sleep(2)

    server = serve(stall)
    with pytest.raises(LinkFailed, match="timed out"):
        load(server)
    assert server.requests == 1 + len(QUICK.pauses)


def test_n1_a_server_that_crawls_is_given_up(serve: Serve) -> None:
    def crawl(request: Request) -> None:
        request.head(200, len(CONTENT))
        with pytest.raises(OSError):
            while True:
                request.wfile.write(b"x")
                time.sleep(0.1)

    with pytest.raises(LinkFailed, match=r"only \d+ bytes in 0.5 s"):
        load(serve(crawl))


def test_n2_an_error_that_passes_is_waited_for(serve: Serve) -> None:
    def recover(request: Request) -> None:
        if request.server.requests < 3:
            request.head(503, 0)
        else:
            request.right()

    assert load(serve(recover)) == CONTENT


@pytest.mark.parametrize(("status", "asked"), [(500, 4), (404, 1), (403, 1), (416, 1)])
def test_n2_errors_are_told_after_as_many_tries_as_make_sense(
    serve: Serve, status: int, asked: int
) -> None:
    server = serve(lambda request: request.head(status, 0))
    with pytest.raises(LinkFailed, match=f"the server says {status}"):
        load(server)
    assert server.requests == asked


def test_n2_redirections_are_followed_but_not_for_ever(serve: Serve) -> None:
    good = serve(lambda request: request.right())
    server = serve(lambda request: request.head(302, 0, Location=good.url))
    assert load(server, 5) == CONTENT[5:]
    loop = serve(lambda request: request.head(307, 0, Location="/a/stream"))
    with pytest.raises(LinkFailed, match=f"more than {MAX_REDIRECTS} redirections"):
        load(loop)
    assert loop.requests == MAX_REDIRECTS + 1


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://x/y", "https:///y", "http://x:y/"])
def test_n2_redirections_to_something_else_are_not_followed(serve: Serve, where: str) -> None:
    server = serve(lambda request: request.head(302, 0, Location=where))
    with pytest.raises(LinkFailed, match="no address of a web server"):
        load(server)


def test_n2_a_server_that_ignores_ranges_is_used_if_it_is_not_too_much(serve: Serve) -> None:
    def ignore(request: Request) -> None:
        request.head(200, len(CONTENT))
        request.wfile.write(CONTENT)

    server = serve(ignore)
    assert load(server, 1000) == CONTENT[1000:]
    with pytest.raises(TooMuch):
        load(server, 200_000, limit=150_000)


def test_n2_no_file_larger_than_the_limit_is_begun(serve: Serve) -> None:
    server = serve(lambda request: request.head(200, len(CONTENT)))
    with pytest.raises(TooMuch, match=f"{len(CONTENT)} bytes would be downloaded"):
        load(server, limit=len(CONTENT) - 1)
    assert server.requests == 1


def test_n2_an_endless_answer_ends_at_the_limit(serve: Serve) -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        with pytest.raises(OSError):
            while True:
                request.wfile.write(bytes(1 << 16))

    with pytest.raises(TooMuch):
        load(serve(endless), limit=1 << 20)


def test_n2_a_length_that_is_too_large_is_not_believed(serve: Serve) -> None:
    def lie(request: Request) -> None:
        request.head(206 if request.begin else 200, len(CONTENT) + 5 - request.begin)
        request.wfile.write(CONTENT[request.begin :])

    server = serve(lie)
    assert load(server) == CONTENT
    assert server.requests == 2


def test_n2_another_part_than_was_asked_for_is_refused(serve: Serve) -> None:
    def shift(request: Request) -> None:
        request.send_response(206)
        request.send_header("Content-Range", f"bytes 0-9/{len(CONTENT)}")
        request.send_header("Content-Length", "10")
        request.end_headers()
        request.wfile.write(CONTENT[:10])

    with pytest.raises(LinkFailed, match="asked for byte 7"):
        load(serve(shift), 7)


def test_n2_something_that_is_no_http_is_told(serve: Serve) -> None:
    def greet(request: Request) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH\r\n")

    with pytest.raises(LinkFailed):
        load(serve(greet))


def test_a_server_that_is_not_there_is_told(serve: Serve) -> None:
    server = serve(lambda request: None)
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(LinkFailed, match="refused"):
        Web(url, limit_bytes=1, patience=QUICK).read(1)
