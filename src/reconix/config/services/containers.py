"""What containers need of their system: a program that starts them, and open ports.

This is a module whose options are the option ``containers`` of a system: it says nothing itself
about a container, but what follows from all of them. So a line of the configuration that has a
container is where its packages come from, as with every other module.

A container with a network of its own has an interface of the device: ``reconix-`` and the number
of its range (``config/lock/containers.py``). What comes in for it at a port of the device is passed
on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option
from reconix.config.schema.containers import (
    INIT,
    OF_NETWORK,
    OF_RULES,
    RUNTIME,
    Container,
)
from reconix.config.schema.values import Name
from reconix.config.services.firewall import Options as Firewall

INTERFACES = "reconix-*"
"""The device's ends of the networks of containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The containers of a system."""

    containers: Annotated[
        Mapping[Name, Container],
        Option("Containers, by name.", '{ logger = { packages = ["python3-flask"] } }'),
    ] = field(default_factory=dict)


def configure(options: Options) -> Fragment:
    """The packages that start them, and what the firewall lets through."""
    containers = tuple(options.containers.values())
    if not containers:
        return Fragment()
    return Fragment(packages=tuple(_packages(containers)), set_modules=(_firewall(containers),))


def _packages(containers: Iterable[Container]) -> Iterator[str]:
    yield RUNTIME
    if any(each.needs_network for each in containers):
        yield OF_NETWORK
    if any(each.network == "private" for each in containers):
        yield OF_RULES
    if any(each.init for each in containers):
        yield INIT


def _firewall(containers: Iterable[Container]) -> Firewall:
    """Ports at which containers listen themselves, and interfaces of those that do not."""
    host = [port for each in containers if each.network == "host" for port in each.ports]
    ports = [port for port in host if not (port.address and ip_address(port.address).is_loopback)]
    is_passed_on = any(each.network == "private" for each in containers)
    return Firewall(
        tcp=tuple(dict.fromkeys(port.port for port in ports if port.protocol == "tcp")),
        udp=tuple(dict.fromkeys(port.port for port in ports if port.protocol == "udp")),
        forward=(INTERFACES,) if is_passed_on else (),
    )
