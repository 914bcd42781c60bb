"""A maintainer script that looks around sees nothing of the machine, whoever builds.

The root is made by the real mmdebstrap and dpkg, from two packages that are made here: one with the
programs of this machine that dpkg needs, and one whose script looks around and writes down what it
saw.
"""

import os
import re
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.base.process import run
from reconix.build import emulation, isolation
from reconix.build.imports import SOURCE
from reconix.build.root import metadata
from reconix.store.images.nodes import Metadata
from reconix.store.sidecar import parse_entries

PROGRAMS = ("sh", "dpkg", "dpkg-deb", "dpkg-split", "dpkg-query", "tar", "rm", "diff", "busybox")
OF_SBIN = ("ldconfig", "start-stop-daemon", "setcap")
FOLDERS = ("etc", "usr/lib", "var/lib/dpkg", "tmp", "proc", "sys", "dev", "run")
CONTROL = "Package: {}\nVersion: 1\nArchitecture: {}\nMaintainer: a\nDescription: b\n"
LOOK_AROUND = """\
#!/bin/sh
exec > /usr/lib/seen 2>&1
look() {{ echo "== $1"; shift; busybox "$@"; }}
look interfaces ls /sys/class/net
look addresses ip address
look routes ip route
look sockets cat /proc/net/unix
look server nc -w 2 127.0.0.1 {port} < /dev/null
look name hostname
look run ls -A /proc/1/root/run
look processes pidof {program}
look secret cat /proc/1/root{secret}
exit 0
"""
CHANGE = """\
#!/bin/sh
cd /usr/lib/probe
busybox touch made
busybox chown 1:2 tool && busybox chmod 4754 tool && setcap cap_net_raw+ep tool
"""
RAW_NETWORK = b"\1\0\0\2" + (1 << 13).to_bytes(4, "little") + bytes(12)
"""The capability as the kernel keeps it for root, and not for whoever builds (capabilities(7))."""
BUILD = """
import sys
from pathlib import Path
from reconix.base import progress
from reconix.build.root import debian
from reconix.base.architecture import Architecture
class Told(progress.Silent):
    def doing(self, what):
        print(what)
progress.listen(Told())
folder = Path(sys.argv[1])
packages = [folder / "base.deb", folder / "probe.deb"]
debian.build_root(packages, "trixie", Architecture(sys.argv[2]), folder / "made/root")
"""
HERE = run("dpkg", "--print-architecture").decode().strip()
ELSEWHERE = next(each for each in Architecture if each.value != HERE)
Need = Callable[..., None]


@pytest.fixture
def folder(need: Need) -> Iterator[Path]:
    """A folder that everybody can reach, with the sources, and the base package."""
    need("mmdebstrap", "unshare", "newuidmap", "busybox", "apt-get")
    place = Path(tempfile.mkdtemp(prefix="reconix-isolation-"))
    place.chmod(0o755)
    shutil.copytree(SOURCE / "reconix", place / "src/reconix")
    make_base(place)
    (place / "made").mkdir()
    (place / "tmp").mkdir()
    (place / "tmp").chmod(0o1777)
    yield place
    shutil.rmtree(place)


def make_base(place: Path) -> None:
    tree = place / "base"
    for name in (*PROGRAMS, *OF_SBIN):
        program = Path(shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") or f"/no/{name}")
        put(tree, program, f"usr/bin/{name}")
        libraries = run("sh", "-c", f"ldd {program.resolve()} || :").decode()
        for library in re.findall(r"(/\S+)", libraries):
            if library.startswith("/"):
                put(tree, Path(library), library[1:])
    put(tree, Path("/bin/sh"), "bin/sh")
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc/group").write_text("root:x:0:\n")
    pack(tree, CONTROL.format("base", "all") + "Essential: yes\n")


def put(tree: Path, file: Path, name: str) -> None:
    if file.exists():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.resolve(), tree / name)


def pack(tree: Path, control: str) -> None:
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(control)
    run("dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, f"{tree}.deb")


def make_probe(folder: Path, script: str) -> None:
    """The package whose script is under test."""
    postinst = folder / "probe/DEBIAN/postinst"
    postinst.parent.mkdir(parents=True)
    postinst.write_text(script)
    postinst.chmod(0o755)
    pack(folder / "probe", CONTROL.format("probe", "all"))


@pytest.fixture
def as_somebody(folder: Path, request: pytest.FixtureRequest) -> Callable[..., bytes]:
    """Run Python with our sources, as root or as an ordinary user who has been granted numbers."""
    variables = {"PYTHONPATH": str(folder / "src"), "TMPDIR": str(folder / "tmp")}
    if request.param == "root":
        if os.geteuid() != 0:
            pytest.skip("only root can build as root")
        return lambda *words: run(sys.executable, *words, environment=variables)
    if os.geteuid() != 0:
        return lambda *words: run(sys.executable, *words, environment=variables)
    granted = folder / "granted"
    granted.write_text("nobody:100000:65536\n")
    os.chown(folder / "made", 65534, 65534)
    bound = f"mount --bind {granted} /etc/subuid && mount --bind {granted} /etc/subgid"
    drop = "setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3"
    script = f'{bound} && exec {drop} "$@"'
    return lambda *words: run(
        *("unshare", "--mount", "sh", "-c", script, "sh"), *words, environment=variables
    )


def seen(folder: Path) -> dict[str, str]:
    """What the script has written down, by what it looked for."""
    parts = (folder / "made/root/usr/lib/seen").read_text().split("== ")[1:]
    return {name: said.strip() for name, _, said in (part.partition("\n") for part in parts)}


@pytest.mark.parametrize("as_somebody", ["root", "user"], indirect=True)
def test_a_maintainer_script_sees_no_network_and_no_service(
    folder: Path, as_somebody: Callable[..., bytes]
) -> None:
    secret = folder / "secret"
    secret.write_text("of the user who builds")
    secret.chmod(stat.S_IRUSR)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as abstract,
    ):
        abstract.bind("\0reconix-isolation")
        abstract.listen()
        assert "reconix-isolation" in Path("/proc/net/unix").read_text()
        script = LOOK_AROUND.format(
            port=server.getsockname()[1], secret=secret, program=Path(sys.executable).name
        )
        make_probe(folder, script)
        as_somebody("-c", BUILD, str(folder), HERE)
    found = seen(folder)
    assert found["interfaces"] == "lo"
    assert "<LOOPBACK>" in found["addresses"] and "inet" not in found["addresses"]
    assert found["routes"] == ""
    assert "reconix-isolation" not in found["sockets"]
    assert "unreachable" in found["server"]
    assert found["name"] == "localhost"
    assert found["run"] in ("", "mount")  # which mount(8) makes
    assert found["processes"] == ""
    if as_somebody_is_user(folder):
        assert "ermission denied" in found["secret"]


def as_somebody_is_user(folder: Path) -> bool:
    return (folder / "made/root").stat().st_uid != 0


@pytest.mark.parametrize("as_somebody", ["root", "user"], indirect=True)
def test_what_is_said_about_files_does_not_depend_on_who_builds(
    folder: Path, as_somebody: Callable[..., bytes], need: Need
) -> None:
    need("setcap")
    tool = folder / "probe/usr/lib/probe/tool"
    tool.parent.mkdir(parents=True)
    tool.touch(mode=0o755)
    os.utime(tool, (1_500_000_000, 1_500_000_000))
    make_probe(folder, CHANGE)
    as_somebody("-c", BUILD, str(folder), HERE)
    listed = (folder / "made/root" / metadata.FILE).read_bytes()
    said = dict(parse_entries(listed, source=metadata.FILE))
    capability = ((b"security.capability", RAW_NETWORK),)
    assert said[b"usr/lib/probe/tool"] == Metadata(0o4754, 1, 2, 1_500_000_000, capability)
    assert said[b"usr/lib/probe/made"] == Metadata(0o644)
    assert said[b"usr/lib/probe"] == Metadata(0o755)


@pytest.mark.parametrize("as_somebody", ["root", "user"], indirect=True)
def test_scripts_start_programs_of_another_architecture(
    folder: Path, as_somebody: Callable[..., bytes], need: Need
) -> None:
    """All of its rule is inside: outside such a program runs as it did before."""
    need(emulation.interpreter(ELSEWHERE), "setcap")
    tool = folder / "probe/usr/lib/probe/tool"
    tool.parent.mkdir(parents=True)
    tool.write_bytes(emulation.smallest_program(ELSEWHERE))
    tool.chmod(0o755)
    os.utime(tool, (1_500_000_000, 1_500_000_000))
    make_probe(folder, f"#!/bin/sh\nset -e\n/usr/lib/probe/tool\n{CHANGE}")
    before = process.succeeds("env", tool)
    as_somebody("-c", BUILD, str(folder), ELSEWHERE.value)
    said = dict(parse_entries((folder / "made/root/metadata").read_bytes(), source="metadata"))
    capability = ((b"security.capability", RAW_NETWORK),)
    assert said[b"usr/lib/probe/tool"] == Metadata(0o4754, 1, 2, 1_500_000_000, capability)
    assert process.succeeds("env", tool) == before
    assert (folder / "made/root/usr/lib/probe/tool").read_bytes() == tool.read_bytes()


@pytest.mark.parametrize("as_somebody", ["root"], indirect=True)
def test_it_is_told_which_package_is_being_installed(
    folder: Path, as_somebody: Callable[..., bytes]
) -> None:
    make_probe(folder, "#!/bin/sh\nexit 0\n")
    told = as_somebody("-c", BUILD, str(folder), HERE).decode().splitlines()
    assert [line for line in told if "probe" in line] == [
        "root: unpacking probe, 2 of 2",
        "root: setting up probe, 2 of 2",
    ]


@pytest.mark.parametrize("as_somebody", ["user"], indirect=True)
def test_nothing_is_left_of_a_build_that_fails(
    folder: Path, as_somebody: Callable[..., bytes]
) -> None:
    """Strangers own what a script has made; the user could not remove it."""
    make_probe(folder, "#!/bin/sh\nbusybox mkdir -p /usr/lib/a/b\nexit 1\n")
    with pytest.raises(process.CommandFailed) as caught:
        as_somebody("-c", BUILD, str(folder), HERE)
    assert b"installing 2 packages failed" in caught.value.output
    assert list((folder / "tmp").iterdir()) == []


def test_the_python_of_a_root_has_no_network_either() -> None:
    inside = isolation.without_network(("cat", "/proc/net/dev"))
    assert re.findall(r"(\w+):", run(*inside).decode()) == ["lo"]
