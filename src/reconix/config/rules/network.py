"""Each interface gets an address, and a virtual one is made of interfaces that exist.

Tested by ``tests/unit/config/rules/test_assertions.py``.
"""

import re
from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.system import System

_IS_INTERFACE = re.compile(r"[A-Za-z0-9_-]{1,15}")
"""What the kernel takes as a name (IFNAMSIZ), and no pattern."""


def check_network(system: System, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold between the interfaces of a system."""
    yield from _interfaces_have_addresses(system, table, file)
    yield from _virtual_interfaces_stand_on_others(system, table, file)


def _interfaces_have_addresses(system: System, table: Table, file: Place) -> Iterator[Problem]:
    carrying = {network.on for network in system.network.values()}
    joined = {member for network in system.network.values() for member in network.bridge}
    for name, network in system.network.items():
        addressed = network.dhcp or bool(network.address)
        place = place_of(table, "network", name, default=file)
        if not addressed and name not in carrying | joined:
            hint = "set dhcp = true, or an address"
            yield Problem(place, dotted("network", name), "has no way to get an address", hint)
        if addressed and name in joined:
            hint = "set the address on the bridge"
            yield Problem(place, dotted("network", name), "has an address but is in a bridge", hint)


def _virtual_interfaces_stand_on_others(
    system: System, table: Table, file: Place
) -> Iterator[Problem]:
    for name, network in system.network.items():
        key, place = dotted("network", name), place_of(table, "network", name, default=file)
        if (network.vlan is None) != (network.on is None):
            yield Problem(place, key, "vlan and on must be set together", "set both or neither")
        if network.vlan is not None and network.bridge:
            yield Problem(place, key, "is both a VLAN and a bridge", "use two tables")
        if network.is_virtual and (network.match or not _IS_INTERFACE.fullmatch(name)):
            fact = (
                "a virtual interface has the name of its table: at most 15 letters, digits, - or _"
            )
            yield Problem(place, key, fact, "rename the table, and remove match")
        for other in (*network.bridge, *((network.on,) if network.on else ())):
            if other not in system.network or other == name:
                known = ", ".join(sorted(system.network.keys() - {name})) or "none"
                fact = f"refers to {other}, which is not another network"
                yield Problem(place, key, fact, f"known networks: {known}")
