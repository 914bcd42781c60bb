"""The units of containers, started by the real systemd from the real generator.

Only what limits need (controllers of cgroup2) is left to ``tests/vm/test_containers.py``.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.container_hosts import BASE, ContainerHost
from tests.system_partitions import SystemPartition

from reconix.config.schema.containers import Container
from reconix.config.schema.values import PublishedPort
from reconix.config.services import firewall
from reconix.containers.runtime import units
from reconix.containers.runtime.network import networks, ruleset
from reconix.containers.settings import HealthCheck

pytestmark = pytest.mark.archive
PLACE = "/run/reconix/containers/box"
UP = "waits 'systemctl is-active -q container-box'"
INIT = ("../../../../usr/bin/catatonit", "/dev/init", "ro")
SLEEPS = ("/dev/init", "--", "sleep", "600")


def host_of(
    place: Path, container: Container, settings: Mapping[str, str] | None = None
) -> ContainerHost:
    """A system with one container; its units are those that a build makes."""
    nets, health = networks({"box": container}, {"box": 0}), HealthCheck(("true",), 1)
    running = units.Running(nets["box"], {}, "SIGTERM", health)
    made = units.of_container("box", container, running)
    rules = ruleset({"box": container}, nets)
    return ContainerHost(
        SystemPartition.make(place),
        SLEEPS,
        settings=settings or {},
        units={**made, **units.of_all(["box"], has_rules=bool(rules))},
        rules=rules,
        mounts=(INIT,),
    )


@pytest.fixture
def host(tmp_path: Path) -> ContainerHost:
    return host_of(tmp_path, Container(image=None, packages=("a",), network="host"))


def test_it_starts_with_the_system_and_its_check_finds_it_well(host: ContainerHost) -> None:
    said = host.boot(
        f"{UP}; waits '[ -e {PLACE}/healthy ]'; shows container-box Type"
        "; pid=$(shows container-box MainPID); cat /proc/$pid/comm; grep ^0: /proc/$pid/cgroup"
        "; grep -c containers/box /proc/self/mounts; systemctl is-active containers.target"
        "; systemctl --failed --plain --no-legend"
    )
    assert said.split() == [
        *("forking", "init", "0::/system.slice/container-box.service", "0", "active"),
    ]


def test_one_that_is_killed_starts_again_and_keeps_nothing(host: ContainerHost) -> None:
    said = host.boot(
        f"{UP}; crun exec box touch /new; kill -9 $(shows container-box MainPID)"
        "; waits '[ $(shows container-box NRestarts) = 1 ]'"
        f"; {UP}; crun exec box ls /new 2>&1; systemctl --failed --plain --no-legend"
    )
    assert said == "ls: /new: No such file or directory\n"


def test_one_that_is_stopped_says_its_last_words_and_leaves_nothing(host: ContainerHost) -> None:
    word = 'echo one; exec 3> /dev/stdout; trap "echo gone >&3; exit 0" TERM; sleep 600 & wait'
    host.command = ("sh", "-c", word)
    said = host.boot(
        f"{UP}; waits 'grep -q one /journal'; systemctl stop container-box"
        "; cat /journal; shows container-box Result; ls /run/reconix/containers /run/reconix/crun"
        "; systemctl is-active container-box-health.timer"
    )
    assert said.split() == [
        *("one", "gone", "success", "/run/reconix/containers:", "images"),
        *("/run/reconix/crun:", "inactive"),
    ]


def test_one_whose_program_is_not_there_is_tried_again_and_told(host: ContainerHost) -> None:
    host.command = ("missing",)
    said = host.boot("waits '[ $(shows container-box NRestarts) -ge 1 ]'; cat /journal")
    assert "executable file `missing` not found" in said


def test_one_that_ends_as_it_was_asked_to_has_not_failed(host: ContainerHost) -> None:
    """Shells, Java and Node give 128 and the number of the signal."""
    host.command = ("sh", "-c", "trap 'exit 143' TERM; echo up; sleep 600 & wait")
    said = host.boot(
        "waits 'grep -q up /journal'; systemctl stop container-box; systemctl --failed"
    )
    assert "0 loaded units listed" in said


LOOP = "while :; do sleep 0.2; done"


@pytest.mark.parametrize(
    ("command", "least_seconds"),
    [
        (("sleep", "600"), 0),
        (("sh", "-c", f"echo up; {LOOP}"), 0),
        (("sh", "-c", f"trap '' TERM; echo up; {LOOP}"), 2),
        (("sh", "-c", f"trap 'echo heard' TERM; echo up; {LOOP}"), 2),
    ],
)
def test_one_that_does_not_end_is_ended_and_has_not_failed(
    tmp_path: Path, command: tuple[str, ...], least_seconds: int
) -> None:
    """At once if it has not asked for the signal, which process 1 then does not get."""
    own = Container(image=None, packages=("a",), network="host")
    host = host_of(tmp_path, own, {"STOP_SECONDS": "2"})
    host.command = command
    is_up = "true" if command[0] == "sleep" else "grep -q up /journal"
    said = host.boot(
        f"{UP}; waits '{is_up}'"
        "; read -r before _ < /proc/uptime; systemctl stop container-box"
        "; read -r after _ < /proc/uptime; echo $((${after%.*} - ${before%.*}))"
        "; shows container-box Result; shows container-box ActiveState; grep -c heard /journal"
        "; systemctl --failed --plain --no-legend"
    )
    seconds, *rest = said.split()
    assert rest == ["success", "inactive", str(int("heard" in command[-1]))]
    assert least_seconds <= int(seconds) <= 20, "30 s is what systemd would wait"


def test_systemd_gives_secrets_to_the_program_alone(tmp_path: Path) -> None:
    container = Container(image=None, packages=("a",), network="host", secrets=("token",))
    host = host_of(tmp_path, container, {"SECRETS": "token"})
    host.mounts, host.user = (INIT, ("secrets", "/run/secrets", "ro")), 1000
    (tmp_path / "data/secrets").mkdir()
    (tmp_path / "data/secrets/token").write_text("s3cret")
    (tmp_path / "data/secrets/token").chmod(0o600)
    said = host.boot(
        f"{UP}; crun exec box cat /run/secrets/token; echo; ls {PLACE}/secrets"
        f"; stat -c %u:%a /proc/$(shows container-box MainPID)/root/run/secrets/token"
    )
    assert said.split() == ["s3cret", f"{BASE + 1000}:400"]


PRIVATE = {
    "NETWORK": "private",
    "NETNS": "reconix-box",
    "INTERFACE": "reconix-0",
    "ADDRESS": "10.88.0.2/30",
    "PEER": "10.88.0.1/30",
}


WAYS = r"""
for name in lab wan; do
    ip netns add $name; ip link add ${name}0 type veth peer name eth0 netns $name
    ip link set ${name}0 up; ip -n $name link set eth0 up; ip -n $name link set lo up
done
ip address add 192.0.2.1/24 dev lab0; ip address add fd00:1::1/64 dev lab0 nodad
ip address add 198.51.100.1/24 dev wan0; ip address add fd00:2::1/64 dev wan0 nodad
ip -n lab address add 192.0.2.2/24 dev eth0; ip -n lab address add fd00:1::2/64 dev eth0 nodad
ip -n wan address add 198.51.100.2/24 dev eth0; ip -n wan address add fd00:2::2/64 dev eth0 nodad
for route in 'lab 192.0.2.1' 'wan 198.51.100.1' 'lab fd00:1::1' 'wan fd00:2::1'; do
    ip -n ${route% *} route add default via ${route#* }
done
ask() {
    ip netns exec $1 /scripts/busybox timeout ${3-1} /scripts/busybox nc $2 7 \
        < /dev/null 2> /dev/null || echo none
}
serve() {
    ip netns exec $1 /scripts/busybox nc -ll -p 7 -e echo $1 &
    until [ "$(ask $1 127.0.0.1)" = $1 ]; do sleep 0.1; done
}
serve lab; serve wan
"""
"""A device between two networks; somebody answers in each. An answer that is expected may take
longer than one that is not: who asks for it says how many seconds."""


def between(tmp_path: Path, rules: str, script: str) -> list[str]:
    """What is heard on a device with a container and this firewall."""
    host = host_of(tmp_path, Container(image=None, packages=("a",)), PRIVATE)
    unit = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
    loads = "ExecStart=/usr/sbin/nft -f /rules\nExecReload=/usr/sbin/nft -f /rules\n"
    return host.boot(
        f"cat > /rules <<'RULES'\n{rules}RULES\n"
        f"cat > /usr/lib/systemd/system/nftables.service <<'UNIT'\n{unit}{loads}UNIT\n"
        f"{WAYS}\nsystemctl stop containers.target reconix-container-network\n"
        "echo 0 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding\n"
        "systemctl daemon-reload; systemctl start nftables; systemctl start containers.target\n"
        f"{UP}\n{script}"
    ).split()


def test_what_the_firewall_passes_on_passes_beside_containers(tmp_path: Path) -> None:
    """And goes on to, with all rules of containers, when it is loaded again."""
    rules = firewall.configure(firewall.Options(enable=True, forward=("lab0", "reconix-*")))
    asked = "ask lab 198.51.100.2 60; ask wan 192.0.2.2; ask lab fd00:2::2 60; ask wan fd00:1::2"
    both = "waits '[ $(nft list tables | wc -l) = 2 ]'"
    said = between(
        tmp_path,
        str(rules.files["nftables.conf"].text),
        f"{asked}; systemctl reload nftables; {both}; {asked}",
    )
    heard = ["wan", "none", "wan", "none"]
    assert said == [*heard, *heard]


def test_without_a_firewall_containers_are_no_reason_to_pass_anything_on(tmp_path: Path) -> None:
    """And none to stop what was passed on before: here, IPv6."""
    said = between(tmp_path, "flush ruleset\n", "ask lab 198.51.100.2; ask lab fd00:2::2 60")
    assert said == ["none", "wan"]


def test_a_network_outlives_its_container_and_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    ports = (PublishedPort(8080, 80),)
    host = host_of(tmp_path, Container(image=None, packages=("a",), ports=ports), PRIVATE)
    namespace = "stat -L -c %i /proc/$(shows container-box MainPID)/ns/net"
    look = "ip -o link | grep -c reconix-; nft list tables; cat /proc/sys/net/ipv4/ip_forward"
    said = host.boot(
        f"{UP}; {look}; first=$({namespace}); kill -9 $(shows container-box MainPID)"
        f"; waits '[ $(shows container-box NRestarts) = 1 ]'; {UP}"
        f"; [ $({namespace}) = $first ] && echo same; systemctl stop containers.target"
        "; waits '[ $(systemctl is-active container-box-network) = inactive ]'; ls /run/netns"
        f"; systemctl stop reconix-container-network; {look}"
    )
    assert said.splitlines() == [
        *("1", "table inet reconix-containers", "1", "same", "0", "0"),
    ]
