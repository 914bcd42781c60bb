"""Reading a stream from a web server that may do anything.

A link to a device stalls, crawls, ends in the middle; a server ignores ranges, redirects for ever,
says one length and sends another. None of that matters to what is installed, because every frame is
checked. It matters to how long a device waits and how much it pays for. So:

* everything that is read has a deadline, and a connection that brings less than ``min_bytes`` in
  ``window_seconds`` is closed (``base/http.py``);
* a connection that ends is opened again at the byte that is needed; after ``pauses`` without any
  progress in between the attempt ends, and what has arrived is kept for the next one;
* a server that sends more than the rest, or all, when it is asked for the rest is tolerated if
  that is not too much; one whose ranges are useless is asked for all;
* one ``Meter`` counts all that an update loads, whatever for, and ends it when it is too much or
  takes too long.

With https the certificate must be that of the host, from an authority that the generation names, or
else the system trusts (``/etc/ssl/certs``); its dates do not count, because a device may have no
clock. All that it protects is who can see what is asked for.

Source: RFC 9110, sections 14 (*Range Requests*) and 15.4 (*Redirection*).
Tested by ``tests/unit/device/update/test_web.py``, with servers that misbehave.
"""

import http.client
import math
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconix.base import progress
from reconix.base.address import Address, Refused, shown
from reconix.base.errors import ReconixError
from reconix.base.http import BROKEN, Answer, Client, Limits, NoTls, Route
from reconix.base.records import dataclass
from reconix.transfer.format.stream import LinkFault

if TYPE_CHECKING:  # slow to import, and a minified system may lack it
    import ssl

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for
_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_PIECE_BYTES = 1 << 16
_SPAN = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NONE_LEFT = re.compile(r"bytes \*/([0-9]{1,18})")


class TooMuch(LinkFault):
    """An update would cost more to download than the configuration allows."""

    exit_code = 83

    def __init__(self, size_bytes: int, *, limit_bytes: int, loaded_bytes: int = 0) -> None:
        besides = f", besides {loaded_bytes} that were" if loaded_bytes else ""
        super().__init__(
            f"{size_bytes} bytes would be downloaded, more than {limit_bytes}{besides}",
            hint="allow it this time: --any-size",
        )


class Unreachable(ReconixError):
    """A repository of updates cannot be reached, or lacks what it should have."""

    exit_code = 82


class LinkFailed(OSError):
    """A server failed as often as it may."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a server is waited for, and how often it is tried again.

    Attributes:
        timeout_seconds: for each piece of an answer.
        pauses: before each next try, as long as nothing comes in between.
        min_bytes: less than this in ``window_seconds`` of waiting counts as no answer.
        window_seconds: see there.
        answer_seconds: for all that precedes the body of an answer.
        total_seconds: for all that an update loads; what has arrived then waits for the next try.
    """

    timeout_seconds: float = 30.0
    pauses: tuple[float, ...] = (1.0, 5.0, 15.0, 30.0, 60.0)
    min_bytes: int = 16 << 10
    window_seconds: float = 60.0
    answer_seconds: float = 60.0
    total_seconds: float = 6 * 3600.0

    @property
    def limits(self) -> Limits:
        """For one connection."""
        return Limits(
            self.timeout_seconds, self.answer_seconds, self.min_bytes, self.window_seconds
        )


class Meter:
    """Counts everything that one update loads: index, streams, what is loaded twice.

    Args:
        limit_bytes: how much that may be.
        seconds: how long it may take, from now on.
    """

    def __init__(self, limit_bytes: int, *, seconds: float = math.inf) -> None:
        self.limit_bytes = limit_bytes
        self.loaded_bytes = 0
        self.until = time.monotonic() + seconds

    def count(self, size_bytes: int) -> None:
        """Count bytes that came.

        Raises:
            TooMuch: that is more than is allowed.
        """
        self.loaded_bytes += size_bytes
        self.expect(0)

    def expect(self, size_bytes: int) -> None:
        """Check that this many more bytes may be loaded.

        Raises:
            TooMuch: that would be more than is allowed.
        """
        loaded, limit = self.loaded_bytes, self.limit_bytes
        if size_bytes and loaded + size_bytes > limit:
            raise TooMuch(size_bytes, limit_bytes=limit, loaded_bytes=loaded)
        if loaded > limit:
            raise TooMuch(loaded, limit_bytes=limit)

    @property
    def left_seconds(self) -> float:
        """How long it may still take."""
        return max(0.0, self.until - time.monotonic())


class Web:
    """One file of a web server, read from front to end."""

    def __init__(
        self,
        url: str,
        *,
        meter: Meter,
        authorities: str | None = None,
        proxies: Mapping[str, str] = MappingProxyType({}),
        retry: RetryPolicy | None = None,
    ) -> None:
        self._url = url
        self._meter = meter
        self._retry = retry or RetryPolicy()
        self._authorities, self._proxies = authorities, proxies
        self._client: Client | None = None
        self._answer: Answer | None = None
        self._position = 0
        self._until: int | None = None  # more is not asked for at first
        self._altered = (0, 0)
        self._size: int | None = None
        self._end: int | None = None  # of the part that a cache gives, before that of the file
        self._has_ranges = True
        self._ignores_ranges = False
        self._failures = 0
        self._progress = 0  # bytes since the last failure

    def go_to(self, position: int, size_bytes: int | None = None) -> None:
        """Continue at another byte; ask for this many first, and for the rest once it is read."""
        self.close()
        self._position = position
        self._until = None if size_bytes is None else position + size_bytes

    def again(self, position: int, size_bytes: int) -> None:
        """Go back for what came altered; each time after a longer pause, and for no more than that.

        Whatever sits on the way, a portal that wants a password, a damaged cache, may be gone then.
        A server that ignores ranges sends all of the file for that, so it is asked only once more.

        Raises:
            LinkFailed: it was.
        """
        before, times = self._altered
        times = times + 1 if position == before else 0
        self._altered = position, times
        if times and self._ignores_ranges:
            raise LinkFailed(f"{shown(self._url)}: altered again, and the server ignores ranges")
        self._pause(times)
        self.go_to(position, size_bytes)

    def read(self, size_bytes: int) -> bytes:
        """Up to that many bytes; nothing at the end of the file.

        Raises:
            LinkFailed: the server failed as often as it may.
            TooMuch: this is more than is allowed.
        """
        while True:
            try:
                return self._read(size_bytes)
            except BROKEN as error:
                self.close()
                fact = f"{shown(self._url)}: {error or type(error).__name__}"
                is_final = isinstance(error, Refused) or self._failures >= len(self._retry.pauses)
                if is_final or not self._meter.left_seconds:
                    raise LinkFailed(fact) from error
                progress.note(f"{fact}; trying again")
                self._pause(self._failures)
                self._failures += 1
                self._progress = 0

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
        self._answer = None

    def _pause(self, times: int) -> None:
        pauses = self._retry.pauses or (0.0,)
        time.sleep(min(pauses[min(times, len(pauses) - 1)], self._meter.left_seconds))

    def _read(self, size_bytes: int) -> bytes:
        if self._position == self._until:
            self.go_to(self._position)
        if self._answer is None:
            self._answer = None if self._is_over() else self._open()
        if self._is_over() or self._answer is None:
            return b""
        if self._until is not None:
            size_bytes = min(size_bytes, self._until - self._position)
        data = self._answer.some(size_bytes)
        self._position += len(data)
        self._progress += len(data)
        if self._progress >= self._retry.min_bytes:
            self._failures = 0
        if not data and self._position == self._end and self._progress >= self._retry.min_bytes:
            self.close()
            self._progress = 0
            return self._read(size_bytes)
        if not data and self._size is not None and not self._is_over():
            raise http.client.HTTPException(f"it ends at byte {self._position} of {self._size}")
        return data

    def _is_over(self) -> bool:
        return self._size is not None and self._position >= self._size

    def _open(self) -> Answer:
        """Ask for the file from the position on; gives what follows the position."""
        if self._client is None:
            self._client = Client(
                Route.of(self._proxies, lambda: _trusting(self._authorities)),
                self._retry.limits,
                count=self._meter.count,
                until=self._meter.until,
            )
        answer = self._client.ask(Address.parse(self._url), self._range())
        begin, size = self._begin(answer)
        if size is not None and size < self._position:
            raise http.client.HTTPException(f"the file ends before byte {self._position}")
        self._size = size
        left = answer.left_bytes
        self._meter.expect((size or begin) - begin if left is None else left)
        if not self._is_over():
            self._skip(answer, self._position - begin)
        return answer

    def _range(self) -> dict[str, str]:
        if not self._has_ranges or (not self._position and self._until is None):
            return {}
        last = "" if self._until is None else self._until - 1
        return {"Range": f"bytes={self._position}-{last}"}

    def _begin(self, answer: Answer) -> tuple[int, int | None]:
        """At which byte an answer begins, and how large the whole file is."""
        status = answer.status
        self._end = None
        if status == 200:
            self._ignores_ranges = bool(self._range())
            return 0, answer.left_bytes
        if status == 206:
            return self._part(answer)
        if status == 416 and _is_all(answer.header("Content-Range"), self._position):
            return self._position, self._position
        if status in _AGAIN:
            raise http.client.HTTPException(f"the server answered {status}")
        raise Refused(f"the server answered {status}")

    def _part(self, answer: Answer) -> tuple[int, int | None]:
        """What a part begins with; a cache may have made it larger than what was asked for."""
        given = answer.header("Content-Range")
        found = _SPAN.fullmatch(given)
        if found is not None:
            begin, last = int(found[1]), int(found[2])
            size = None if found[3] == "*" else int(found[3])
            if size == self._position:
                return size, size
            if begin <= self._position <= last and (size is None or last < size):
                self._end = last + 1
                return begin, size
        fact = f"asked for byte {self._position}, it sends {given[:80]!r}"
        if not self._range():
            raise Refused(fact)
        self._has_ranges = False
        raise http.client.HTTPException(fact)

    def _skip(self, answer: Answer, size_bytes: int) -> None:
        """Leave out what is there already, of a server that ignores ranges."""
        while size_bytes:
            data = answer.some(min(size_bytes, _PIECE_BYTES))
            if not data:
                raise http.client.HTTPException(f"the file ends before byte {self._position}")
            size_bytes -= len(data)


def _is_all(given: str, position: int) -> bool:
    """Whether there is nothing behind a byte because the file ends there."""
    found = _NONE_LEFT.fullmatch(given)
    return found is not None and int(found[1]) == position


def _trusting(authorities: str | None) -> "ssl.SSLContext":
    """Checks certificates, but not by a clock: in 1970 and in 2106 a device must be mendable."""
    try:
        import ssl
    except ImportError as error:
        raise NoTls from error
    try:
        context = ssl.create_default_context(cadata=authorities)
    except ssl.SSLError as error:
        raise Refused(f"the configured authorities are not certificates: {error.reason}") from error
    context.verify_flags |= _NO_CHECK_TIME
    return context
