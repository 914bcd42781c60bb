"""What crun does with a container that was built: an image of buildah, from Debian's busybox.

The root is put together here, in files with owners of the range; how a device does it with mounts
has its own test (``tests/unit/build/test_container_script.py``). Each test is a program in the
container, which tells what it sees.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.conftest import Need
from tests.locked_containers import as_locked, host_of, images, lock_of

from reconix.base.process import CommandFailed, run
from reconix.config.image_reference import parse_reference
from reconix.config.lock.containers import ContainerLock
from reconix.containers.images import find_image
from reconix.containers.making import ContainerMaker
from reconix.containers.registry import Access
from reconix.containers.sources import open_source
from reconix.device.settings.containers import parse_containers
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.store.images.nodes import ImageFile, ImageLink, Node, find
from reconix.store.paths import StorePath

pytestmark = pytest.mark.archive
CACHE = Path.home() / ".cache/reconix/crun"
BASE = 0x10000000
START = """
set -e
mount -t tmpfs run /run
mkdir -p {place}/root /run/netns
umount --recursive --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup
mount --bind {root} {place}/root
mount -t overlay -o lowerdir={programs}:/usr/bin programs /usr/bin
cp -a {parts}/. {place}/
touch /run/netns/reconix-app && unshare --net=/run/netns/reconix-app true
nsenter --net=/run/netns/reconix-app sh -c 'ip link set lo up
    echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start'
exec {crun} --root=/run/crun --cgroup-manager=disabled run --bundle={bundle} app
"""


def crun() -> Path:
    """The program, fetched once: its package is not installed everywhere."""
    program = CACHE / "usr/bin/crun"
    if not (CACHE / "usr/bin/catatonit").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            run("apt-get", "download", "crun", "libyajl2", "catatonit", folder=CACHE)
        except CommandFailed as error:
            pytest.skip(f"no crun to be had: {error}")
        for package in CACHE.glob("*.deb"):
            run("dpkg", "-x", package, CACHE)
    return program


@pytest.fixture(autouse=True)
def _as_root(need: Need) -> None:
    need("buildah", "busybox", "unshare", "nsenter", "ip")
    if os.geteuid() != 0:
        pytest.skip("only root can start containers of the device")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image with busybox and some users, as ``docker save`` writes it."""
    place = tmp_path_factory.mktemp("buildah")
    store = ("--root", place / "root", "--runroot", place / "run", "--storage-driver", "vfs")
    tree = place / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "etc").mkdir()
    (tree / "tmp").mkdir(mode=0o777)
    shutil.copy(shutil.which("busybox") or "", tree / "bin/busybox")
    run(tree / "bin/busybox", "--install", "-s", tree / "bin", environment={"PATH": "/"})
    for link in (tree / "bin").iterdir():
        if link.is_symlink():
            link.unlink()
            link.symlink_to("busybox")
    (tree / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1000:50::/srv:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\nstaff:x:50:\ndialout:x:20:app\n")
    (tree / "srv").mkdir()
    (tree / "srv/own").write_text("own")
    os.chown(tree / "srv/own", 1000, 50)
    made = run("buildah", *store, "from", "scratch").decode().strip()
    run("buildah", *store, "copy", made, tree, "/")
    run("buildah", *store, "config", "--user=app", "--workingdir=/srv", "--env=OF=image", made)
    target = f"docker-archive:{place / 'app.tar'}:example.com/app:1"
    run("buildah", *store, "commit", "--format=docker", "--disable-compression", made, target)
    return place / "app.tar"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChrootStore]:
    with ChrootStore(tmp_path / "store") as store:
        yield store


def lock(folder: Path, asked: str) -> ContainerLock:
    reference = parse_reference(asked)
    with open_source(reference, folder=folder, access=Access(), work=folder) as source:
        return as_locked(asked, find_image(source, "amd64"))


def told(store: ChrootStore, folder: Path, archive: Path, script: str, options: str = "") -> str:
    """What a script says in a container that is built with some options."""
    shutil.copy(archive, folder / "app.tar")
    command = json.dumps(["/bin/sh", "-c", script])
    text = f'[containers.app]\nimage = "docker-archive:app.tar"\ncommand = {command}\n{options}\n'
    host = host_of(folder, web=text)
    maker = ContainerMaker(store, images(folder), lambda packages: {})
    locked = {"app": lock(folder, "docker-archive:app.tar")}
    path = maker.make(host, lock_of(host, locked, "web"), "web", folder)
    assert path is not None
    bundle = store.path(path) / "app"
    put_root(store, store.path(path), folder / "root")
    place = "/run/reconix/containers/app"
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    (parts / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    shutil.copy(bundle / "hosts", parts)
    start = START.format(
        place=place,
        root=folder / "root",
        crun=crun(),
        bundle=bundle,
        parts=parts,
        programs=CACHE / "usr/bin",
    )
    libraries = {"LD_LIBRARY_PATH": str(CACHE / "usr/lib/x86_64-linux-gnu")}
    words = ("unshare", "--mount", "--net", "--fork", "--kill-child", "sh", "-c", start)
    return run(*words, environment=libraries, timeout_seconds=60).decode()


def put_root(store: ChrootStore, containers: Path, root: Path) -> None:
    """The layers of a container over each other, with owners of its range."""
    trees = DeviceTrees(store)
    content = (containers / "containers.json").read_bytes()
    for path in reversed(parse_containers(content, source="it")[0].objects):
        sidecar = containers / "sidecars" / path.basename
        closure = store.closure_of(StorePath.parse(str(sidecar.readlink())))
        node = find(trees.of_closure(closure)[path], b"root")
        assert node is not None
        put(node, root, trees.scanner.places)


def put(node: Node, place: Path, contents: Mapping[bytes, Path]) -> None:
    if isinstance(node, ImageLink):
        place.symlink_to(os.fsdecode(node.target))
    elif isinstance(node, ImageFile):
        place.unlink(missing_ok=True)
        data = node.content if node.is_inline else contents[node.content].read_bytes()
        place.write_bytes(data)
    else:
        place.mkdir(exist_ok=True)
        for name, child in node.entries:
            put(child, place / os.fsdecode(name), contents)
    owner = BASE + node.metadata.user, BASE + node.metadata.group
    os.chown(place, *owner, follow_symlinks=False)
    if not isinstance(node, ImageLink):
        place.chmod(node.metadata.mode)


def test_the_process_is_as_the_image_says(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = "id; pwd; echo $OF $HOSTNAME $PATH; hostname; cat own; umask"
    said = told(store, tmp_path, archive, script).splitlines()
    assert said == [
        "uid=1000(app) gid=50(staff) groups=20(dialout)",
        "/srv",
        "image app /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "app",
        "own0022",
    ]


STATUS = "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' /proc/self/status"
DEFAULT, NONE = "00000000800405fb"[-16:], "0" * 16
"""As podman's default: CHOWN to SETPCAP without NET_RAW and the like, and SETFCAP."""


def rights(said: str) -> dict[str, str]:
    return dict(line.split(":\t") for line in said.splitlines())


@pytest.mark.parametrize(
    ("options", "effective", "bounding", "no_new"),
    [
        ('user = "root"', DEFAULT, DEFAULT, "1"),
        ("", NONE, NONE, "1"),
        ("set_id = true", NONE, DEFAULT, "0"),
    ],
)
def test_a_program_has_the_rights_that_it_needs(
    store: ChrootStore,
    tmp_path: Path,
    archive: Path,
    options: str,
    effective: str,
    bounding: str,
    no_new: str,
) -> None:
    found = rights(told(store, tmp_path, archive, STATUS, options))
    assert found == {
        "CapInh": NONE,
        "CapPrm": effective,
        "CapEff": effective,
        "CapBnd": bounding,
        "CapAmb": NONE,
        "NoNewPrivs": no_new,
        "Seccomp": "2",
    }


def test_root_of_a_container_is_nobody_outside(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = """
    cat /proc/self/uid_map /proc/self/gid_map
    mount -t tmpfs x /srv 2>&1; unshare -U true 2>&1; hostname other 2>&1
    mknod /srv/node b 8 0 2>&1; chroot / true && echo may chroot
    touch /srv/new && chown 1000:50 /srv/new && stat -c %u:%g /srv/new
    dmesg 2>&1 | head -1; echo 1 > /proc/sys/kernel/panic; cat /proc/kcore | wc -c
    """
    said = told(store, tmp_path, archive, script, 'user = "root"')
    line = f"{0:10} {BASE:10} {65536:10}"
    assert said.splitlines() == [
        line,
        line,
        "mount: permission denied (are you root?)",
        "unshare: unshare(0x10000000): Operation not permitted",
        "hostname: sethostname: Operation not permitted",
        "mknod: /srv/node: Operation not permitted",
        "may chroot",
        "1000:50",
        "dmesg: klogctl: Operation not permitted",
        "0",
    ]


def test_it_sees_processes_mounts_and_network_of_its_own(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = """
    ls /proc | grep -c '^[0-9]'; tr '\\0' ' ' < /proc/1/cmdline | head -c 10; echo
    grep ^0: /proc/self/cgroup; ls -d /sys/fs/cgroup/cgroup.procs
    tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '
    cat /etc/resolv.conf /etc/hostname; grep app /etc/hosts
    ls -l /dev/pts/ptmx /dev/mqueue | head -1; ls /dev | grep -v ^co | tr '\n' ' '
    """
    said = told(store, tmp_path, archive, script, 'user = "root"').splitlines()
    assert int(said[0]) <= 4
    assert said[1:] == [
        "/bin/sh -c",
        "0::/",
        "/sys/fs/cgroup/cgroup.procs",
        "lo",
        "nameserver 192.0.2.1",
        "app",
        "10.88.0.2 app",
        said[-2],
        "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
    ]


def test_a_low_port_is_open_to_who_is_not_root(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = "(echo hello | nc -l -p 80) & sleep 0.5; nc 127.0.0.1 80 < /dev/null"
    assert told(store, tmp_path, archive, script) == "hello\n"


def test_nothing_is_written_in_a_read_only_container_but_in_memory(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = """
    for place in /srv /etc /run /tmp /var/tmp; do
        touch $place/new 2> /dev/null && echo $place
    done
    dd if=/dev/zero of=/tmp/large bs=64k count=32 2>&1 | tail -1 | grep -o 'No space.*'
    stat -c %a /tmp
    """
    options = 'user = "root"\nread_only = true\nchanges = "1M"'
    said = told(store, tmp_path, archive, script, options)
    assert said.split("\n")[:3] == ["/run", "/tmp", "/var/tmp"]
    assert "1777" in said


def test_volumes_secrets_and_devices_are_where_they_are_expected(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    parts = tmp_path / "parts"
    (parts / "volumes/0").mkdir(parents=True)
    (parts / "volumes/0/kept").write_text("kept\n")
    (parts / "secrets").mkdir(mode=0o755)
    (parts / "secrets/password").write_text("secret\n")
    (parts / "devices/bus").mkdir(parents=True)
    for place in (parts / "volumes/0", parts / "secrets/password"):
        os.chown(place, BASE + 1000, BASE + 50)
    (parts / "secrets/password").chmod(0o400)
    os.mknod(parts / "devices/bus/zero", 0o660 | stat.S_IFCHR, os.makedev(1, 5))
    os.chown(parts / "devices/bus/zero", BASE + 1000, BASE + 50)
    script = """
    cat /data/kept /run/secrets/password; echo new > /data/new && cat /data/new
    touch /run/secrets/x 2> /dev/null || echo closed
    head -c 5 /dev/bus/zero | wc -c; cat /etc/app.conf
    """
    options = """
    volumes = { data = "/data" }
    secrets = ["password"]
    devices = ["/dev/bus/zero"]
    files = { "/etc/app.conf" = { text = "setting\\n", mode = "0644" } }
    [secrets.password]
    units = ["container-app.service"]
    """
    said = told(store, tmp_path, archive, script, options)
    assert said.split() == ["kept", "secret", "new", "closed", "5", "setting"]


def test_with_init_the_program_is_not_process_1(
    store: ChrootStore, tmp_path: Path, archive: Path
) -> None:
    script = "cat /proc/1/cmdline | tr '\\0' ' '"
    said = told(store, tmp_path, archive, script, "init = true")
    assert said.startswith("/dev/init -- /bin/sh -c ")
