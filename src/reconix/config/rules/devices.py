"""A device may only override what its systems define, and has addresses of its own.

Tested by ``tests/unit/config/rules/test_devices.py``.
"""

from collections.abc import Iterator

from reconix.config.merge import Table, dotted
from reconix.config.origins import place_of
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Host


def check_devices(host: Host, table: Table, file: Place) -> Iterator[Problem]:
    """What must hold for the devices of a host."""
    known = {name for system in host.systems.values() for name in system.network}
    addresses: dict[str, str] = {}
    for serial, device in sorted(host.machine.devices.items()):
        for network, address in sorted(device.address.items()):
            key = dotted("devices", serial) + ".address"
            place = place_of(table, "devices", serial, "address", network, default=file)
            if network not in known:
                hint = f"known networks: {', '.join(sorted(known)) or 'none'}"
                yield Problem(place, key, f"no system has a network {network!r}", hint)
            other = addresses.setdefault(address, serial)
            if other != serial:
                fact = f"{address} is also the address of {other}"
                yield Problem(place, key, fact, "give each device its own")
