"""The same lock gives the same generation, on another day and in other circumstances.

One small host is locked against the real archive and built twice, each time into an empty store.
The second build happens more than a year later, with the network off, in another time zone, locale,
umask, order of hashes and folder; ``libfaketime`` moves the clock for every process, those in the
root included.
"""

import os
import re
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pytest
from tests import root_judges
from tests.debian_archives import Vendor, make_deb
from tests.oci_images import file, folder, image, layer, write_layout
from tests.project_files import enough
from tests.wheels import make_wheel

from reconix.base.documents import Fields
from reconix.base.process import run
from reconix.build.archive.fetch import cached_path
from reconix.build.software.device_files import DeviceFiles, Part
from reconix.build.software.programs import Programs
from reconix.build.users.accounts import Accounts
from reconix.build.users.static_ids import read_ids
from reconix.cli import places
from reconix.config.lock.document import parse_lock
from reconix.config.schema.system import Kernel, System
from reconix.device.settings.containers import parse_containers
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceTrees
from reconix.store.images.nodes import ImageFile, Metadata, find
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, parse_sidecar

Need = Callable[..., None]
PROJECT = """\
name = "twice"
[archives.vendor]
url = "file:vendor"
trusted = true
suites = ["./"]
packages = ["vendor-*"]
"""
MACHINE = """\
packages = [
    "systemd", "systemd-sysv", "udev", "kmod", "dropbear", "mosquitto", "nginx", "python3",
    "sudo", "dbus", "fping", "vendor-tool",
]
debs = ["../../dist/*.deb"]
[kernel]
package = "linux-image-cloud-amd64"
initrd_modules = ["virtio_blk"]
[ssh]
enable = true
[services]
enable = ["nginx.service", "systemd-networkd.service"]
[python.air]
wheels = ["../../dist/*.whl"]
"""
APP = """\
import json, sys
import helper
CHOICES = {"one", "two"}
def run():
    found = [sys.prefix, sys.base_prefix, run.__code__.co_filename, __cached__, helper.__cached__]
    print(json.dumps({"found": found, "metadata": helper.version()}))
def is_known(word):
    return word in {"one", "two", "three"} or word in {"three", "two", "one"}
"""
HELPER = """\
from importlib.metadata import version as version_of
def version():
    return version_of("air")
"""
SYSTEM = """\
[trees."/opt/air"]
source = "../../../air"
exclude = ["*.pyc"]
owner = "air"
set_id = ["bin/helper"]
[trees."/usr/local/share/air"]
source = "../../../air/share"
[files."/srv/tftp/boot.img"]
text = "boot"
owner = "air"
[users.air]
system = true
[units."air.service"]
exec = "/opt/air/bin/air --once"
user = "air"
[containers.app]
image = "oci:images:app"
network = "host"
volumes = { data = "/srv/data" }
files = { "/etc/app.conf" = { text = "yes", mode = "0600" } }
[containers.logger]
packages = ["netcat-openbsd"]
command = ["/usr/bin/nc", "-l", "5000"]
network = "host"
read_only = true
"""
LAYERS = (
    layer(folder("etc"), file("etc/passwd", b"app:x:1000:50:::\n"), folder("srv", user=1000)),
    layer(file("bin/app", b"program" * 99, mode=0o755, mtime=7)),
)
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
WRAPPER = f"""\
#!/bin/sh
# mmdebstrap in another year: the clock is moved outside of the root and, by a copy, inside.
# Its semaphores are named after process IDs, which begin anew in each root, and those of another
# one are in the way. So each has a /dev/shm of its own, and knows of no semaphore before.
unset FAKETIME_SHARED
export LD_PRELOAD= FAKETIME='+400d' FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1
copy='mkdir -p "$1$(dirname {FAKETIME})" && cp {FAKETIME} "$1{FAKETIME}"'
remove='rm -r "$1$(dirname {FAKETIME})"'
own='mount -t tmpfs shm /dev/shm && export LD_PRELOAD={FAKETIME} && exec "$@"'
exec unshare --mount sh -c "$own" sh {{real}} --setup-hook="$copy" --customize-hook="$remove" "$@"
"""


# libfaketime leaves files in /dev/shm that are named by process numbers, and stumbles over those
# that others have left there. So it gets both for itself.
ALONE = [
    *("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"),
    *("sh", "-c", 'mount -t tmpfs shm /dev/shm && exec "$@"', "sh"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "reconix.toml").write_text(PROJECT)
    (folder / "hosts/box/systems").mkdir(parents=True)
    (folder / "hosts/box/machine.toml").write_text(MACHINE)
    needs, scripts = ["helper>=2", "six; sys_platform == 'win32'"], {"air": "air.main:run"}
    app = {"air/__init__.py": "", "air/main.py": APP}
    make_wheel(folder / "dist", files=app, requires=needs, scripts=scripts)
    make_wheel(folder / "dist", "helper", "2.0", files={"helper.py": HELPER})
    add_packages(folder)
    add_trees(folder)
    images = folder / "images"
    made = image(images, LAYERS, compressed=True, config={"Cmd": ["/bin/app"], "User": "app"})
    write_layout(images, app=made)
    reconix("lock", project=folder)
    return folder


def add_packages(project: Path) -> None:
    """A program of the project that brings a user, and an archive that it needs something of."""
    vendor = Vendor(project / "vendor")
    vendor.add("vendor-tool 1", "Depends: netbase")
    vendor.add("bash 99")
    vendor.index("./")
    copy = "mkdir /var/lib/air && cp /usr/share/doc/vendor-tool/version /var/lib/air/made"
    make_deb(
        project / "dist/air_1.4_all.deb",
        "air 1.4",
        "Depends: vendor-tool, fping",
        postinst=f"#!/bin/sh\nset -e\n{copy}\n",
    )


def add_trees(folder: Path) -> None:
    """A folder of the project, with modes as nobody should have them."""
    (folder / "hosts/box/systems/default.toml").write_text(SYSTEM)
    for name in ("bin/air", "bin/helper", "bin/air.pyc", "share/data"):
        (folder / "air" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "air" / name).write_text("#!/usr/bin/python3\n")
        (folder / "air" / name).chmod(0o700)


def reconix(
    *words: str,
    project: Path,
    environment: Mapping[str, str] | None = None,
    umask: str = "0o022",
    network: bool = True,
) -> Fields:
    """Run the real command, as a process of its own."""
    code = (
        f"import os, sys; os.umask({umask})\nfrom reconix.cli.main import entry\nsys.exit(entry())"
    )
    alone = ALONE if not network and os.geteuid() == 0 else []
    settings = [f"{name}={value}" for name, value in (environment or {}).items()]
    python = [*alone, "env", *settings, sys.executable, "-c", code, "--project", str(project)]
    return Fields.parse(run(*python, *words, "--json"), source="reconix")


@pytest.fixture
def another_year(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which everything is different that must not matter."""
    real = shutil.which("mmdebstrap")
    wrapper = tmp_path / "bin/mmdebstrap"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(real=real))
    wrapper.chmod(0o755)
    return {
        "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
        "LD_PRELOAD": FAKETIME,
        "FAKETIME": "+400d",
        "NO_FAKE_STAT": "1",  # packages give files their times, the clock only what it makes
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C",
        "LANG": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "4711",
    }


@pytest.mark.archive
def test_the_same_lock_gives_the_same_paths_on_another_day(
    project: Path, tmp_path: Path, need: Need, another_year: Mapping[str, str]
) -> None:
    need("mmdebstrap", "depmod")
    assert Path(FAKETIME).exists(), "not installed: libfaketime"
    one, other = tmp_path / "one", tmp_path / "a longer name of a store"
    first = reconix("build", "--store", str(one), project=project)
    second = reconix(
        "build",
        "--store",
        str(other),
        project=project,
        environment=another_year,
        umask="0o077",
        network=False,
    )
    with ChrootStore(one) as store, ChrootStore(other) as later:
        assert_equal_closures(store, later, first, second)
        check_what_nix_says(store, StorePath.parse(first.text("generation")))
        check_root(store, first)
        check_composition(part(store, first, "root"), tmp_path)
        check_metadata(store, first, project)
        check_python(store, first)
        check_numbers(store, first)
        check_packages_of_others(store, first)
        check_trees(store, first)
        check_programs(store, first)
        check_containers(store, first)
    assert reconix("build", "--store", str(one), project=project).text("generation") == (
        first.text("generation")
    )
    check_what_single_devices_have(project, one, first.text("generation"))
    check_numbers_are_remembered(project, one)


def check_what_single_devices_have(project: Path, store: Path, generation: str) -> None:
    """It is no part of a generation."""
    machine = project / "hosts/box/machine.toml"
    machine.write_text(f'{MACHINE}[devices.BOX-1]\nhostname = "box-1"\n')
    assert reconix("build", "--store", str(store), project=project).text("generation") == generation
    machine.write_text(MACHINE)


def assert_equal_closures(
    store: ChrootStore, later: ChrootStore, first: Fields, second: Fields
) -> None:
    """Object by object, so that a failure names the one that differs."""
    ours = store.closure(StorePath.parse(first.text("generation")))
    theirs = later.closure(StorePath.parse(second.text("generation")))
    assert [str(path) for path in ours] == [str(path) for path in theirs]


def check_what_nix_says(store: ChrootStore, generation: StorePath) -> None:
    said = run(
        "nix",
        "--extra-experimental-features",
        "nix-command",
        "--store",
        store.root,
        "path-info",
        "-r",
        str(generation),
    )
    assert sorted(said.decode().split()) == [str(path) for path in store.closure(generation)]


def check_root(store: ChrootStore, built: Fields) -> None:
    root = part(store, built, "root")
    found = [path.relative_to(root).as_posix() for path in root.rglob("*")]
    made = re.compile(r"etc/dropbear/.*_host_key|etc/machine-id|var/log/[^/]*\.log")
    assert not [path for path in enough(found, at_least=1000, what="files") if made.fullmatch(path)]
    assert (root / "usr/bin/nginx").exists() or (root / "usr/sbin/nginx").exists()


def check_composition(root: Path, work: Path) -> None:
    """What `reconix why` and `reconix sbom` rest on."""
    root_judges.check_sources(root)
    root_judges.check_owners(root)
    root_judges.check_needs(root, work)
    root_judges.check_reasons(root, ["air", "crun", *tomllib.loads(MACHINE)["packages"]])


def check_packages_of_others(store: ChrootStore, built: Fields) -> None:
    """Their maintainer scripts ran, after what they depend on was there."""
    root = part(store, built, "root")
    assert (root / "var/lib/air/made").read_text() == "vendor-tool 1\nDepends: netbase\n"
    status = (root / "var/lib/dpkg/status").read_text()
    assert "Package: air\nStatus: install ok installed\n" in status
    assert "Version: 99" not in status


def check_containers(store: ChrootStore, built: Fields) -> None:
    """What a device has of an image, and of a root of packages."""
    place = part(store, built, "containers")
    content = (place / "containers.json").read_bytes()
    app, logger = parse_containers(content, source="containers.json")
    assert (app.image, logger.packages) == ("oci:images:app", ("netcat-openbsd",))
    trees = DeviceTrees(store).of_closure(store.closure_of(StorePath.of_basename(place.name)))
    program = find(trees[app.objects[1]], b"root", b"bin", b"app")
    assert isinstance(program, ImageFile) and program.metadata == Metadata(0o755, 0, 0, 7)
    native = trees[logger.objects[1]]
    assert find(native, b"root", b"usr", b"bin", b"nc.openbsd") is not None
    su = find(native, b"root", b"usr", b"bin", b"su")
    assert su is not None and su.metadata.mode == 0o4755
    for ours in (b"root/metadata", b"root/losses", b"root/usr/bin/reconix-device"):
        assert find(native, *ours.split(b"/")) is None
    assert native.metadata.mode == 0o700
    assert "BASE='268500992'\n" in (place / "logger/settings").read_text()


def part(store: ChrootStore, built: Fields, name: str) -> Path:
    """An object that the toplevel of the system leads to."""
    return store.path(StorePath.parse(str((toplevel(store, built) / name).readlink())))


def toplevel(store: ChrootStore, built: Fields) -> Path:
    return store.path(StorePath.parse(built.object("systems").text("default")))


def sidecar(store: ChrootStore, built: Fields, name: str) -> Sidecar:
    content = part(store, built, f"sidecars/{name}").read_bytes()
    found = parse_sidecar(content, source=name)
    assert store.path(found.subject) == part(store, built, name)
    return found


def check_metadata(store: ChrootStore, built: Fields, project: Path) -> None:
    """What dpkg and the maintainer scripts have really made, by names and not by numbers."""
    said = dict(sidecar(store, built, "root").entries)
    known = Accounts.read(part(store, built, "etc"))
    assert said[b"usr/bin/su"][:3] == said[b"usr/bin/sudo"][:3] == (0o4755, 0, 0)
    helper = said[b"usr/lib/dbus-1.0/dbus-daemon-launch-helper"]
    assert helper[:3] == (0o4754, 0, known.gid("messagebus"))
    assert said[b"var/lib/mosquitto"][:3] == (0o755, known.uid("mosquitto"), 0)
    assert said[b"etc/shadow"] == Metadata(0o640, 0, known.gid("shadow"))
    assert dict(sidecar(store, built, "etc").entries)[b"shadow"] == said[b"etc/shadow"]
    ((name, value),) = said[b"usr/bin/fping"].attributes
    assert (name, value[4:8]) == (b"security.capability", (1 << 13).to_bytes(4, "little"))
    check_times(said, project)


def check_times(said: Mapping[bytes, Metadata], project: Path) -> None:
    """Files have the times of their packages."""
    lock = parse_lock((project / "reconix.lock").read_bytes(), source="lock")
    system = lock.hosts["box"].systems["default"]
    (deb,) = [package for package in system.packages if package.name == "python3-minimal"]
    times = dict(times_in(cached_path(places.downloads(), deb.sha256)))
    for path, mtime in enough(times, at_least=5, what="files of a package").items():
        assert said[path].mtime == mtime, path


def times_in(deb: Path) -> Iterator[tuple[bytes, int]]:
    with tarfile.open(fileobj=BytesIO(run("dpkg-deb", "--fsys-tarfile", deb))) as archive:
        for member in archive:
            if member.isreg():
                yield member.name.removeprefix("./").encode(), int(member.mtime)


def check_python(store: ChrootStore, built: Fields) -> None:
    """The script of a wheel starts in the root, with its environment bound at its place."""
    toplevel = store.path(StorePath.parse(built.object("systems").text("default")))
    lines = (toplevel / "trees").read_text().splitlines()
    bound = {place: path for path, place in (line.split() for line in lines)}
    place = "/opt/air-venv"
    environment = store.path(StorePath.parse(bound[place]))
    compiled = [path.name for path in environment.rglob("*.pyc")]
    assert sorted(compiled) == [
        "__init__.cpython-313.pyc",
        "helper.cpython-313.pyc",
        "main.cpython-313.pyc",
    ]
    if os.geteuid() != 0:
        return
    mounts = (
        'mount --bind "$1" /mnt && mount -t tmpfs opt /mnt/opt && mkdir "/mnt$3" && '
        'mount --bind "$2" "/mnt$3" && exec chroot /mnt "$3/bin/air"'
    )
    words = (part(store, built, "root"), environment, place)
    said = run("unshare", "--mount", "--net", "sh", "-c", mounts, "sh", *words)
    answer = Fields.parse(said, source="air")
    site = "/opt/air-venv/lib/python3.13/site-packages"
    assert answer.texts("found") == [
        *("/opt/air-venv", "/usr", f"{site}/air/main.py"),
        f"{site}/air/__pycache__/main.cpython-313.pyc",
        f"{site}/__pycache__/helper.cpython-313.pyc",
    ]
    assert answer.text("metadata") == "1.4"


def check_numbers(store: ChrootStore, built: Fields) -> None:
    """What is owned by a user of a package has the number that the device knows him by."""
    numbers = read_ids(part(store, built, "etc"))
    owners = {said.user for _, said in sidecar(store, built, "root").entries}
    assert numbers["mosquitto"] in owners


def check_trees(store: ChrootStore, built: Fields) -> None:
    """What is beside the root, and what is said about it."""
    air = read_ids(part(store, built, "etc"))["air"]
    assert 100 <= air <= 999
    trees = (toplevel(store, built) / "trees").read_text()
    (path,) = (line.split()[0] for line in trees.splitlines() if line.endswith(" /opt/air"))
    files, shared = (toplevel(store, built) / "layers").read_text().split()
    assert [StorePath.parse(each).name for each in (files, shared)] == [
        "files-default",
        "tree-usr-local-share-air",
    ]
    said = described(store, built, StorePath.parse(path))
    assert said == {
        b".": Metadata(0o755, air),
        b"bin": Metadata(0o755, air),
        b"bin/air": Metadata(0o755, air),
        b"bin/helper": Metadata(0o4755, air),
        b"share": Metadata(0o755, air),
        b"share/data": Metadata(0o755, air),
    }
    said = described(store, built, StorePath.parse(files))
    assert said[b"srv/tftp/boot.img"] == Metadata(0o644, air)
    unit = part(store, built, "etc") / "systemd/system/air.service"
    assert "ExecStart=/opt/air/bin/air --once\n" in unit.read_text()


def check_programs(store: ChrootStore, built: Fields) -> None:
    """All programs of Debian find what they need: there is no false alarm."""
    root, etc = part(store, built, "root"), part(store, built, "etc")
    system = System(kernel=Kernel(package="linux-image-cloud-amd64"))
    files = DeviceFiles.of(system, (Part("/etc", etc), Part("", root)))
    assert list(map(str, Programs(files, "amd64").faults(root, ""))) == []


def described(store: ChrootStore, built: Fields, path: StorePath) -> Mapping[bytes, Metadata]:
    """What is said about an object beside the root."""
    content = part(store, built, f"sidecars/{path.basename}").read_bytes()
    found = parse_sidecar(content, source=str(path))
    assert found.subject == path
    return dict(found.entries)


def check_numbers_are_remembered(project: Path, root: Path) -> None:
    """The lock knows them: one that was moved on purpose stays where it is."""
    moved = reconix("build", "--number", "mosquitto=150", "--store", str(root), project=project)
    with ChrootStore(root) as store:
        assert read_ids(part(store, moved, "etc"))["mosquitto"] == 150
        check_numbers(store, moved)
    again = reconix("build", "--store", str(root), project=project)
    assert again.text("generation") == moved.text("generation")
    lock = parse_lock((project / "reconix.lock").read_bytes(), source="lock")
    assert lock.hosts["box"].numbers["mosquitto"] == 150
