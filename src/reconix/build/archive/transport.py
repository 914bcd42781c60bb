"""HTTP for many files from few servers, with two kinds of failure that a caller must tell apart.

A lock names a hundred files from two servers. One connection for each file costs a hundred look-ups
of a name and, with TLS, a hundred handshakes, which is most of the time. ``base/http.py`` keeps a
connection for each server and bounds whatever a server does; here a failure says whether to ask
another server, or the same one again.

Tested by ``tests/unit/build/archive/test_fetch.py``, on a real server that misbehaves.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from reconix.base import http
from reconix.base.address import Address
from reconix.base.http import BROKEN, Limits
from reconix.build.archive.logins import Login, headers_for

_REFUSED = (401, 403)
_GONE = (404, 410)
_Result = TypeVar("_Result")


class Gone(Exception):
    """The server says that it does not have this."""


class Transient(Exception):
    """A failure that may be gone at the next attempt."""


@dataclass(frozen=True, slots=True)
class Route:
    """How servers are reached.

    Attributes:
        proxies: by scheme, ``http`` and ``https``; ``all`` for both, and ``no`` for whom no proxy
            is asked: the values of the variables ``http_proxy`` and so on.
        certificates: whom to trust; by default, what the machine trusts.
        logins: who logs in to servers, and how.
        timeout_seconds: how long a server may say nothing.
    """

    proxies: Mapping[str, str] = field(default_factory=dict)
    certificates: Path | None = None
    logins: tuple[Login, ...] = ()
    timeout_seconds: float = 30

    def client(self) -> http.Client:
        """Asks servers on this route.

        Raises:
            Refused: a proxy has no address.
        """
        limits = Limits(self.timeout_seconds, answer_seconds=2 * self.timeout_seconds)
        return http.Client(http.Route.of(self.proxies, self._context), limits)

    def _context(self) -> ssl.SSLContext:
        trusted = self.certificates
        return ssl.create_default_context(cafile=str(trusted) if trusted else None)


class Client:
    """Keeps one connection for each server; used by one thread."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._client: http.Client | None = None

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()

    @contextmanager
    def get(self, address: str) -> Iterator[Callable[[int], bytes]]:
        """Ask for a file; the block gets a function that reads at most a given number of its bytes.

        Raises:
            Gone: there is no such file.
            Transient: the server does not answer, or with an error, or breaks off.
        """
        client, answer = self._translated(lambda: self._ask(address))
        try:
            yield lambda size_bytes: self._translated(lambda: answer.some(size_bytes))
        finally:
            client.let_go(answer)

    def _translated(self, call: Callable[[], _Result]) -> _Result:
        """Talk to the server, and nothing else: a full disk is not its fault."""
        try:
            return call()
        except BROKEN as error:
            self.close()
            raise Transient(str(error) or type(error).__name__) from error

    def _ask(self, address: str) -> tuple[http.Client, http.Answer]:
        client = self._client = self._client or self._route.client()
        parsed = Address.parse(address)
        answer = client.ask(parsed, headers_for(parsed, self._route.logins))
        if answer.status == 200:
            return client, answer
        client.dismiss(answer)
        if answer.status in _GONE:
            raise Gone
        login = "; who logs in is read from apt's auth.conf" if answer.status in _REFUSED else ""
        raise Transient(f"the server answered {answer.status}{login}")
