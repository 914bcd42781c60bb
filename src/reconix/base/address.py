"""Addresses of web servers: what may be asked for, and on whose machine it lies.

Addresses come from a configuration, and from servers that redirect. The second kind is written by
whoever sits on the link, and goes to functions that expect the first: a name with an empty label,
a port of 99999 or half an address of IPv6 raise a different exception in each of them. So text
becomes an ``Address`` here or is refused here, with one error.

A redirection is an order to ask somebody else. It does not leave http and https, does not go from
the second to the first, and does not lead to where only this machine can ask: to itself, by any of
its addresses, or to its link. The services there trust whoever reaches them, and an agent is
root. A name may stand for any of them, so what counts is the address that a name has at the moment
at which it is used.

Source: RFC 3986; RFC 9110, section 15.4; RFC 6890 for addresses with a meaning of their own.
Tested by ``tests/unit/base/test_address.py``.
"""

import enum
import ipaddress
import re
import socket
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from reconix.base.records import dataclass

_PORTS = {"http": 80, "https": 443}
_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_SERVER = re.compile(r"(\[[^][]*\]|[^][:]*)(:[0-9]*)?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_SERVER_END = re.compile(r"[/?#]")
_MAX_NAME = 254
_MAX_CHARACTERS = 8192
_ALLOWED = "".join(chr(code) for code in range(0x21, 0x7F))
"""What an address is made of; anything else, in a path, is written as its bytes."""


class Refused(OSError):
    """Something that is refused, whoever asks and however often."""


class Reach(enum.Enum):
    """Who can reach an address."""

    ANYBODY = "the network"
    LINK = "the link of this machine"
    OURS = "this machine"
    ITSELF = "this machine alone"

    @property
    def leads_to(self) -> "frozenset[Reach]":
        """Where a server may redirect to that is there by configuration."""
        here = {Reach.OURS} if self is Reach.ITSELF else set()
        return frozenset({Reach.ANYBODY, self, *here})


@dataclass(frozen=True, slots=True)
class Address:
    """What a web server can be asked for; valid by construction."""

    scheme: str
    host: str  # a name, or an address of IPv4 or IPv6 without brackets
    port: int
    target: str  # path and query

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read an address; who is to log in, and what stands behind ``#``, are left out.

        Raises:
            Refused: it is not the address of a web server.
        """
        try:
            parts = urlsplit(quote(text, safe=_ALLOWED))
            host = _host(parts)
            port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:  # of the standard library: many kinds
            parts, host, port = SplitResult("", "", "", "", ""), "", None
        if not host or not port or parts.scheme not in _PORTS or len(text) > _MAX_CHARACTERS:
            raise Refused(f"{shown(text)} is not the address of a web server")
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.scheme, host, port, f"{parts.path or '/'}{query}")

    def joined(self, location: str) -> "Address":
        """Where a redirection leads.

        Args:
            location: as it stands in a header, one character for each byte.

        Raises:
            Refused: to no web server, or to one that all can listen to.
        """
        try:
            text = urljoin(str(self), quote(location.encode("latin-1"), safe=_ALLOWED))
        except ValueError:
            text = location
        target = Address.parse(text)
        if (self.scheme, target.scheme) == ("https", "http"):
            raise Refused(f"it redirects from https to {shown(str(target))}")
        return target

    @property
    def authority(self) -> str:
        """The server, as a request names it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def has_login(text: str) -> bool:
    """Whether an address says who is to log in."""
    return "@" in _SERVER_END.split(text.partition("://")[2], maxsplit=1)[0]


def without_login(text: str) -> str:
    """An address as it may be shown or kept: without who is to log in.

    A password may hold what it should not, so all up to the last ``@`` is taken for it.
    """
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if has_login(text) else text


def shown(text: str) -> str:
    """An address for people: short, no control characters, no password.

    What follows ``?`` is left out: where servers redirect to, it is often what lets one in.
    """
    scheme, mark, rest = text.rpartition("://")
    plain = rest.rpartition("@")[2]
    before, query, _ = plain.partition("?")
    return repr(f"{scheme}{mark}{before}"[:200] + ("?…" if query else ""))


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").replace("%25", "%")
    if not _SERVER.fullmatch(parts.netloc.rpartition("@")[2]):
        return ""
    if ":" in host:
        address, mark, zone = host.partition("%")
        is_good = not mark or _ZONE.fullmatch(zone)
        return f"{ipaddress.IPv6Address(address)}{mark}{zone}" if is_good else ""
    return host if len(host) <= _MAX_NAME and _NAME.fullmatch(host) else ""


def reach_of_name(host: str) -> Reach:
    """What can be known of a host without asking anybody for its address."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.ITSELF
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return Reach.ANYBODY
    return max((reach_of(str(each[4][0])) for each in found), key=list(Reach).index)


def reach_of(numeric: str) -> Reach:
    """Who can reach a numeric address."""
    address = _plain(ipaddress.ip_address(numeric.partition("%")[0]))
    if address.is_loopback or address.is_unspecified or _is_this_network(address):
        return Reach.ITSELF
    if address.is_link_local or address.is_multicast or _is_broadcast(address):
        return Reach.LINK
    return Reach.OURS if _is_ours(numeric) else Reach.ANYBODY


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if 1 < int(address) < 1 << 32:  # IPv4-compatible, long out of use
            return ipaddress.IPv4Address(int(address))
    return address


def _is_this_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.version == 4 and int(address) >> 24 == 0


def _is_broadcast(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.version == 4 and int(address) == (1 << 32) - 1


def _is_ours(numeric: str) -> bool:
    """Whether an interface of this machine has an address: then we would ask from there, too.

    Connecting a socket for datagrams sends nothing.
    """
    family = socket.AF_INET6 if ":" in numeric else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((numeric, 9))
            return str(probe.getsockname()[0]) == numeric
    except OSError:
        return False
