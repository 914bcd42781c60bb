"""How a system gives way to another one: the real scripts of both, with real images."""

import shlex
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from tests.crash.initrd_functions import function_of
from tests.system_partitions import SystemPartition, file, folder, link

from reconix.base.process import run
from reconix.build.boot import initrd
from reconix.store.images.nodes import Metadata, Node

SCRIPT = initrd.SCRIPT.with_name("switch").read_text()
SCRIPTS = SCRIPT + initrd.ROOT_SCRIPT.read_text()
OLD = """
mount -t tmpfs run /run && mount -t tmpfs shm /dev/shm
mkdir -p /run/reconix /run/systemd /run/user/1 /run/kept /dev/shm/..hidden
mount -t tmpfs kept /run/kept
touch /run/reconix/booted.json /run/reconix/switches /run/systemd/x /run/kept/x /run/.pid
"""
"""What an old system leaves behind, in namespaces of our own."""


@pytest.mark.parametrize("status", [0, 1], ids=["works", "fails"])
def test_what_failed_in_the_old_system_does_not_count_against_the_next(
    tmp_path: Path, status: int
) -> None:
    """Whatever systemd says to that, the next system is started."""
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {shlex.quote(str(tmp_path / "log"))}\nexit {status}\n'
    )
    program.chmod(0o755)
    function = function_of(SCRIPT, "forget_failures")
    run(
        "sh",
        "-ec",
        f"PATH={shlex.quote(str(tmp_path))}:$PATH\nsay() {{ :; }}\n{function}\nforget_failures",
    )
    assert (tmp_path / "log").read_text() == "reset-failed\n"


def test_failures_are_forgotten_when_everything_has_stopped_and_before_the_next_begins() -> None:
    steps = SCRIPT.split("make_system_root\n", 1)[1].splitlines()
    assert steps[0] == "forget_failures"


CONTAINERS = """
mkdir -p /run/reconix/containers/images/a /run/reconix/crun/box
mount -t tmpfs -o ro image /run/reconix/containers/images/a
"""


def test_nothing_of_containers_stays(need: Callable[..., None]) -> None:
    """Also not what systemd could not unmount."""
    need("unshare")
    names = ("read_mounts", "is_mounted", "clear_containers")
    lines = [OLD, CONTAINERS, *(function_of(SCRIPTS, name) for name in names)]
    count = "grep -c /run/reconix/containers /proc/self/mounts"
    look = f"read_mounts; clear_containers; ls /run/reconix; {count}"
    words = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    said = run(*words, "\n".join([*lines, f"{look} || true"])).decode().split()
    assert said == ["booted.json", "switches", "0"]


def test_w4_any_number_of_names_keeps_nothing_of_the_old_system(
    need: Callable[..., None], tmp_path: Path
) -> None:
    need("unshare")
    many = tmp_path / "many.py"
    many.write_text("for n in range(9000): open(f'/dev/shm/{n:0250}', 'w').close()\n")
    lines = [
        "fail() { exit 1; }",
        OLD,
        f"python3 {shlex.quote(str(many))}",
        *(function_of(SCRIPTS, name) for name in ("read_mounts", "is_mounted", "clear_run")),
        "read_mounts; clear_run; find /run /dev/shm -type f; find /dev/shm -mindepth 1 | wc -l",
    ]
    words = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
    said = run(*words, "\n".join(lines)).decode().split()
    assert sorted(said) == ["/run/kept/x", "/run/reconix/switches", "/run/systemd/x", "0"]


# -- both scripts, one after the other -------------------------------------------------------------

AGENT_FILES = ("root.sh", "leave", "switch")
PARTS = ("debian-root", "etc", "agent")


def object_name(name: str) -> str:
    return (
        f"{sha256(name.encode()).hexdigest()[:32].translate(str.maketrans('eout', 'wxyz'))}-{name}"
    )


def store_path(name: str) -> str:
    return f"/nix/store/{object_name(name)}"


def system(partition: SystemPartition, name: str) -> str:
    """Put a system on a partition; its images. Its root is that of all, and an image of its own."""
    scripts = {}
    for script in AGENT_FILES:
        content = initrd.SCRIPT.with_name(script).read_bytes()
        partition.content(content)
        scripts[script] = file(content)
    root = folder(
        {
            "usr": folder({"lib": folder({"modules": folder({})}), "whose": file(b"all")}),
            "etc": folder({}),
            "var": folder({}),
        },
        Metadata(0o755),
    )
    toplevel = folder(
        {
            "init": link("/usr/lib/systemd/systemd"),
            "root": link(store_path("debian-root")),
            "etc": link(store_path(f"etc-{name}")),
            "agent": link(store_path(f"agent-{name}")),
            "modules": link(f"{store_path('linux')}/modules"),
            "persist": file(f"systems/{name} /var/kept\n".encode()),
        }
    )
    own: dict[str, Node] = {
        object_name(f"etc-{name}"): folder({"name": file(name.encode()), "machine-id": file(b"")}),
        object_name(f"agent-{name}"): folder(scripts),
        object_name(f"system-{name}"): toplevel,
        object_name("linux"): folder({"modules": folder({})}),
        object_name(f"unique-{name}"): file(sha256(bytes(partition.place)).digest()),
    }
    images = [partition.image({object_name("debian-root"): root}), partition.image(own)]
    return ",".join(sorted(images))


@pytest.fixture
def partition(tmp_path: Path) -> SystemPartition:
    return SystemPartition.make(tmp_path)


RUNS = """
mkdir -p /run/reconix/system /run/reconix/data /nix/store programs
printf '#!/bin/sh\\n' > programs/systemctl && chmod +x programs/systemctl && PATH=/programs:$PATH
mount --move /mnt/system /run/reconix/system && mount --move /mnt/data /run/reconix/data
mount --make-rshared /
echo 0123456789abcdef0123456789abcdef > /run/reconix/machine-id
(say() {{ echo "$*"; }}; fail() {{ echo "$*"; exit 1; }}
 . /root.sh; NEW=/new SYSTEM=/run/reconix/system TOPLEVEL={toplevel} IMAGES={images}
 make_store && umount /new/run/0 /new/run/1)
mount -o bind /new/nix/store /nix/store && ln -s {toplevel} /nix/system
echo {images} > /run/reconix/images; echo stale > /run/reconix/booted.json
"""
"""A system runs, as far as the scripts can tell; systemd has its mounts shared."""
LEAVE = "/bin/sh /nix/system/agent/leave; echo left $?"
SEEN = """
N=/run/nextroot; readlink $N/nix/system; cat $N/etc/name $N/usr/whose; echo; ls $N/nix/store | wc -l
cd /run/reconix; echo $(cat switched switches images); cat $N/etc/machine-id
ls next booted.json 2>&1 | wc -l
"""


def runs(partition: SystemPartition, name: str) -> str:
    return RUNS.format(toplevel=store_path(f"system-{name}"), images=system(partition, name))


def follows(name: str, images: str) -> str:
    return f"printf '%s\\n' {store_path(f'system-{name}')} {images} > /run/reconix/next"


def seen(partition: SystemPartition, *lines: str) -> Sequence[str]:
    return partition.do("\n".join(lines), where="soft reboot").splitlines()


def expected(name: str, images: str, switches: int) -> Sequence[str]:
    toplevel = store_path(f"system-{name}")
    return [
        toplevel,
        f"{name}all",
        "6",
        f"{toplevel} {switches} {images}",
        "0123456789abcdef" * 2,
        "2",
    ]


def test_the_system_that_is_asked_for_takes_over(partition: SystemPartition) -> None:
    images = system(partition, "mqtt")
    said = seen(partition, runs(partition, "web"), follows("mqtt", images), LEAVE, SEEN)
    assert said == ["left 0", *expected("mqtt", images, 1)]


def test_a_system_that_nobody_relieves_follows_itself(partition: SystemPartition) -> None:
    said = seen(partition, runs(partition, "web"), LEAVE, SEEN)
    assert said == ["left 0", *expected("web", system(partition, "web"), 1)]


@pytest.mark.parametrize(
    "damage",
    ["rm {images}/{first}", "truncate -s 512 {images}/{first}", "rm -r {images}/../pool"],
    ids=["a missing image", "a damaged image", "no pool"],
)
def test_a_system_that_cannot_be_mounted_fails_the_unit(
    partition: SystemPartition, damage: str
) -> None:
    images = system(partition, "mqtt")
    (own,) = set(images.split(",")) - set(system(partition, "web").split(","))
    does = damage.format(images="/run/reconix/system/images", first=own)
    said = seen(partition, runs(partition, "web"), follows("mqtt", images), does, LEAVE)
    assert said[-1] in ("left 1", "left 2")


MOUNTS = "cut -d ' ' -f 2 /proc/self/mounts | grep ^/run/nextroot | sort; ls /run/reconix"


def test_nothing_but_the_root_is_mounted_in_the_end(partition: SystemPartition) -> None:
    said = seen(partition, runs(partition, "web"), LEAVE, MOUNTS)
    assert [line.removeprefix("/run/nextroot") for line in said[1:]] == [
        *("", "/etc", "/nix/store", "/run", "/run/reconix/data", "/run/reconix/system"),
        *("/tmp", "/usr", "/usr/lib/modules", "/var", "/var/kept"),
        *("data", "images", "machine-id", "switched", "switches", "system"),
    ]


PACK = "/run/reconix/packs/"


@pytest.mark.parametrize("does", ["true", f"umount {PACK}*"], ids=["mounted", "unmounted"])
def test_a_pack_goes_along_whether_systemd_has_unmounted_it_or_not(
    partition: SystemPartition, does: str
) -> None:
    """The scripts themselves rest in it."""
    begin, images = runs(partition, "web"), system(partition, "mqtt")
    name = partition.pack()
    place = f"/run/nextroot{PACK}{name}"
    look = f"grep -c ' {place} erofs' /proc/self/mounts; cat {place}/*/* | grep -c ^make_store"
    said = seen(partition, begin, does, follows("mqtt", images), LEAVE, SEEN, look)
    assert said == ["left 0", *expected("mqtt", images, 1), "1", "2"]


USED = "chmod cp ln mkdir mount mv readlink rm stat sync umount"
COUNT = f"""
mkdir counted; for name in {USED}; do
    printf '#!/bin/sh\\necho %s >> /started; exec /usr/bin/%s "$@"\\n' $name $name > counted/$name
done
printf '#!/bin/sh\\necho systemctl >> /started\\n' > counted/systemctl
chmod +x counted/*; PATH=/counted
"""
PROGRAMS = 20
"""How many are started for this system. Each takes 20 to 50 ms on a slow device."""


def test_few_programs_are_started_and_no_others(partition: SystemPartition) -> None:
    """What takes over waits for all of them."""
    kept = "mkdir -p /run/reconix/data/systems/web/var/kept"
    show = "PATH=/usr/bin; cat started"
    said = seen(partition, runs(partition, "web"), kept, COUNT, LEAVE, show)
    assert (said[0], len(said[1:])) == ("left 0", PROGRAMS)
