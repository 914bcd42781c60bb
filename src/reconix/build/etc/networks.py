"""The settings of systemd-networkd: how each interface gets its address, and which are created.

A network of the configuration is a ``.network`` file. A VLAN or a bridge is a ``.netdev`` file as
well, which makes the interface, and a line in the file of each network that it stands on. Files are
numbered, because networkd takes the first that fits an interface.

Source: systemd.network(5), systemd.netdev(5).
Tested by ``tests/unit/build/etc/test_networks.py``.
"""

from collections.abc import Mapping

from reconix.config.schema.system import Network


def make_networks(networks: Mapping[str, Network]) -> dict[str, bytes]:
    """The files below ``/etc/systemd/network``, by name."""
    made: dict[str, bytes] = {}
    for number, (name, network) in enumerate(sorted(networks.items()), start=10):
        stem = f"{number:02}-{name.replace('*', 'x')}"
        made[f"{stem}.network"] = _network(name, network, networks)
        if network.is_virtual:
            made[f"{stem}.netdev"] = _device(name, network)
    return made


def _network(name: str, network: Network, all_networks: Mapping[str, Network]) -> bytes:
    lines = ["[Match]", f"Name={network.match or name}", "", "[Network]"]
    lines += [f"DHCP={'yes' if network.dhcp else 'no'}"]
    lines += [f"Address={address}" for address in network.address]
    lines += [f"Gateway={network.gateway}"] if network.gateway else []
    lines += [f"DNS={server}" for server in network.dns]
    for other, above in sorted(all_networks.items()):
        lines += [f"VLAN={other}"] if above.on == name else []
        lines += [f"Bridge={other}"] if name in above.bridge else []
    return _joined(lines)


def _device(name: str, network: Network) -> bytes:
    kind = "bridge" if network.bridge else "vlan"
    lines = ["[NetDev]", f"Name={name}", f"Kind={kind}"]
    return _joined(lines if network.bridge else [*lines, "", "[VLAN]", f"Id={network.vlan}"])


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
