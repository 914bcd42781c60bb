"""N1 and N2: servers that stall, crawl, lie, and send what nobody asked for."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from tests.servers import CONTENT, Request, Server, serving

from reconix.base.http import MAX_REDIRECTS
from reconix.device.update.web import LinkFailed, Meter, RetryPolicy, TooMuch, Web

QUICK = RetryPolicy(0.5, (0.01, 0.01, 0.01), min_bytes=10_000, window_seconds=0.5)
LIMIT = 2 * len(CONTENT)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Request], None]], Server]]:
    with contextlib.ExitStack() as stack:
        yield lambda behave: stack.enter_context(serving(Server(behave)))


Serve = Callable[[Callable[[Request], None]], Server]


def load(server: Server, begin: int = 0, limit: int = LIMIT, retry: RetryPolicy = QUICK) -> bytes:
    web = Web(server.url, meter=Meter(limit), retry=retry)
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
    web = Web(server.url, meter=Meter(LIMIT), retry=QUICK)
    web.go_to(10_000)
    assert web.read(5_000) == CONTENT[10_000:15_000]
    web.again(10_000, 8_000)
    assert b"".join(iter(lambda: web.read(50_000), b"")) == CONTENT[10_000:]
    assert server.given[1:] == [(10_000, 18_000), (18_000, len(CONTENT))]
    web.close()


def test_n2_a_server_that_ignores_ranges_is_asked_only_once_for_what_came_altered(
    serve: Serve,
) -> None:
    def ignore(request: Request) -> None:
        request.head(200, len(CONTENT))
        request.give(0, len(CONTENT))

    server = serve(ignore)
    web = Web(server.url, meter=Meter(3 * LIMIT), retry=QUICK)
    web.read(200_000)
    web.again(100_000, 8_000)
    assert web.read(8_000) == CONTENT[100_000:108_000]
    with pytest.raises(LinkFailed, match="the server ignores ranges"):
        web.again(100_000, 8_000)
    assert server.requests == 2
    web.close()


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

    # Where this machine is busy, it may crawl so slowly that nothing comes at all.
    with pytest.raises(LinkFailed, match=r"only \d+ bytes in 0.5 s|timed out"):
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
    with pytest.raises(LinkFailed, match=f"the server answered {status}"):
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
    with pytest.raises(LinkFailed, match="not the address of a web server"):
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


def test_n2_a_length_that_is_too_large_is_not_trusted(serve: Serve) -> None:
    def lie(request: Request) -> None:
        request.head(206 if request.begin else 200, len(CONTENT) + 5 - request.begin)
        request.wfile.write(CONTENT[request.begin :])

    server = serve(lie)
    assert load(server) == CONTENT
    assert server.requests == 2


def part(request: Request, begin: int, end: int, said: str | None = None) -> None:
    """An answer to the question for a range, whatever was asked for."""
    request.send_response(206)
    request.send_header("Content-Length", str(end - begin))
    if said != "":
        request.send_header("Content-Range", said or f"bytes {begin}-{end - 1}/{len(CONTENT)}")
    request.end_headers()
    request.give(begin, end)


def test_n2_a_cache_that_begins_earlier_than_asked_is_used(serve: Serve) -> None:
    """Some keep a file in blocks and answer with whole ones."""
    block = 1 << 16

    def aligned(request: Request) -> None:
        begin = request.begin // block * block
        part(request, begin, min(begin + block, len(CONTENT)))

    server = serve(aligned)
    assert load(server, 100_000, retry=replace(QUICK, pauses=())) == CONTENT[100_000:]
    assert [begin for begin, _ in server.given] == [block, 2 * block, 3 * block, 4 * block]


def test_n1_a_cache_that_gives_a_byte_at_a_time_is_given_up(serve: Serve) -> None:
    server = serve(lambda request: part(request, request.begin, request.begin + 1))
    with pytest.raises(LinkFailed, match="it ends at byte"):
        load(server, 1)
    assert server.requests == 1 + len(QUICK.pauses)


def test_n2_what_a_cache_sends_beyond_what_was_asked_for_counts(serve: Serve) -> None:
    server = serve(lambda request: part(request, 0, len(CONTENT)))
    with pytest.raises(TooMuch):
        load(server, 250_000, limit=200_000)
    assert load(server, 250_000) == CONTENT[250_000:]


@pytest.mark.parametrize(
    "said",
    [
        f"bytes 200000-{len(CONTENT) - 1}/{len(CONTENT)}",
        "bytes 0-9/300000",
        "bytes 100000-299999/200000",
        "bytes 100000-9/300000",
        "bytes -100000--1/300000",
        "lines 100000-299999/300000",
        f"bytes {'9' * 5000}-/*",
        "",
    ],
)
def test_n2_a_server_whose_ranges_are_of_no_use_is_asked_for_all(serve: Serve, said: str) -> None:
    def useless(request: Request) -> None:
        if "Range" in request.headers:
            part(request, 100_000, len(CONTENT), said)
        else:
            request.right()

    server = serve(useless)
    assert load(server, 100_000) == CONTENT[100_000:]
    assert server.requests == 2


def test_n2_another_part_than_was_asked_for_is_refused(serve: Serve) -> None:
    server = serve(lambda request: part(request, 0, 10))
    with pytest.raises(LinkFailed, match="asked for byte 17"):
        load(server, 17)
    assert server.requests == 2


def test_n2_what_is_not_sent_as_it_is_is_refused(serve: Serve) -> None:
    server = serve(lambda request: request.head(200, 10, Content_Encoding="gzip"))
    with pytest.raises(LinkFailed, match="'gzip', not the file as it is"):
        load(server)
    assert server.requests == 1


def test_n2_a_short_page_in_place_of_the_rest_is_not_read(serve: Serve) -> None:
    server = serve(lambda request: request.head(200, 900))
    with pytest.raises(LinkFailed, match="ends before byte 1000"):
        load(server, 1000)


def test_n2_nothing_behind_the_end_of_a_file_is_no_failure(serve: Serve) -> None:
    size = len(CONTENT)
    server = serve(lambda request: request.head(416, 0, Content_Range=f"bytes */{size}"))
    assert load(server, size) == b""
    with pytest.raises(LinkFailed, match="the server answered 416"):
        load(server, size - 1)


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
        Web(url, meter=Meter(1), retry=QUICK).read(1)
