"""A firewall with nftables: what is not wanted does not come in.

Everything the device begins itself is answered. From outside, only the named ports are open.
Modules open the ports of their services, so that usually nothing but `enable` has to be written.

Source: nft(8); RFC 4890 for what ICMPv6 cannot do without.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.schema.system import File, Services
from reconix.config.schema.values import Interface, Port


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A firewall with nftables: incoming traffic that is not allowed is dropped."""

    enable: Annotated[
        bool,
        Option(
            "Whether to run the firewall.",
            "true",
            "when the device is in a network that is not yours alone",
        ),
    ] = False
    tcp: Annotated[
        tuple[Port, ...],
        Option(
            "TCP ports that are open to everyone; modules open those of their services.",
            "[8080]",
            "for programs that no module opens a port for",
        ),
    ] = ()
    udp: Annotated[
        tuple[Port, ...],
        Option(
            "UDP ports that are open to everyone; modules open those of their services.",
            "[123]",
            "for programs that no module opens a port for",
        ),
    ] = ()
    ping: Annotated[
        bool,
        Option(
            "Whether the device answers pings.",
            "false",
            "when the device must not be easy to find",
        ),
    ] = True
    trusted: Annotated[
        tuple[Interface, ...],
        Option(
            "Interfaces on which everything is accepted, besides `lo`.",
            '["eth1"]',
            "when an interface leads to a network that is yours alone",
        ),
    ] = ()
    forward: Annotated[
        tuple[Interface, ...],
        Option(
            "Interfaces from which everything may be passed on to other networks, and to which may "
            "be passed on what came in for a port that leads there (`dnat`). Containers name "
            "theirs, and switch it on for all that are named; without any, that is "
            "`net.ipv4.ip_forward` in `sysctl`. Into a container only its `ports` lead.",
            '["lab0"]',
            "when the device is the way out for what is behind an interface",
        ),
    ] = ()


def configure(options: Options) -> Fragment:
    """The rules, and what loads them at boot before the network is there."""
    if not options.enable:
        return Fragment()
    interfaces = ("lo", *sorted(options.trusted))
    trusted = "".join(f'        iifname "{name}" accept\n' for name in interfaces)
    rules = _rules(trusted, "".join(_opened(options)), "".join(_forwarded(options)))
    return Fragment(
        packages=("nftables",),
        services=Services(enable=("nftables.service",)),
        files={"nftables.conf": File(text=rules)},
    )


def _rules(trusted: str, opened: str, forwarded: str) -> str:
    return f"""\
#!/usr/sbin/nft -f
flush ruleset

table inet reconix {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state vmap {{ established : accept, related : accept, invalid : drop }}
{trusted}        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
        icmpv6 type {{ packet-too-big, time-exceeded, parameter-problem }} accept
        icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept
        udp sport 67 udp dport 68 accept
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
{opened}    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
{forwarded}    }}
}}
"""


def _forwarded(options: Options) -> Iterable[str]:
    names = sorted(options.forward)
    if names:
        yield "        ct state vmap { established : accept, related : accept, invalid : drop }\n"
    yield from (f'        iifname "{name}" accept\n' for name in names)
    yield from (f'        oifname "{name}" ct status dnat accept\n' for name in names)


def _opened(options: Options) -> Iterable[str]:
    if options.ping:
        yield "        icmp type echo-request accept\n"
        yield "        icmpv6 type echo-request accept\n"
    for protocol, ports in (("tcp", options.tcp), ("udp", options.udp)):
        if ports:
            numbers = ", ".join(str(port) for port in sorted(ports))
            yield f"        {protocol} dport {{ {numbers} }} accept\n"
