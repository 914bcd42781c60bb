"""Containers started by the real scripts and the real crun, from real images, without systemd.

What only systemd can show (limits, restarts, secrets that it hands over, the journal) is in
``tests/vm/test_containers.py``.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.container_hosts import BASE, SETTINGS, ContainerHost
from tests.system_partitions import SystemPartition

from reconix.base.process import run
from reconix.config.schema.containers import Container
from reconix.config.schema.values import PublishedPort
from reconix.containers.runtime.network import networks, ruleset

PLACE = "/run/reconix/containers/box"
DATA = "/run/reconix/data"
INSIDE = f"/proc/$(cat {PLACE}/pid)/root"
VOLUME = {"VOLUMES": "systems/web/containers/box/data /srv/data"}


@pytest.fixture
def host(tmp_path: Path) -> ContainerHost:
    return ContainerHost(SystemPartition.make(tmp_path))


def waits(line: str) -> str:
    return f"for turn in $(seq 100); do {line} && break; sleep 0.05; done"


# -- the root --------------------------------------------------------------------------------------


def test_files_belong_to_whom_the_image_says_inside_and_to_nobody_else_outside(
    host: ContainerHost,
) -> None:
    show = "stat -c '%u:%g %a' /srv/data/as-delivered /bin/own /"
    said = host.do(
        f"box || exit 1; crun exec box {show}; cd {INSIDE}"
        "; stat -c %u:%g ./srv/data/as-delivered ./bin/own"
    )
    assert said.splitlines() == [
        *("1000:50 640", "0:0 4755", "0:0 755"),
        *(f"{BASE + 1000}:{BASE + 50}", f"{BASE}:{BASE}"),
    ]


def test_nobody_else_sees_what_is_mounted_and_nothing_of_it_stays(host: ContainerHost) -> None:
    count = "grep -c containers/box /proc/self/mountinfo"
    private = f"grep -c containers/box/ /proc/$(cat {PLACE}/log.pid)/mountinfo"
    said = host.do(f"box; {count}; {private}; {waits('end KILL')}; {count}; ls {PLACE}/root")
    assert said.split() == ["0", "4", "0"]


def test_a_layer_of_the_system_comes_before_the_image(host: ContainerHost) -> None:
    said = host.do("box; crun exec box cat /etc/both /etc/of-image /etc/hosts")
    assert said == "layerimage127.0.0.1 localhost\n"


def test_many_packs_are_no_reason_not_to_start(host: ContainerHost) -> None:
    """With three of them, where they are has more bytes than an option of mount(8) may have."""
    for number in range(3):
        host.partition.content(bytes([number]) * 5000)
        host.partition.pack()
    host.settings, host.mounts = VOLUME, (("volumes/0", "/srv/data", "rw"),)
    said = host.do("box; crun exec box cat /etc/both; ls /run/reconix/data/systems/web/*/*/data")
    assert said == "layeras-delivered\n"


def test_one_that_is_gone_from_the_containers_is_left_to_systemd(host: ContainerHost) -> None:
    said = host.do(
        "sleep 60 & export MAINPID=$!; container stop other && echo left; kill -0 $MAINPID"
        "; container stop box; wait $MAINPID 2> /dev/null; echo $?; unset MAINPID"
        "; container stop box && echo nothing to do"
    )
    assert said.splitlines() == ["left", "137", "nothing to do"]


VERIFIED = (
    "echo quiet reconix.verity > /tmp/words"
    "; sed -i s,^CMDLINE=.*,CMDLINE=/tmp/words, /scripts/root.sh;"
)
"""Nothing may lie over /proc, or there is none in a container."""


def test_a_content_of_which_the_kernel_has_no_hashes_is_not_run_where_it_must_have_them(
    host: ContainerHost,
) -> None:
    said = host.do(f"{VERIFIED} box 2>&1; {waits(f'[ ! -e /proc/$(cat {PLACE}/pid) ]')}")
    assert "nput/output error" in said


def test_an_image_that_was_altered_is_not_mounted_for_containers_where_all_is_compared(
    host: ContainerHost,
) -> None:
    again = "umount /run/reconix/containers/images/*; container images 2>&1 || echo refused"
    alter = "for image in /run/reconix/system/images/*; do printf x >> $image; done"
    said = host.do(f"{VERIFIED} {again}; {alter}; {again}")
    assert "was altered" in said and said.splitlines()[-1] == "refused"
    assert said.count("refused") == 1


def test_what_a_container_changes_is_its_own_and_has_a_bound(host: ContainerHost) -> None:
    said = host.do(
        "box; crun exec box sh -c 'echo own > /etc/both; chown 7:8 /etc/of-image; touch /new"
        "; stat -c %u:%g /etc/of-image /new; cat /etc/both /etc/of-image"
        "; dd if=/dev/zero of=/large bs=4096 count=999 2>&1 | head -n 1'"
        f"; stat -c %u:%g {INSIDE}/new {INSIDE}/etc/of-image"
    )
    assert said.splitlines() == [
        *("7:8", "0:0", "own", "imagedd: error writing '/large': No space left on device"),
        *(f"{BASE}:{BASE}", f"{BASE + 7}:{BASE + 8}"),
    ]


def test_a_container_that_is_read_only_changes_nothing(host: ContainerHost) -> None:
    host.settings, host.read_only = {"READ_ONLY": "1"}, True
    said = host.do("box; crun exec box sh -c 'touch /new 2>&1; echo kept > /run/x; cat /run/x'")
    assert said == "touch: /new: Read-only file system\nkept\n"


def test_programs_with_more_rights_have_them_inside_alone(
    host: ContainerHost, need: Callable[..., None], tmp_path: Path
) -> None:
    """And nobody gets by it what belongs to the device."""
    need("gcc")
    (tmp_path / "own.c").write_text(
        "#include <stdio.h>\n#include <unistd.h>\n"
        'int main(void) { printf("%d %d\\n", getuid(), geteuid()); return 0; }\n'
    )
    run("gcc", "-static", "-o", tmp_path / "own", tmp_path / "own.c")
    host.own, host.user = tmp_path / "own", 1000
    look = "mknod /tmp/null c 1 3 2>&1; true"
    said = host.do(f"box; crun exec box /bin/own; crun exec --user 0 box sh -c '{look}'")
    assert said.splitlines() == ["1000 0", "mknod: /tmp/null: Operation not permitted"]


def test_contents_come_from_a_pack_as_well(host: ContainerHost) -> None:
    host.do("true")  # which makes the contents
    host.partition.pack()
    alone = "rm -r /run/reconix/system/pool/??"
    said = host.do(f"{alone}; box && crun exec box cat /etc/both; ls /run/reconix/packs | wc -l")
    assert said == "layer1\n"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [("../../etc", "../../etc is no name of an image"), ("a" * 64, "not all of this is mounted")],
)
def test_images_that_cannot_be_are_told(host: ContainerHost, listed: str, expected: str) -> None:
    """In the list of those that an update without a restart has brought."""
    more = f"echo {listed} > /run/reconix/images.more; container images"
    assert expected in host.complaint(more)


def test_images_are_mounted_once_with_the_loop_devices_that_they_have(host: ContainerHost) -> None:
    count = "grep -c containers/images /proc/self/mounts; ls -d /sys/block/loop*/loop | wc -l"
    said = host.do(f"{count}; container images; {count}").split()
    assert said[:2] == said[2:]


def test_only_root_gets_to_images(host: ContainerHost) -> None:
    """An image may have a set-user-ID program; here it belongs to root of the device."""
    assert host.do("stat -c %a /run/reconix/containers/images") == "700\n"


# -- its program -----------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [0, 1000])
def test_what_a_program_says_can_be_opened_again(host: ContainerHost, user: int) -> None:
    """As nginx does with its logs; a socket cannot be opened, nor what is somebody else's."""
    host.user = user
    host.command = ("sh", "-c", "echo first; echo second >> /dev/stdout; echo third > /dev/stderr")
    assert host.do(f"box; {waits(f'! [ -e /proc/$(cat {PLACE}/log.pid) ]')}").split() == [
        *("first", "second", "third"),
    ]


def test_who_starts_it_does_not_wait_and_nothing_but_a_pipe_stays(host: ContainerHost) -> None:
    host.command = ("sleep", "600")
    said = host.do(
        "before=$(ls -d /proc/[0-9]* | sort); timeout 20 unshare --mount --propagation slave"
        " /bin/sh /scripts/container start box < /dev/null || exit 1; sleep 0.2"
        f"; cd {PLACE}; cat log.pid pid; echo; grep -h ^Name: /proc/$(cat log.pid)/status"
    )
    assert said.splitlines()[2:] == ["Name:\tcat"]


def test_the_last_words_arrive_before_it_has_been_cleaned_up(host: ContainerHost) -> None:
    host.command = ("sh", "-c", "sleep 0.2; for n in $(seq 9000); do echo word $n; done; exit 3")
    said = host.do(f"box; pid=$(cat {PLACE}/pid); ended $pid; container clean box; echo clean")
    assert said.splitlines()[-2:] == ["word 9000", "clean"]


@pytest.mark.parametrize("program", ["itself", "init"])
def test_a_program_that_is_process_1_ignores_sigterm_and_with_an_init_does_not(
    host: ContainerHost, program: str
) -> None:
    if program == "init":
        host.mounts = (("../../../../usr/bin/catatonit", "/dev/init", "ro"),)
        host.command = ("/dev/init", "--", "sleep", "600")
    said = host.do(f"box; sleep 0.2; pid=$(cat {PLACE}/pid); kill $pid; ended $pid")
    assert ("has not ended" in said) == (program == "itself")


def test_after_an_end_by_force_it_starts_again(host: ContainerHost) -> None:
    """Nobody has cleaned up: what is left of the first does not disturb the second."""
    said = host.do(
        f"box; crun exec box touch /new; cp {PLACE}/pid /first; end KILL; box || exit 1"
        f"; [ $(cat {PLACE}/pid) != $(cat /first) ] || echo same"
        "; crun exec box ls /new 2>&1 || true"
    )
    assert said == "ls: /new: No such file or directory\n"


def test_a_program_that_is_not_there_is_told(host: ContainerHost) -> None:
    host.command = ("missing",)
    said = host.complaint("box")
    assert "executable file `missing` not found" in said
    assert said.endswith("reconix: box: crun does not start it\n")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"LAYERS": "x/root"}, "box: no image has x/root"),
        ({"DEVICES": "/dev/gone"}, "box: there is no /dev/gone"),
        ({"SECRETS": "a"}, "systemd has given no secrets"),
        ({"VOLUMES": "systems/web/data /srv/away/x"}, "no way to the volume systems/web/data"),
        ({"VOLUMES": "systems/web/data /gone"}, "no way to the volume systems/web/data"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_started(
    host: ContainerHost, settings: dict[str, str], expected: str
) -> None:
    host.settings = settings
    said = host.complaint(f"box || {{ ls {PLACE}; exit 1; }}")
    assert expected in said
    assert "pid\n" not in said


# -- volumes ---------------------------------------------------------------------------------------


def with_volume(host: ContainerHost) -> ContainerHost:
    return replace(host, settings=VOLUME, mounts=(("volumes/0", "/srv/data", "rw"),))


def test_a_volume_is_filled_from_the_image_once_and_keeps_what_is_changed(
    host: ContainerHost,
) -> None:
    """On the disk its files have the numbers that they have in the container."""
    host = with_volume(host)
    kept = f"{DATA}/systems/web/containers/box/data"
    change = "crun exec box sh -c 'echo own > /srv/data/as-delivered; touch /srv/data/new'"
    show = (
        f"stat -c '%u:%g %a %n' {kept} {kept}/*; crun exec box stat -c %u:%g /srv/data/as-delivered"
    )
    said = host.do(
        f"box; {show}; {change}; end KILL; box; {show}; cat {kept}/as-delivered; ls -A {DATA}"
    )
    first = [f"1000:50 750 {kept}", f"1000:50 640 {kept}/as-delivered", "1000:50"]
    new = f"0:0 644 {kept}/new"
    assert said.splitlines() == [*first, *first[:2], new, first[2], "own", "systems"]


def test_two_containers_share_a_volume_although_their_numbers_differ(host: ContainerHost) -> None:
    host = replace(
        host,
        settings={"VOLUMES": "shared/containers/data /srv/data"},
        mounts=(("volumes/0", "/srv/data", "rw"),),
    )
    other = replace(host, settings={**host.settings, "BASE": str(BASE + (9 << 16))})
    host.do("box; crun exec --user 1000:50 box touch /srv/data/by-one")
    said = other.do("box; crun exec box stat -c %u:%g /srv/data/by-one")
    assert said == "1000:50\n"


def test_a_volume_that_cannot_be_filled_is_not_half_there(host: ContainerHost) -> None:
    host = with_volume(host)
    small = f"mount -t tmpfs -o size=4k,nr_inodes=5 small {DATA}"
    said = host.complaint(f"{small}; box; ls -A {DATA} {DATA}/systems/web/containers/box; exit 1")
    assert "the volume systems/web/containers/box/data cannot be filled: No space left" in said
    assert said.split("cannot be filled")[1].splitlines()[1:] == [
        *(f"{DATA}:", "systems", "", f"{DATA}/systems/web/containers/box:"),
    ]


def test_what_a_cut_has_left_of_filling_is_not_taken(host: ContainerHost) -> None:
    host = with_volume(host)
    said = host.do(f"mkdir -p {DATA}/.new/half; box; crun exec box ls -A /srv/data; ls -A {DATA}")
    assert said.split() == ["as-delivered", "systems"]


def test_links_that_programs_have_made_on_data_are_not_followed(host: ContainerHost) -> None:
    host = with_volume(host)
    lead = f"mkdir -p {DATA}/systems/web /elsewhere; ln -s /elsewhere {DATA}/systems/web/containers"
    said = host.complaint(f"{lead}; box; ls -A /elsewhere; exit 1")
    assert "no way to the volume" in said
    assert said.count("\n") == 1, "and nothing is made there"


def test_without_data_a_container_starts_and_keeps_nothing(host: ContainerHost) -> None:
    host = with_volume(host)
    said = host.do(f"umount {DATA}; box; crun exec box ls /srv/data; ls -A {DATA}")
    assert said == "as-delivered\n"


# -- what it finds besides -------------------------------------------------------------------------


def test_secrets_belong_to_the_program_alone(host: ContainerHost) -> None:
    host = replace(
        host,
        settings={"SECRETS": "password optional"},
        mounts=(("secrets", "/run/secrets", "ro"),),
        user=1000,
    )
    give = "mkdir /given && echo s3cret > /given/password && export CREDENTIALS_DIRECTORY=/given"
    show = "sh -c 'stat -c \"%u:%g %a\" /run/secrets/*; cat /run/secrets/password'"
    other = "crun exec --user 1001:1001 box cat /run/secrets/password 2>&1"
    said = host.do(f"{give}; box; crun exec box {show}; {other}; ls {PLACE}/secrets")
    assert said.splitlines() == [
        *("1000:50 400", "s3cret", "cat: can't open '/run/secrets/password': Permission denied"),
    ]


def test_devices_belong_to_the_program_and_are_those_of_the_device(host: ContainerHost) -> None:
    host = replace(
        host,
        settings={"DEVICES": "/dev/own/zero"},
        mounts=(("devices/own/zero", "/dev/own-zero", "rw"),),
        user=1000,
    )
    make = (
        "mkdir /dev/own; mknod -m 0600 /dev/zero-of-ours c 1 5; ln -s ../zero-of-ours /dev/own/zero"
    )
    show = "sh -c 'stat -c \"%u:%g %a %t:%T\" /dev/own-zero; head -c 4 /dev/own-zero | wc -c'"
    clear = "rm -r /dev/own /dev/zero-of-ours"
    said = host.do(f"mount -t tmpfs d /opt 2>/dev/null; {make}; box; crun exec box {show}; {clear}")
    assert said.splitlines() == ["1000:50 600 1:5", "4"]


def test_a_running_container_learns_who_answers_for_names(host: ContainerHost) -> None:
    """A network of its own does not reach a resolver at 127.0.0.53."""
    host.settings = {"NETWORK": "none", "NETNS": "reconix-box"}
    later = "cd /run/systemd/resolve; echo nameserver 192.0.2.%d > resolv.conf"
    show = "crun exec box cat /etc/resolv.conf"
    said = host.do(
        "mkdir -p /run/systemd/resolve; echo nameserver 127.0.0.53 > /etc/resolv.conf"
        f"; {later % 1}; container connect box; box"
        f"; {show}; {later % 2}; container names; {show}; container disconnect box"
    )
    assert said.split() == ["nameserver", "192.0.2.1", "nameserver", "192.0.2.2"]


# -- health ----------------------------------------------------------------------------------------

LOOK = f"(cd {PLACE}; echo $(ls -d healthy unhealthy 2>/dev/null) $(cat failures 2>/dev/null))"


def test_a_container_is_well_until_it_has_failed_so_often(host: ContainerHost) -> None:
    host.health = ("cat", "/tmp/well")
    ask = f"container health box 2>> /said; {LOOK}"
    said = host.do(
        f"box; {ask}; crun exec box touch /tmp/well; {ask}; crun exec box sh -c 'rm /tmp/well'"
        f"; {ask}; {ask}; crun exec box touch /tmp/well; {ask}; grep -c 'No such file' /said"
    )
    assert said.splitlines() == ["1", "healthy 0", "healthy 1", "unhealthy 2", "healthy 0", "3"]


def test_a_check_that_hangs_or_talks_without_end_is_bounded(host: ContainerHost) -> None:
    host.settings = {"HEALTH_TIMEOUT": "1", "HEALTH_RETRIES": "1"}
    host.health = ("sh", "-c", "while true; do echo a lot; done")
    said = host.do(f"box; container health box 2>&1 | wc -c; {LOOK}").splitlines()
    assert int(said[0]) < 1100
    assert said[1] == "unhealthy 1"


def test_while_a_container_begins_failures_do_not_count(host: ContainerHost) -> None:
    host.settings, host.health = {"HEALTH_START": "60", "HEALTH_RETRIES": "1"}, ("false",)
    said = host.do(
        f"box; container health box 2>/dev/null; {LOOK}; rm {PLACE}/started"
        f"; container health box; {LOOK}"
    )
    assert said.split() == []


# -- networks --------------------------------------------------------------------------------------

PRIVATE = {
    "NETWORK": "private",
    "NETNS": "reconix-box",
    "INTERFACE": "reconix-0",
    "ADDRESS": "10.88.0.2/30",
    "PEER": "10.88.0.1/30",
}
SERVES = ("sh", "-c", "echo page > /tmp/index.html; exec httpd -f -p 80 -h /tmp")


def test_a_private_network_leads_to_the_container_and_goes_with_it(host: ContainerHost) -> None:
    host = replace(host, settings=PRIVATE, command=SERVES, user=1000)
    ask = waits("/scripts/busybox wget -q -O - 10.88.0.2")
    said = host.do(
        "ip link set lo up; container connect box || exit 1; box; "
        f"{ask}; crun exec box ip route; container disconnect box; end KILL; sleep 0.5"
        "; ip link show reconix-0 2>&1; ls /run/netns"
    )
    assert "page" in said
    assert "default via 10.88.0.1 dev eth0" in said
    assert "does not exist" in said.splitlines()[-1]


OUTSIDE = """
ip link set lo up; ip netns add outside; ip link add out type veth peer name eth0 netns outside
ip address add 192.0.2.1/24 dev out; ip link set out up
ip -n outside address add 192.0.2.2/24 dev eth0; ip -n outside link set eth0 up
ip -n outside route add 10.88.0.0/15 via 192.0.2.1
ip -n outside route add 198.51.100.0/24 via 192.0.2.1
nft list tables > /dev/null && container network && container connect box && box || exit 1
"""
"""Somebody else in the same network as the device, who knows where its containers are."""
FROM_OUTSIDE = "ip netns exec outside timeout 2 /scripts/busybox wget -q -O -"


def published(host: ContainerHost) -> ContainerHost:
    """The container serves a page at its port 80, which is the device's 8080."""
    port = PublishedPort(8080, 80)
    web = Container(image=None, packages=("a",), ports=(port,))
    rules = ruleset({"box": web}, networks({"box": web}, {"box": 0}))
    return replace(host, settings=PRIVATE, command=SERVES, rules=rules)


def test_a_published_port_is_reached_from_everywhere_and_nothing_else_is(
    host: ContainerHost,
) -> None:
    page = (
        f"{waits(f'{FROM_OUTSIDE} 192.0.2.1:8080')}; /scripts/busybox wget -q -O - 127.0.0.1:8080"
    )
    listens = "(/scripts/busybox nc -l -p 9000 127.0.0.1 > /dev/null < /dev/null & echo $! > /nc)"
    said = published(host).do(
        f"{OUTSIDE}{page}; {FROM_OUTSIDE} 10.88.0.2 || echo hidden; {listens}; sleep 0.2"
        "; crun exec box nc -w 2 127.0.0.1 9000 < /dev/null || echo not itself"
        "; kill $(cat /nc)"
    )
    assert said.split("\n")[:3] == ["page", "page", "hidden"]
    assert "not itself" in said


def test_packets_are_passed_on_as_long_as_there_are_containers_and_only_theirs(
    host: ContainerHost,
) -> None:
    look = "(cat /proc/sys/net/ipv4/ip_forward; nft list table inet reconix-containers 2>&1)"
    said = published(host).do(
        f"{OUTSIDE}{look} | grep -e ^1 -e 'ipv4 iifname != \"reconix-\\*\" drop'"
        "; ip netns add other; ip link add oth type veth peer name eth0 netns other"
        "; ip address add 198.51.100.1/24 dev oth; ip link set oth up"
        "; ip -n other address add 198.51.100.2/24 dev eth0; ip -n other link set eth0 up"
        "; ip -n other route add default via 198.51.100.1"
        "; ip netns exec outside /scripts/busybox ping -c 1 -W 1 198.51.100.2 > /nc || echo no"
        f"; crun exec box nc -w 2 198.51.100.2 9 < /dev/null 2>&1"
        f"; container quiet; {look} | grep -c -e ^0 -e 'No such file'"
    )
    assert said.splitlines()[:3] == ["1", '\t\tmeta nfproto ipv4 iifname != "reconix-*" drop', "no"]
    assert "refused" in said, "from a container one gets out"
    assert said.splitlines()[-1] == "2"


def test_settings_of_the_tests_are_those_that_a_build_writes() -> None:
    """Names of settings; what they mean is in docs/spec/containers.md."""
    specified = (Path(__file__).parents[3] / "docs/spec/containers.md").read_text()
    assert all(f"`{name}`" in specified for name in SETTINGS)


# -- units -----------------------------------------------------------------------------------------


GENERATE = "mkdir /units; sh /scripts/containers-generator /units && ls -R /units"
READ = "readlink /units/* /units/*/* || true"


def test_the_generator_gives_the_units_of_what_runs(host: ContainerHost) -> None:
    said = host.do(f"{GENERATE} > /dev/null; {READ}").splitlines()
    of = "/nix/system/containers/units"
    assert said == [
        f"{of}/container-box.service",
        f"{of}/containers.target",
        f"{of}/containers.target",
    ]
    brought = "ln -s /nix/store/3*containers-web /run/reconix/containers/current"
    said = host.do(f"{brought}; {GENERATE} > /dev/null; {READ}").splitlines()
    assert [line.rpartition("/units/")[0] for line in said] == [
        "/run/reconix/containers/current"
    ] * 3


def test_a_system_without_containers_has_no_units_of_any(host: ContainerHost) -> None:
    assert host.do(f"rm /nix/system; ln -s / /nix/system; {GENERATE}") == "/units:\n"
