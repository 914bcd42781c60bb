"""HTTP for many files from few servers: connections are kept, everything is bounded.

A lock names a hundred files from two servers. One connection for each file costs a hundred look-ups
of a name and, with TLS, a hundred handshakes, which is most of the time; ``urllib`` knows no other
way. So this is the little that is needed over ``http.client``: a connection for each server, a
bounded number of redirects, proxies, and the two kinds of failure that a caller must tell apart.

Proven by ``tests/unit/build/test_fetch.py``, on a real server that misbehaves.
"""

import base64
import http.client
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult

_MAX_REDIRECTS = 5
_MAX_IGNORED_BYTES = 1 << 16
_GONE = (404, 410)
_HEADERS = {"User-Agent": "reconix", "Accept-Encoding": "identity"}
_BROKEN = (http.client.HTTPException, TimeoutError, OSError)
_connecting = threading.Lock()
_Result = TypeVar("_Result")


class Gone(Exception):
    """The server says that it does not have this."""


class Transient(Exception):
    """Something that may be different next time."""


@dataclass(frozen=True, slots=True)
class Route:
    """How servers are reached.

    Attributes:
        proxies: by scheme, ``http`` and ``https``.
        certificates: whom to trust; what the machine trusts if there is none.
        timeout_seconds: how long a server may say nothing.
    """

    proxies: Mapping[str, str] = field(default_factory=dict)
    certificates: Path | None = None
    timeout_seconds: float = 30

    def proxy_for(self, url: SplitResult) -> SplitResult | None:
        """The proxy on the way to an address, if there is one."""
        proxy = self.proxies.get(url.scheme)
        if proxy is None or urllib.request.proxy_bypass(url.hostname or ""):
            return None
        return urllib.parse.urlsplit(proxy)


class Client:
    """Keeps one connection for each server; used by one thread."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._kept: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    @contextmanager
    def get(self, address: str) -> Iterator[Callable[[int], bytes]]:
        """Ask for a file; the block gets a function that reads at most so many bytes of it.

        Raises:
            Gone: there is no such file.
            Transient: the server does not answer, or with an error, or breaks off.
        """
        answer = self._translated(lambda: self._follow(address))
        try:
            # Not read(), which waits for all bytes however slowly they come.
            yield lambda size_bytes: self._translated(lambda: answer.read1(size_bytes))
        finally:
            if answer.length != 0:  # what is left of it would be in the way of the next
                self.close()
            answer.close()

    def _translated(self, call: Callable[[], _Result]) -> _Result:
        """Talk to the server, and nothing else: a full disk is not its fault."""
        try:
            return call()
        except _BROKEN as error:
            self.close()
            raise Transient(str(error) or type(error).__name__) from error

    def _follow(self, address: str) -> http.client.HTTPResponse:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._ask(urllib.parse.urlsplit(address))
            if answer.status == 200:
                return answer
            place = answer.getheader("Location") if 300 <= answer.status < 400 else None
            self._finish(answer)
            if answer.status in _GONE:
                raise Gone
            if place is None:
                raise Transient(f"the server answered {answer.status} {answer.reason}")
            address = urllib.parse.urljoin(address, place)
        raise Transient(f"more than {_MAX_REDIRECTS} redirects")

    def _finish(self, answer: http.client.HTTPResponse) -> None:
        """Read what an answer says that nobody wants to know."""
        answer.read(_MAX_IGNORED_BYTES)
        if not answer.isclosed():
            self.close()
        answer.close()

    def _ask(self, url: SplitResult) -> http.client.HTTPResponse:
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Transient(f"{url.geturl()[:200]!r} is no address that we ask")
        server = (url.scheme, url.netloc)
        if server in self._kept:
            # The server may have closed it meanwhile; that says nothing about the file.
            with suppress(*_BROKEN):
                return self._request(self._kept[server], url)
            self._kept.pop(server).close()
        self._kept[server] = self._connect(url)
        return self._request(self._kept[server], url)

    def _request(
        self, connection: http.client.HTTPConnection, url: SplitResult
    ) -> http.client.HTTPResponse:
        proxy = self._route.proxy_for(url)
        path = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        if proxy and url.scheme == "http":
            path, headers = url.geturl(), {**_HEADERS, **_proxy_headers(proxy)}
        else:
            headers = _HEADERS
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def _connect(self, url: SplitResult) -> http.client.HTTPConnection:
        proxy = self._route.proxy_for(url)
        connection = self._connection(url.scheme, proxy or url)
        if proxy and url.scheme == "https":
            connection.set_tunnel(url.hostname or "", url.port, _proxy_headers(proxy))
        # One at a time: there are name servers that lose some of several questions asked at once,
        # and each lost one costs the resolver's five seconds.
        with _connecting:
            connection.connect()
        return connection

    def _connection(self, scheme: str, server: SplitResult) -> http.client.HTTPConnection:
        host, timeout = server.hostname or "", self._route.timeout_seconds
        if scheme == "http":
            return http.client.HTTPConnection(host, server.port, timeout=timeout)
        trusted = self._route.certificates
        context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
        return http.client.HTTPSConnection(host, server.port, timeout=timeout, context=context)


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    who = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(who.encode()).decode()}"}
