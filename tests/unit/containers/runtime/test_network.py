"""Addresses and rules of containers; the rules are read by nft itself."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.conftest import Need

from reconix.base.process import run
from reconix.config.lock.containers import MAX_RANGES
from reconix.config.schema.containers import Container
from reconix.config.schema.values import PublishedPort
from reconix.containers.runtime.network import (
    ContainerNet,
    Kind,
    hosts,
    networks,
    ruleset,
)

CONTAINERS: Mapping[str, Container] = {
    "db": Container(image="x", network="with:web", ports=(PublishedPort.parse("5432:5432"),)),
    "lonely": Container(image="x", network="none"),
    "own": Container(image="x", network="host"),
    "third": Container(image="x", network="with:db"),
    "web": Container(
        image="x",
        ports=tuple(map(PublishedPort.parse, ("80:8080", "127.0.0.1:9001:9001/udp"))),
    ),
}
NETS = networks(CONTAINERS, {name: number for number, name in enumerate(CONTAINERS)})


def test_who_joins_has_the_network_of_the_other_one() -> None:
    assert NETS["web"] == ContainerNet(Kind.PRIVATE, "web", 4)
    assert NETS["db"] == NETS["third"] == NETS["web"]
    assert NETS["own"].namespace == "" and NETS["own"].interface == ""
    assert NETS["lonely"].namespace == "reconix-lonely" and NETS["lonely"].interface == ""


def test_addresses_follow_from_the_number() -> None:
    first, last = (ContainerNet(Kind.PRIVATE, "x", number) for number in (0, MAX_RANGES - 1))
    assert (first.peer, first.address) == ("10.88.0.1", "10.88.0.2")
    assert (last.peer, last.address) == ("10.89.127.253", "10.89.127.254")
    assert len(last.interface) < 16
    assert first.with_prefix(first.address) == "10.88.0.2/30"


def test_names_of_others_are_known_where_they_can_be_reached() -> None:
    web, own, lonely = (hosts(name, NETS).splitlines() for name in ("web", "own", "lonely"))
    assert web[2:] == [
        "10.88.0.17 host.containers.internal",
        "10.88.0.18 db",
        "10.88.0.18 third",
        "10.88.0.18 web",
    ]
    assert own[2:] == ["127.0.1.1 own", *web[3:]]
    assert lonely[2:] == ["127.0.1.1 lonely"]


def test_without_a_private_network_there_are_no_rules() -> None:
    few = {name: CONTAINERS[name] for name in ("own", "lonely")}
    assert ruleset(few, networks(few, {"own": 0, "lonely": 1})) == ""


def test_nft_takes_the_rules_again_and_again(tmp_path: Path, need: Need) -> None:
    need("nft", "unshare")
    if os.geteuid() != 0:
        pytest.skip("only root can load rules")
    rules = tmp_path / "rules"
    rules.write_text(ruleset(CONTAINERS, NETS))
    script = f"nft -f {rules} && nft -f {rules} && nft --json list ruleset"
    found = json.loads(run("unshare", "--net", "sh", "-c", script))["nftables"]
    tables = [each["table"]["name"] for each in found if "table" in each]
    assert tables == ["reconix-containers"]
    leading = [
        each["rule"]["expr"] for each in found if each.get("rule", {}).get("chain") == "published"
    ]
    targets = {(rule[-1]["dnat"]["addr"], rule[-1]["dnat"]["port"]) for rule in leading}
    assert targets == {("10.88.0.18", 5432), ("10.88.0.18", 8080), ("10.88.0.18", 9001)}


WAYS = """
set -e
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f {rules}
mkdir -p /run/netns
for name in outside container; do ip netns add $name; ip -n $name link set lo up; done
ip link add eth0 type veth peer name eth0 netns outside
ip address add 192.0.2.1/24 dev eth0; ip link set eth0 up
ip -n outside address add 192.0.2.2/24 dev eth0; ip -n outside link set eth0 up
ip -n outside route add 10.88.0.0/15 via 192.0.2.1
ip link add reconix-4 type veth peer name eth0 netns container
ip address add 10.88.0.17/30 dev reconix-4; ip link set reconix-4 up
echo 1 > /proc/sys/net/ipv4/conf/reconix-4/route_localnet
ip -n container address add 10.88.0.18/30 dev eth0; ip -n container link set eth0 up
ip -n container route add default via 10.88.0.17
serve() {{ ip netns exec $1 busybox nc -ll -p $2 -e echo $1 $2 & }}
serve container 8080; serve container 5432; serve outside 7000
busybox nc -ll -p 6000 -e echo device 6000 &
sleep 0.5
ask() {{ ip netns exec "$1" busybox timeout 1 busybox nc $2 $3 < /dev/null || echo none; }}
ip netns attach device $$
{asked}
kill $(jobs -p) 2> /dev/null || :
"""


TO_THE_DEVICE = """
ip -n container address del 127.0.0.1/8 dev lo
ip netns exec container sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'
ip -n container route add 127.0.0.1/32 via 10.88.0.17 src 10.88.0.18"""
"""What a container can do that wants to reach what listens on the device alone."""


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("ask outside 192.0.2.1 80", "container 8080"),
        ("ask device 192.0.2.1 80", "container 8080"),
        ("ask device 127.0.0.1 80", "container 8080"),
        ("ask device 10.88.0.18 8080", "container 8080"),
        ("ask outside 192.0.2.1 5432", "container 5432"),
        ("ask container 192.0.2.2 7000", "outside 7000"),
        ("ask outside 10.88.0.18 8080", "none"),
        (f"{TO_THE_DEVICE}\nask container 127.0.0.1 6000", "none"),
        ("ask container 10.88.0.17 6000", "device 6000"),
    ],
)
def test_only_what_is_published_gets_in(
    tmp_path: Path, need: Need, asked: str, answer: str
) -> None:
    need("nft", "unshare", "ip", "busybox")
    if os.geteuid() != 0:
        pytest.skip("only root can make networks")
    rules = tmp_path / "rules"
    rules.write_text(ruleset(CONTAINERS, NETS))
    script = f"mount -t tmpfs run /run\n{WAYS.format(rules=rules, asked=asked)}"
    words = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
    assert run(*words, "sh", "-c", script, timeout_seconds=60).decode().strip() == answer


def test_rules_are_the_same_whatever_the_order() -> None:
    backwards = dict(reversed([*CONTAINERS.items()]))
    assert ruleset(backwards, networks(backwards, {n: i for i, n in enumerate(CONTAINERS)})) == (
        ruleset(CONTAINERS, NETS)
    )
