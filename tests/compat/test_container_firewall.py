"""The firewall and the rules of containers together, with packets: what is published comes in."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import CommandFailed, run
from reconix.config.schema.containers import Container
from reconix.config.schema.values import PublishedPort
from reconix.config.services import containers, firewall
from reconix.containers.runtime.network import ContainerNet, networks, ruleset

WEB = {"web": Container(image="oci:a", ports=(PublishedPort(8080, 80),))}
SERVER = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    while True:
        server.accept()[0].close()
"""
CLIENT = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()
print("reached")
"""
NETWORK = """
set -e
mount -t tmpfs run /run
mkdir /run/netns
ip link set lo up
for name in outside web; do ip netns add $name; ip -n $name link set lo up; done
ip link add lan type veth peer name eth0 netns outside
ip link add {interface} type veth peer name eth0 netns web
ip address add 192.0.2.1/24 dev lan
ip -n outside address add 192.0.2.2/24 dev eth0
ip address add {peer}/30 dev {interface}
ip -n web address add {address}/30 dev eth0
for name in lan {interface}; do ip link set $name up; done
for name in outside web; do ip -n $name link set eth0 up; done
ip -n web route add default via {peer}
ip -n outside route add 10.88.0.0/15 via 192.0.2.1
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f {folder}/nftables.conf
nft -f {folder}/containers.nft
ip netns exec web python3 {folder}/server.py {address} 80 > /dev/null 2>&1 &
ip netns exec web python3 {folder}/server.py {address} 81 > /dev/null 2>&1 &
ip netns exec outside python3 {folder}/server.py 192.0.2.2 7 > /dev/null 2>&1 &
python3 {folder}/server.py 192.0.2.1 9 > /dev/null 2>&1 &
listens() {{ until "$@" > /dev/null 2>&1; do sleep 0.1; done; }}
for port in 80 81; do
    listens ip netns exec web python3 {folder}/client.py {address} $port
done
listens ip netns exec outside python3 {folder}/client.py 192.0.2.2 7
listens python3 {folder}/client.py 192.0.2.1 9
ip netns exec {where} python3 {folder}/client.py {target} 2>&1 || true
"""


@pytest.fixture(autouse=True)
def _as_root(need: Need) -> Iterator[None]:
    need("nft", "ip", "unshare", "python3")
    if os.geteuid() != 0:
        pytest.skip("only root makes networks")
    try:
        run("unshare", "--net", "nft", "add", "table", "inet", "a")
    except CommandFailed as error:
        pytest.skip(f"this kernel has no nftables: {error}")
    yield


def net() -> ContainerNet:
    return networks(WEB, {"web": 0})["web"]


def reached(folder: Path, where: str, target: str, rules: firewall.Options) -> bool:
    """Whether somebody gets a connection."""
    made = firewall.configure(rules).files["nftables.conf"].text
    (folder / "nftables.conf").write_text(str(made))
    (folder / "containers.nft").write_text(ruleset(WEB, networks(WEB, {"web": 0})))
    (folder / "server.py").write_text(SERVER)
    (folder / "client.py").write_text(CLIENT)
    script = NETWORK.format(
        folder=folder,
        where=where,
        target=target,
        interface=net().interface,
        address=net().address,
        peer=net().peer,
    )
    alone = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
    said = run(*alone, "sh", "-c", script, timeout_seconds=60)
    return b"reached" in said


def with_containers() -> firewall.Options:
    """The firewall as a system with this container has it."""
    (found,) = containers.configure(containers.Options(containers=WEB)).set_modules
    assert isinstance(found, firewall.Options)
    return firewall.Options(enable=True, forward=found.forward, tcp=found.tcp, udp=found.udp)


@pytest.mark.parametrize(
    ("where", "target", "is_reached"),
    [
        ("outside", "192.0.2.1 8080", True),
        ("web", "192.0.2.2 7", True),
        ("outside", "192.0.2.1 80", False),
        ("outside", "192.0.2.1 9", False),
        ("outside", f"{net().address} 80", False),
        ("outside", f"{net().address} 81", False),
        ("web", "192.0.2.1 9", False),
    ],
    ids=["published", "out", "not published", "of the device", "by its address", "at 81", "back"],
)
def test_what_is_published_comes_in_and_what_a_container_asks_for_goes_out(
    tmp_path: Path, where: str, target: str, *, is_reached: bool
) -> None:
    assert reached(tmp_path, where, target, with_containers()) == is_reached


def test_without_its_interfaces_the_firewall_lets_nothing_through(tmp_path: Path) -> None:
    bare = firewall.Options(enable=True)
    assert not reached(tmp_path, "outside", "192.0.2.1 8080", bare)
