"""What containers take from each other and from the system: ports and networks.

A port of the device leads to one place. Who listens there besides containers is what ``ports``
says, in which modules name theirs.

Tested by ``tests/unit/config/rules/test_containers_together.py``.
"""

import itertools
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from reconix.config.merge import Table
from reconix.config.problems import Place, Problem
from reconix.config.rules.containers import Told
from reconix.config.schema.containers import Container
from reconix.config.schema.system import System
from reconix.config.schema.values import PublishedPort


def check_containers_together(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the containers of a system."""
    yield from _ports_are_used_once(system, table, file)
    for name, container in system.containers.items():
        told = Told(name, table, file)
        yield from _joins_another(container, system.containers, told)
        yield from _ports_fit_the_network(container, told)


def _ports_are_used_once(system: System, table: Table, file: Place) -> Iterator[Problem]:
    published = [(name, port) for name, each in system.containers.items() for port in each.ports]
    for name, port in published:
        other = system.ports.get(str(port.port)) if port.protocol == "tcp" else None
        if other is not None:
            yield _taken(Told(name, table, file), port, other)
    for (one, first), (other, second) in itertools.combinations(published, 2):
        if _collide(first, second):
            yield _taken(Told(other, table, file), second, f"container {one}")


def _taken(told: Told, port: PublishedPort, by: str) -> Problem:
    fact = f"port {port.port} of the device is also used by {by}"
    return told.problem("ports", fact=fact, hint="choose another one", item=port)


def _collide(one: PublishedPort, other: PublishedPort) -> bool:
    if (one.port, one.protocol) != (other.port, other.protocol):
        return False
    return one.address == other.address or _is_any(one.address) or _is_any(other.address)


def _is_any(address: str) -> bool:
    return not address or ip_address(address).is_unspecified


def _joins_another(
    container: Container, containers: Mapping[str, Container], told: Told
) -> Iterator[Problem]:
    other = container.joins
    if other is None:
        return
    if other not in containers:
        there = ", ".join(sorted({*containers} - {told.name})) or "no others"
        yield told.problem("network", fact=f"there is no container {other}", hint=f"has: {there}")
    elif told.name in _chain(other, containers):
        fact = "is the network of a container that has this one's"
        hint = 'let one of them have its own: network = "private"'
        yield told.problem("network", fact=fact, hint=hint)


def _chain(name: str, containers: Mapping[str, Container]) -> list[str]:
    """A container, the one whose network it has, and so on; each once."""
    found: list[str] = []
    while name in containers and name not in found:
        found.append(name)
        name = containers[name].joins or ""
    return found


def _ports_fit_the_network(container: Container, told: Told) -> Iterator[Problem]:
    for port in container.ports:
        if container.joins is not None:
            fact = f"its network is that of {container.joins}"
            hint = f"write the ports there: containers.{container.joins}.ports"
            yield told.problem("ports", fact=fact, hint=hint, item=port)
        elif container.network == "private" and ":" in port.address:
            fact = f"{port.address} is an address of IPv6, which private networks do not have"
            hint = 'leave the address out, or set network = "host"'
            yield told.problem("ports", fact=fact, hint=hint, item=port)
        elif container.network == "none":
            hint = 'set network = "private", or remove the ports'
            yield told.problem("ports", fact="it has no network", hint=hint, item=port)
        elif container.network == "host" and port.port != port.inner_port:
            fact = "with the network of the device, the program listens there itself"
            hint = f"write the port of the program: {port.inner_port}:{port.inner_port}"
            yield told.problem("ports", fact=fact, hint=hint, item=port)
