from pathlib import Path

from reconix.build.etc.networks import make_networks, unmanaged
from reconix.config.schema.system import Network


def test_a_network_is_one_file() -> None:
    lan = Network(match="en*", address=("192.0.2.2/24",), gateway="192.0.2.1", dns=("192.0.2.1",))
    assert make_networks({"lan": lan}) == {
        "10-lan.network": (
            b"[Match]\nName=en*\n\n[Network]\nDHCP=no\nAddress=192.0.2.2/24\n"
            b"Gateway=192.0.2.1\nDNS=192.0.2.1\n"
        )
    }


def test_a_vlan_is_made_and_named_where_it_is_carried() -> None:
    networks = {
        "lan": Network(match="en*", dhcp=True),
        "office": Network(vlan=20, on="lan", address=("192.0.2.9/24",)),
    }
    made = make_networks(networks)
    assert made["11-office.netdev"] == b"[NetDev]\nName=office\nKind=vlan\n\n[VLAN]\nId=20\n"
    assert made["10-lan.network"].endswith(b"DHCP=yes\nVLAN=office\n")
    assert made["11-office.network"].startswith(b"[Match]\nName=office\n")


def test_a_bridge_is_made_and_named_by_all_that_it_joins() -> None:
    networks = {
        "br0": Network(bridge=("lan", "machine"), dhcp=True),
        "lan": Network(match="eth0"),
        "machine": Network(match="eth1"),
    }
    made = make_networks(networks)
    assert made["10-br0.netdev"] == b"[NetDev]\nName=br0\nKind=bridge\n"
    assert made["11-lan.network"] == b"[Match]\nName=eth0\n\n[Network]\nDHCP=no\nBridge=br0\n"
    assert made["12-machine.network"].endswith(b"Bridge=br0\n")
    assert b"Bridge" not in made["10-br0.network"]


def test_network_manager_leaves_alone_what_networkd_does(tmp_path: Path) -> None:
    networks = {"lan": Network(match="en*", dhcp=True), "br0": Network(bridge=("lan",))}
    assert unmanaged(networks, tmp_path) == {}, "it is not there"
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/NetworkManager").touch()
    (file,) = unmanaged(networks, tmp_path).values()
    assert file.content == b"[keyfile]\nunmanaged-devices=interface-name:br0;interface-name:en*\n"
    assert unmanaged({}, tmp_path) == {}, "it may have everything"
