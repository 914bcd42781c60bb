"""Reading a stream from a web server that may do anything.

A link to a device stalls, crawls, ends in the middle; a server ignores ranges, redirects for ever,
says one length and sends another. None of that matters to what is installed, because every frame is
checked. It matters to how long a device waits and how much it pays for. So:

* each read has a time-out, and a connection that brings less than ``MIN_RATE`` is given up;
* a connection that ends is opened again at the byte that is needed; after ``PAUSES`` without any
  progress in between the attempt ends, and what has arrived is kept for the next one;
* a server that sends all of a file when it is asked for the rest is refused if that is too much;
* no more than the limit is read at all, whatever the server says.

With https the certificate must be that of the host, from an authority that the generation names, or
else the system believes (``/etc/ssl/certs``); its dates do not count, because a device may have no
clock. All that it protects is who can see what is asked for.

Source: RFC 9110, sections 14 (*Range Requests*) and 15.4 (*Redirection*).
Proven by ``tests/unit/device/test_web.py``, with servers that misbehave.
"""

import contextlib
import http.client
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.transfer.stream import LinkFault

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for
_AGAIN = (408, 425, 429, 500, 502, 503, 504)


class TooMuch(LinkFault):
    """An update would cost more to download than the configuration allows."""

    exit_code = 83

    def __init__(self, size_bytes: int, *, limit_bytes: int) -> None:
        super().__init__(
            f"{size_bytes} bytes would be downloaded, more than {limit_bytes}",
            hint="allow it this time: --any-size",
        )


class Unreachable(ReconixError):
    """A place with updates does not give what it should."""

    exit_code = 82


class LinkFailed(OSError):
    """A server was tried again and again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    timeout_seconds: float = 30.0
    pauses: tuple[float, ...] = (1.0, 5.0, 15.0, 30.0, 60.0)
    min_bytes: int = 16 << 10
    """Less than this in ``window_seconds`` counts as no answer."""
    window_seconds: float = 60.0


class Web:
    """One file of a web server, read from front to end."""

    def __init__(
        self,
        url: str,
        *,
        limit_bytes: int,
        authorities: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._url = url
        self._limit = limit_bytes
        self._authorities = authorities
        self._patience = patience or Patience()
        self._position = 0
        self._until: int | None = None  # more is not asked for at first
        self._altered = (0, 0)
        self._loaded = 0
        self._size: int | None = None
        self._response: http.client.HTTPResponse | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._failures = 0
        self._window = (0.0, 0)

    def go_to(self, position: int, size_bytes: int | None = None) -> None:
        """Continue at another byte; ask for so many first, and for what follows if it is read."""
        self.close()
        self._position = position
        self._until = None if size_bytes is None else position + size_bytes

    def again(self, position: int, size_bytes: int) -> None:
        """Go back for what came altered; each time after a longer pause, and for no more than that.

        Whatever sits on the way, a portal that wants a password, a damaged cache, may be gone then.
        """
        before, times = self._altered
        times = times + 1 if position == before else 0
        self._altered = position, times
        time.sleep(self._patience.pauses[min(times, len(self._patience.pauses) - 1)])
        self.go_to(position, size_bytes)

    def read(self, size_bytes: int) -> bytes:
        """Up to that many bytes; nothing at the end of the file.

        Raises:
            LinkFailed: the server was tried again and again.
            TooMuch: this is more than is allowed.
        """
        while True:
            try:
                return self._read(size_bytes)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if isinstance(error, LinkFailed) or self._failures >= len(self._patience.pauses):
                    raise LinkFailed(f"{self._url}: {error or type(error).__name__}") from error
                progress.note(f"{self._url}: {error or type(error).__name__}; trying again")
                time.sleep(self._patience.pauses[self._failures])
                self._failures += 1

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = self._response = None

    def _read(self, size_bytes: int) -> bytes:
        if self._position == self._until:
            self.go_to(self._position)
        if self._response is None:
            if self._size is not None and self._position >= self._size:
                return b""
            self._response = self._open()
            self._window = (time.monotonic(), 0)
        if self._until is not None:
            size_bytes = min(size_bytes, self._until - self._position)
        data = self._response.read1(size_bytes)
        self._count(len(data))
        self._position += len(data)
        if data:
            self._check_rate(len(data))
        elif self._size is not None and self._position < self._size:
            raise http.client.HTTPException(f"it ends at byte {self._position} of {self._size}")
        return data

    def _count(self, size_bytes: int) -> None:
        self._loaded += size_bytes
        if self._loaded > self._limit:
            raise TooMuch(self._loaded, limit_bytes=self._limit)

    def _check_rate(self, size_bytes: int) -> None:
        began, got = self._window
        got += size_bytes
        if got >= self._patience.min_bytes:
            self._failures = 0
            self._window = (time.monotonic(), 0)
        elif time.monotonic() - began > self._patience.window_seconds:
            raise TimeoutError(f"only {got} bytes in {self._patience.window_seconds:g} s")
        else:
            self._window = (began, got)

    def _open(self) -> http.client.HTTPResponse:
        """Ask for the file from the position on; gives what follows the position."""
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(url)
            if response.status not in _REDIRECTS:
                return self._begin(response)
            url = _redirected(url, response.getheader("Location") or "")
            self.close()
        raise LinkFailed(f"more than {MAX_REDIRECTS} redirections")

    def _ask(self, url: str) -> http.client.HTTPResponse:
        parts = _parts(url)
        self._connection = self._connect(parts)
        headers = {"Accept-Encoding": "identity"}
        if self._position or self._until is not None:
            last = "" if self._until is None else self._until - 1
            headers["Range"] = f"bytes={self._position}-{last}"
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            self._connection.request("GET", path, headers=headers)
        except ssl.SSLCertVerificationError as error:
            raise LinkFailed(f"its certificate is not believed: {error.verify_message}") from error
        return self._connection.getresponse()

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port, timeout = parts.hostname or "", parts.port, self._patience.timeout_seconds
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        context = _believing(self._authorities)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)

    def _begin(self, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
        status = response.status
        if status == 206 and (self._position or self._until is not None):
            self._size = _total(response.getheader("Content-Range") or "", self._position)
        elif status == 200:
            self._size = response.length
            self._skip(response)
        elif status in _AGAIN:
            raise http.client.HTTPException(f"the server says {status}")
        else:
            raise LinkFailed(f"the server says {status}")
        if (self._size or 0) - self._position + self._loaded > self._limit:
            raise TooMuch((self._size or 0) - self._position, limit_bytes=self._limit)
        return response

    def _skip(self, response: http.client.HTTPResponse) -> None:
        """Leave out what is there already, of a server that ignores ranges."""
        if self._position + self._loaded > self._limit:
            raise TooMuch(self._size or self._position, limit_bytes=self._limit)
        left = self._position
        while left:
            data = response.read(min(left, 1 << 16))
            if not data:
                raise http.client.HTTPException(f"the file ends before byte {self._position}")
            self._count(len(data))
            left -= len(data)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        is_good = False
    if not is_good:
        raise LinkFailed(f"{url[:200]!r} is no address of a web server")
    return parts


def _believing(authorities: str | None) -> ssl.SSLContext:
    """Checks certificates, but not by a clock: in 1970 and in 2106 a device must be mendable."""
    try:
        context = ssl.create_default_context(cadata=authorities)
    except ssl.SSLError as error:
        raise LinkFailed(f"its authorities are no certificates: {error.reason}") from error
    context.verify_flags |= _NO_CHECK_TIME
    return context


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise LinkFailed("it redirects from https to something else")
    return target


def _total(text: str, position: int) -> int | None:
    """The size of the whole file from ``bytes 5-9/10``; it must begin where we asked."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    if span.partition("-")[0] != str(position):
        raise LinkFailed(f"asked for byte {position}, it sends {text[:80]!r}")
    return int(total) if total.isdecimal() and len(total) < 20 else None
