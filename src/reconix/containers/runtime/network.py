"""The networks of containers: addresses, names, and one table of rules for all of them.

Each container with a network of its own has a network namespace, and a pair of interfaces that
leads there. The addresses follow from the number of its range, which no other one on this host
has::

    range 0    10.88.0.1 (device)  ──  10.88.0.2 (container)     /30
    range 1    10.88.0.5           ──  10.88.0.6

What is published comes to the container by a change of the destination, and what it sends out has
the address of the device. Nothing else gets in from outside. From the device itself a published
port can be reached at any of its addresses, ``127.0.0.1`` included; for that the interface routes
such packets, and what a container itself sends there is dropped.

A container that joins another one has all of that one's network, and what it publishes leads there.

Source: nft(8); RFC 1918; for ``route_localnet``, Linux, *ip-sysctl*, and CVE-2020-8558.
Tested by ``tests/unit/containers/runtime/test_network.py``, with nft itself.
"""

import enum
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconix.config.schema.containers import Container
from reconix.config.schema.values import PublishedPort

TABLE = "reconix-containers"
_NETWORK = ipaddress.IPv4Network("10.88.0.0/15")
_ADDRESSES = 4
_PREFIX = 30
_OURS = "reconix-*"


class Kind(enum.Enum):
    """Which network a container has, its own or that of the one that it joins."""

    HOST = "host"
    NONE = "none"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class ContainerNet:
    """The network of a container."""

    kind: Kind
    maker: str
    """The container that it belongs to."""
    number: int
    """Of the range of that one."""

    @property
    def namespace(self) -> str:
        """The name of the network namespace; nothing if it is that of the device."""
        return "" if self.kind is Kind.HOST else f"reconix-{self.maker}"

    @property
    def interface(self) -> str:
        """On the device, what leads there."""
        return f"reconix-{self.number}" if self.kind is Kind.PRIVATE else ""

    @property
    def address(self) -> str:
        """In the container, without the length of the prefix."""
        return str(_NETWORK[_ADDRESSES * self.number + 2])

    @property
    def peer(self) -> str:
        """On the device, likewise."""
        return str(_NETWORK[_ADDRESSES * self.number + 1])

    def with_prefix(self, address: str) -> str:
        """An address of a private network as ``ip`` takes it; nothing for another network."""
        return f"{address}/{_PREFIX}" if self.kind is Kind.PRIVATE else ""


def networks(
    containers: Mapping[str, Container], ranges: Mapping[str, int]
) -> dict[str, ContainerNet]:
    """The network of each container of a system.

    Args:
        containers: by name. Who joins another one does not lead in a circle.
        ranges: the numbers of their ranges.
    """
    makers = {name: _maker(name, containers) for name in containers}
    return {
        name: ContainerNet(Kind(containers[maker].network), maker, ranges[maker])
        for name, maker in makers.items()
    }


def _maker(name: str, containers: Mapping[str, Container]) -> str:
    joined = containers[name].joins
    return name if joined is None else _maker(joined, containers)


def hosts(name: str, nets: Mapping[str, ContainerNet]) -> str:
    """``/etc/hosts`` of a container: itself, and the others that it can reach by an address."""
    own = nets[name]
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    if own.kind is Kind.PRIVATE:
        lines.append(f"{own.peer} host.containers.internal")
    else:
        lines.append(f"127.0.1.1 {name}")
    if own.kind is not Kind.NONE:
        private = ((other, net) for other, net in sorted(nets.items()) if net.interface)
        lines += [f"{net.address} {other}" for other, net in private]
    return "".join(f"{line}\n" for line in lines)


def ruleset(containers: Mapping[str, Container], nets: Mapping[str, ContainerNet]) -> str:
    """The rules for all containers of a system; nothing if none needs any."""
    published = [
        (nets[name], port)
        for name, container in sorted(containers.items())
        for port in container.ports
        if nets[name].kind is Kind.PRIVATE
    ]
    if not any(net.interface for net in nets.values()):
        return ""
    leading = "".join(f"        {line}\n" for line in sorted(_leading(published)))
    return f"""\
table inet {TABLE}
delete table inet {TABLE}

table inet {TABLE} {{
    chain loopback {{
        type filter hook prerouting priority raw; policy accept;
        iifname "{_OURS}" ip daddr 127.0.0.0/8 drop
    }}
    chain published {{
{leading}    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local jump published
    }}
    chain output {{
        type nat hook output priority -100; policy accept;
        fib daddr type local jump published
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname "{_OURS}" ip saddr 127.0.0.0/8 masquerade
        ip saddr {_NETWORK} oifname != "{_OURS}" masquerade
    }}
    chain forward {{
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        oifname "{_OURS}" iifname "{_OURS}" accept
        oifname "{_OURS}" ct status dnat accept
        oifname "{_OURS}" drop
    }}
}}
"""


def _leading(published: Iterable[tuple[ContainerNet, PublishedPort]]) -> Iterator[str]:
    for net, port in published:
        if ":" in port.address:
            continue  # there is no private network of IPv6
        to = f"ip daddr {port.address} " if port.address else ""
        match = f"{to}{port.protocol} dport {port.port}"
        yield f"meta nfproto ipv4 {match} dnat ip to {net.address}:{port.inner_port}"
