"""HTTP in which everything is bounded: each wait, each answer, each byte.

A server can keep a client without ever falling silent: with a line of the head of its answer byte
by byte, with one ``100 Continue`` after the other, with a handshake of TLS or a trailer that does
not end. A time-out sees each of these bytes as progress. So nothing is read here but under a
deadline, which does not move when a byte comes:

* from the question to the end of the head of the answer: ``answer_seconds``, in which the name is
  looked up, the connection made, a proxy asked, and every head that precedes the real one read;
* each piece of a body: ``timeout_seconds``;
* the body: ``min_bytes`` in each ``window_seconds`` of waiting;
* everything that a client does: until ``until``, if it is given.

Each byte that comes out of the connection is counted, including useless ones; of these no
more than ``_MAX_EXTRA_BYTES`` are taken before something useful must come. Redirections are
followed as ``address.py`` allows, and a bounded number of times. Connections are kept, one for each
server. A proxy is asked for what the route says; with https it sees nothing but a server's name.

Source: RFC 9110; RFC 9112; RFC 9110, section 9.3.6 (*CONNECT*).
Tested by ``tests/unit/base/test_http.py``, with servers that misbehave.
"""

import base64
import contextlib
import http.client
import io
import ipaddress
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from reconix.base.address import Address, Reach, Refused, reach_of, reach_of_name, shown
from reconix.base.records import dataclass, field

if TYPE_CHECKING:  # slow to import, and a minified system may lack it
    import ssl

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_IGNORED_BYTES = 1 << 16
_MAX_EXTRA_BYTES = 1 << 18
_HEADERS = {"User-Agent": "reconix", "Accept-Encoding": "identity"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LOGIN = "Authorization"
"""Who logs in to a server does not tell another one, to which it redirects."""
_ENTRY = re.compile(r"([^:]+|\[[^]]*\]):([0-9]{1,5})")
_naming = threading.Lock()
"""One at a time: there are name servers that lose some of several questions asked at once, and each
lost one costs the resolver's five seconds."""

BROKEN = (OSError, http.client.HTTPException)
"""What a link, a server and its answers can end with."""


class NoTls(Refused):
    """This system cannot speak https."""

    def __init__(self) -> None:
        super().__init__("this system was minified and has no TLS: update.url was not set")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server may take."""

    timeout_seconds: float = 30.0
    answer_seconds: float = 60.0
    min_bytes: int = 16 << 10
    window_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, which asks for us."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Proxy":
        """Read ``http://[user:password@]host:port``.

        Raises:
            Refused: it is something else. The message does not hold the password.
        """
        text = text if "://" in text else f"http://{text}"
        address = Address.parse(text)
        if address.scheme != "http":
            raise Refused(f"{shown(text)} is not a usable proxy: only http:// is supported")
        return cls(address.host, address.port, _credentials(text))


def trusted_by_the_system() -> "ssl.SSLContext":
    """What the system trusts.

    Raises:
        NoTls: it cannot speak TLS.
    """
    try:
        import ssl
    except ImportError as error:
        raise NoTls from error
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Route:
    """How servers are reached.

    Attributes:
        proxies: by the scheme of what is asked for; ``all`` stands for both.
        direct: hosts that are reached without a proxy, as ``no_proxy`` names them.
        context: which certificates to trust with https.
    """

    proxies: Mapping[str, Proxy] = field(default_factory=dict)
    direct: tuple[str, ...] = ()
    context: Callable[[], "ssl.SSLContext"] = trusted_by_the_system

    @classmethod
    def of(
        cls,
        variables: Mapping[str, str],
        context: Callable[[], "ssl.SSLContext"] = trusted_by_the_system,
    ) -> "Route":
        """What ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` say.

        Args:
            variables: without ``_proxy``: ``http``, ``https``, ``all`` and ``no``.
            context: which certificates to trust with https.

        Raises:
            Refused: one of them is not an address.
        """
        named = {key: variables[key] for key in ("http", "https", "all") if variables.get(key)}
        direct = variables.get("no", "").replace(",", " ").split()
        return cls({key: Proxy.parse(text) for key, text in named.items()}, tuple(direct), context)

    def proxy_for(self, address: Address) -> Proxy | None:
        """The proxy on the way to an address, if there is one."""
        proxy = self.proxies.get(address.scheme) or self.proxies.get("all")
        if proxy is None or any(_covers(each, address) for each in self.direct):
            return None
        return proxy


def proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What an environment says about proxies, for ``Route.of``.

    ``HTTP_PROXY`` does not count: in a program that a web server runs it is a header of a request.
    """
    found = {}
    for key in ("http", "https", "all", "no"):
        named = environment.get(f"{key}_proxy")
        if named is None and key != "http":
            named = environment.get(f"{key.upper()}_PROXY")
        if named:
            found[key] = named
    return found


class Answer(io.RawIOBase):
    """The answer to a question: its head, and its body to read."""

    def __init__(
        self, address: Address, response: http.client.HTTPResponse, wire: "_Wire", limits: Limits
    ) -> None:
        self.address = address
        self._response = response
        self._wire = wire
        self._limits = limits
        self._window = (0.0, 0)  # seconds of waiting, bytes that came

    @property
    def status(self) -> int:
        """Of the answer."""
        return self._response.status

    @property
    def left_bytes(self) -> int | None:
        """How many bytes of the body are still to come, if the server says so."""
        return self._response.length

    def header(self, name: str) -> str:
        """What the head says; nothing if it does not."""
        return self._response.getheader(name) or ""

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Nothing more is read of it."""
        self._response.close()
        super().close()

    def some(self, size_bytes: int) -> bytes:
        """Up to a number of bytes of the body; nothing at its end.

        Raises:
            OSError, HTTPException: the link failed, or is too slow.
        """
        began = time.monotonic()
        self._wire.begin(self._limits.timeout_seconds, size_bytes)
        data = self._response.read1(size_bytes)
        if data:
            self._check_rate(len(data), time.monotonic() - began)
        return data

    def readinto(self, buffer: object) -> int:
        """For whoever wants a file."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.some(len(view))
        view[: len(data)] = data
        return len(data)

    def _check_rate(self, size_bytes: int, seconds: float) -> None:
        waited, got = self._window
        waited, got = waited + seconds, got + size_bytes
        if got >= self._limits.min_bytes:
            self._window = (0.0, 0)
        elif waited > self._limits.window_seconds:
            raise TimeoutError(f"only {got} bytes in {self._limits.window_seconds:g} s")
        else:
            self._window = (waited, got)


class Client:
    """Asks servers and keeps a connection to each; used by one thread.

    Args:
        route: how servers are reached.
        limits: how long each may take.
        count: called with the number of bytes each time some arrive; may raise.
        until: when everything ends, on the monotonic clock.
    """

    def __init__(
        self,
        route: Route,
        limits: Limits,
        *,
        count: Callable[[int], None] | None = None,
        until: float = math.inf,
    ) -> None:
        self._route = route
        self._limits = limits
        self._count = count or _let_pass
        self._until = until
        self._kept: dict[tuple[str, str, int], _Connection] = {}

    def close(self) -> None:
        """Close all connections."""
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def break_off(self) -> None:
        """From another thread: who waits for something finds its link broken."""
        for connection in list(self._kept.values()):
            connection.wire.break_off()

    @contextlib.contextmanager
    def asking(self, address: Address, headers: Mapping[str, str] = _HEADERS) -> Iterator[Answer]:
        """Ask, and close the connection at the end if something is left on it.

        Raises:
            OSError, HTTPException: the link failed, or the server answers with nonsense.
        """
        answer = self.ask(address, headers)
        try:
            yield answer
        finally:
            self.let_go(answer)

    def ask(
        self,
        address: Address,
        headers: Mapping[str, str] = _HEADERS,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for something; redirections are followed, but not with a form.

        Args:
            address: what is asked for.
            headers: told to the server; a log-in to no other one.
            form: what is posted, such as a secret that stands in no address.

        Raises:
            Refused: there is no use in trying again.
            OSError, HTTPException: the link failed, or the server answers with nonsense.
        """
        allowed: frozenset[Reach] | None = None
        for _ in range(MAX_REDIRECTS + 1):
            kind = {} if form is None else _FORM
            question = _Question(address, {**_HEADERS, **headers, **kind}, form)
            connection, response = self._ask(question, allowed)
            location = response.getheader("Location")
            if response.status not in _REDIRECTS or location is None:
                return self._answer(address, response, connection)
            self.dismiss(self._answer(address, response, connection))
            if form is not None:
                raise Refused("it redirects what was sent to it")
            allowed = allowed or connection.reach.leads_to
            target = address.joined(location)
            if (target.scheme, target.authority) != (address.scheme, address.authority):
                headers = {name: value for name, value in headers.items() if name != _LOGIN}
            address = target
        raise Refused(f"more than {MAX_REDIRECTS} redirections")

    def dismiss(self, answer: Answer) -> None:
        """Discard the rest of an answer; read it if it is short."""
        if answer.left_bytes is not None and answer.left_bytes <= _MAX_IGNORED_BYTES:
            while answer.some(_MAX_IGNORED_BYTES):
                pass
        self.let_go(answer)

    def let_go(self, answer: Answer) -> None:
        """An answer was read; what is left of it would be in the way of the next."""
        if answer.left_bytes != 0:
            self.close()
        answer.close()

    def _answer(
        self, address: Address, response: http.client.HTTPResponse, connection: "_Connection"
    ) -> Answer:
        coding = response.getheader("Content-Encoding") or "identity"
        if coding.lower() != "identity":
            raise Refused(f"it sends {coding[:40]!r}, not the file as it is")
        return Answer(address, response, connection.wire, self._limits)

    def _ask(
        self, question: "_Question", allowed: frozenset[Reach] | None
    ) -> "tuple[_Connection, http.client.HTTPResponse]":
        address = question.address
        until = min(time.monotonic() + self._limits.answer_seconds, self._until)
        key = (address.scheme, address.host, address.port)
        kept = self._kept.get(key)
        if kept is not None and kept.is_open:
            # The server may have closed it meanwhile; that says nothing about the file.
            with contextlib.suppress(*BROKEN):
                return kept, kept.ask(question, allowed, until)
        if kept is not None:
            kept.close()
        fresh = _connect(self._route, address, allowed, until, self._wired)
        self._kept[key] = fresh
        return fresh, fresh.ask(question, allowed, until)

    def _wired(self, connected: socket.socket) -> "_Wire":
        return _Wire(connected, self._limits.timeout_seconds, self._count, self._until)


class _Wire:
    """What ``http.client`` takes for a socket: it gives nothing after its deadline, and counts."""

    def __init__(
        self,
        connected: socket.socket,
        timeout_seconds: float,
        count: Callable[[int], None],
        until: float,
    ) -> None:
        self.socket = connected
        self._timeout = timeout_seconds
        self._count = count
        self._until = until
        self._deadline = until
        self._left_bytes = 0

    def begin(self, seconds: float, size_bytes: int = 0) -> None:
        """Something begins that may take so long, and is so large."""
        self._deadline = min(time.monotonic() + seconds, self._until)
        self._left_bytes = size_bytes + _MAX_EXTRA_BYTES

    def left_seconds(self) -> float:
        """How long the next wait may take.

        Raises:
            TimeoutError: the time is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out: it keeps sending, but never what is due")
        return min(left, self._timeout)

    def sendall(self, data: bytes) -> None:
        """Send all of it; the time-out of a socket counts for the whole of this."""
        self.socket.settimeout(self.left_seconds())
        self.socket.sendall(data)

    def makefile(self, *_: object) -> io.BufferedReader:
        """For the answer."""
        return io.BufferedReader(_Reader(self))

    def receive_into(self, buffer: memoryview) -> int:
        """The next bytes."""
        self.socket.settimeout(self.left_seconds())
        got = self.socket.recv_into(buffer)
        self._count(got)
        self._left_bytes -= got
        if self._left_bytes < 0:
            raise http.client.HTTPException("it sends too much, but never what is due")
        return got

    def close(self) -> None:
        """For ``http.client``, which closes before it has read what it was asked for."""

    def break_off(self) -> None:
        """Nothing comes any more."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """The connection ends."""
        with contextlib.suppress(OSError):
            self.socket.close()


class _Reader(io.RawIOBase):
    """The reading half of a wire, as a file."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return self._wire.receive_into(memoryview(buffer))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Question:
    """What a server is asked."""

    address: Address
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        return "GET" if self.form is None else "POST"

    @property
    def body(self) -> bytes | None:
        return None if self.form is None else urlencode(self.form).encode()


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection to a server, perhaps through a proxy."""

    wire: _Wire
    reach: Reach
    proxy: Proxy | None  # that is told the whole address
    spoken: http.client.HTTPConnection

    @property
    def is_open(self) -> bool:
        """Whether the server will answer another question."""
        return self.spoken.sock is not None

    def close(self) -> None:
        self.spoken.close()
        self.wire.hang_up()

    def ask(
        self, question: _Question, allowed: frozenset[Reach] | None, until: float
    ) -> http.client.HTTPResponse:
        address = question.address
        _expect_allowed(address, self.reach, allowed)
        target = str(address) if self.proxy else address.target
        extra = self.proxy.headers if self.proxy else {}
        headers = {"Host": address.authority, **question.headers, **extra}
        self.wire.begin(until - time.monotonic())
        self.spoken.request(question.method, target, question.body, headers)
        return self.spoken.getresponse()


def _connect(
    route: Route,
    address: Address,
    allowed: frozenset[Reach] | None,
    until: float,
    wired: Callable[[socket.socket], _Wire],
) -> _Connection:
    """Reach a server, until a moment."""
    proxy = route.proxy_for(address)
    if proxy is None:
        connected, reach = _dial(address, allowed, until)
    else:  # which looks up the name itself
        reach = reach_of_name(address.host)
        _expect_allowed(address, reach, allowed)
        connected, _ = _dial(Address("http", proxy.host, proxy.port, "/"), None, until)
    with contextlib.ExitStack() as undo:
        undo.callback(connected.close)
        wire = wired(connected)
        wire.begin(until - time.monotonic())
        if proxy and address.scheme == "https":
            _tunnel(wire, address, proxy)
        if address.scheme == "https":
            wire.socket = _secured(connected, address, route.context(), wire.left_seconds())
        undo.pop_all()
    spoken = http.client.HTTPConnection(address.host, address.port)
    spoken.auto_open = 0
    spoken.sock = wire
    return _Connection(wire, reach, proxy if address.scheme == "http" else None, spoken)


def _dial(
    address: Address, allowed: frozenset[Reach] | None, until: float
) -> tuple[socket.socket, Reach]:
    """Connect to the first of the places that a name has and that answers."""
    places = _look_up(address, until)
    for place in places:
        _expect_allowed(address, place.reach, allowed)
    failed: OSError | None = None
    for tried, place in enumerate(places):
        connected = socket.socket(place.family, socket.SOCK_STREAM)
        try:
            left = _left(until, f"timed out: no connection to {address.authority}")
            connected.settimeout(left / (len(places) - tried + 1))  # others want some of it, too
            connected.connect(place.where)
        except OSError as error:
            connected.close()
            failed = error
        else:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected, place.reach
    raise failed or Refused(f"{address.host} has no address")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name may be reached."""

    family: socket.AddressFamily
    where: tuple[object, ...]

    @property
    def reach(self) -> Reach:
        return reach_of(str(self.where[0]))


def _places(address: Address, flags: int = 0) -> list[_Place]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    return [_Place(family, where) for family, _, _, _, where in found]


def _look_up(address: Address, until: float) -> list[_Place]:
    """The numeric addresses of a host; a name server may take its time, or all of ours."""
    try:
        return _places(address, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return _ask_for_places(address, until)


def _ask_for_places(address: Address, until: float) -> list[_Place]:
    """Ask in a thread, because the resolver itself cannot be interrupted."""
    found: list[list[_Place] | OSError] = []

    def ask() -> None:
        try:
            found.append(_places(address))
        except (OSError, UnicodeError) as error:
            found.append(OSError(str(error)))

    late = f"timed out: cannot resolve {address.host}"
    if not _naming.acquire(timeout=_left(until, late)):
        raise TimeoutError(late)
    try:
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_left(until, late))
    finally:
        _naming.release()
    if not found:
        raise TimeoutError(late)
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _left(until: float, otherwise: str) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError(otherwise)
    return left


def _expect_allowed(address: Address, reach: Reach, allowed: frozenset[Reach] | None) -> None:
    """A redirection must not lead to where only we can go.

    Raises:
        Refused: it does.
    """
    if allowed is not None and reach not in allowed:
        raise Refused(f"it redirects to {shown(str(address))}, which reaches {reach.value}")


def _tunnel(wire: _Wire, address: Address, proxy: Proxy) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    server = f"{host}:{address.port}"
    lines = {"Host": server, **proxy.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    wire.sendall(f"CONNECT {server} HTTP/1.1\r\n{head}\r\n".encode("ascii"))
    response = http.client.HTTPResponse(wire, method="CONNECT")  # type: ignore[arg-type]
    response.begin()
    response.close()
    if response.status >= 500:
        raise OSError(f"the proxy answered {response.status}")
    if response.status != 200:
        raise Refused(f"the proxy answered {response.status}")


def _secured(
    connected: socket.socket, address: Address, context: "ssl.SSLContext", seconds: float
) -> "ssl.SSLSocket":
    import ssl

    connected.settimeout(seconds)  # for the whole handshake
    try:
        return context.wrap_socket(connected, server_hostname=address.host.partition("%")[0])
    except ssl.SSLCertVerificationError as error:
        raise Refused(f"untrusted certificate: {error.verify_message}") from error


def _credentials(text: str) -> dict[str, str]:
    parts = urlsplit(text)
    if parts.username is None:
        return {}
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(who).decode()}"}


def _covers(entry: str, address: Address) -> bool:
    """Whether an entry of ``no_proxy`` means a server: by name, domain or network, or all by ``*``.

    Only a name, or an address in brackets, can be followed by a port.
    """
    found = _ENTRY.fullmatch(entry.lower())
    name, port = (found[1], found[2]) if found else (entry.lower(), None)
    name = name.strip("[]").removeprefix("*.").lstrip(".")
    if port and int(port) != address.port:
        return False
    host = address.host.lower().rstrip(".")
    return name in ("*", host) or host.endswith(f".{name}") or _is_in(host, name)


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _let_pass(_: int) -> None:
    """For a client that counts nothing."""
