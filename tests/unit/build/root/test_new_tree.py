"""An archive of others is unpacked below its folder, whatever its names and links say."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.project_files import enough

from reconix.base.process import run
from reconix.build.archive.control import BadPackage
from reconix.build.root import debian
from reconix.build.root.new_tree import UnsafeArchive, relative

FOLDERS = ("etc", "usr", "usr/bin", "usr/lib", "var")


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def folder(name: str) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE)


def link(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.SYMTYPE, target)


def hard(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.LNKTYPE, target)


def unpack(into: Path, *entries: tarfile.TarInfo, folders: Iterable[str] = FOLDERS) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for info in (*map(folder, folders), *entries):
            archive.addfile(info, io.BytesIO(b"evil") if info.isreg() else None)
    packed.seek(0)
    debian.unpack(packed, into / "root")
    return into / "root"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """What is outside, and must stay as it is."""
    place = tmp_path / "victim"
    (place / "lib").mkdir(parents=True)
    (place / "bin").mkdir()
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    for name in ("x", "passwd", "group", "bin/reconix-device", ".updated", "id"):
        (place / name).write_text(f"root:x:0:0:r:/:/bin/sh\n{key}")
    return place


OUTSIDE = {
    "a folder is a link": [link("opt", "VICTIM"), entry("opt/x")],
    "usr is a link": [link("usr", "VICTIM"), entry("usr/x")],
    "a link becomes a file": [link("etc/x", "VICTIM/x"), entry("etc/x")],
    "a link becomes a folder": [link("opt", "VICTIM"), folder("opt"), entry("opt/x")],
    "a file comes twice": [entry("etc/x"), entry("etc/x")],
    "a file becomes a folder": [entry("etc/x"), folder("etc/x"), entry("etc/x/y")],
    "a link in between": [link("etc/a", "../.."), entry("etc/a/victim/x")],
    "a link to a link": [link("etc/a", "VICTIM"), link("etc/b", "a"), entry("etc/b/x")],
    "a hard link out of it": [hard("etc/x", "../victim/x")],
    "an absolute hard link": [hard("etc/x", "VICTIM/x")],
    "a hard link through a link": [link("etc/a", "VICTIM"), hard("etc/x", "etc/a/x")],
    "a hard link to a link": [link("etc/a", "VICTIM/x"), hard("etc/x", "etc/a")],
    "a hard link to nothing": [hard("etc/x", "etc/later"), entry("etc/later")],
    "an absolute name": [entry("VICTIM/x")],
    "a name that goes up": [entry("etc/../../victim/x")],
    "a name with a point": [entry("etc/./x")],
    "a name with two slashes": [entry("etc//x")],
    "a folder that was not there": [entry("home/x")],
    "a name of two lines": [entry("etc/x\n4755 0 0 /etc/shadow")],
    "a name with a tab": [entry("etc/x\ty")],
    "a name that a terminal obeys": [entry("etc/\x1b]0;x")],
    "a name that is not UTF-8": [entry("etc/\udcff")],
    "a device": [entry("etc/disk", tarfile.BLKTYPE)],
    "a terminal": [entry("etc/tty", tarfile.CHRTYPE)],
    "a list of ours": [entry("metadata")],
    "a list of ours as a link": [link("losses", "VICTIM/x")],
}


@pytest.mark.parametrize("entries", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_leads_elsewhere_is_refused_and_nothing_outside_is_touched(
    tmp_path: Path, victim: Path, entries: list[tarfile.TarInfo]
) -> None:
    found = {path: path.read_bytes() for path in victim.rglob("*") if path.is_file()}
    before = enough(found, at_least=1, what="files outside")
    for info in entries:
        info.name = info.name.replace("VICTIM", str(victim))
        info.linkname = info.linkname.replace("VICTIM", str(victim))
    folders = [name for name in FOLDERS if name not in {info.name for info in entries}]
    folders = folders if "usr" in folders else ["etc", "var"]
    with pytest.raises(UnsafeArchive):
        unpack(tmp_path, *entries, folders=folders)
    after = {path: path.read_bytes() for path in victim.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["etc", "usr", "var", "usr/bin", "usr/lib", "home", "root"])
def test_a_root_whose_folders_are_elsewhere_is_not_looked_into(
    tmp_path: Path, victim: Path, name: str
) -> None:
    """We number its users, take out its keys and add a program: all of that would happen there."""
    folders = [each for each in FOLDERS if each != name and not each.startswith(f"{name}/")]
    with pytest.raises(UnsafeArchive):
        unpack(tmp_path, link(name, str(victim)), folders=folders)
    assert "root:x:0:0" in (victim / "passwd").read_text()
    assert (victim / "id").exists()


def test_links_to_files_outside_are_kept_and_never_written_through(
    tmp_path: Path, victim: Path
) -> None:
    root = unpack(
        tmp_path,
        *(link(f"etc/{name}", str(victim / name)) for name in ("passwd", "group", "x")),
        link("usr/bin/reconix-device", str(victim / "x")),
        link("var/.updated", str(victim / ".updated")),
        link("usr/local", str(victim)),
        entry("usr/lib/file"),
        hard("usr/lib/again", "./usr/lib/file"),
    )
    assert (root / "usr/bin/reconix-device").read_bytes() == debian.AGENT_COMMAND.read_bytes()
    assert (root / "etc/x").is_symlink()
    assert (root / "usr/lib/again").samefile(root / "usr/lib/file")
    assert "PRIVATE KEY" in (victim / "x").read_text()
    assert (victim / "id").exists()


def test_a_pipe_is_left_out_and_told(tmp_path: Path) -> None:
    root = unpack(tmp_path, entry("var/queue", tarfile.FIFOTYPE))
    assert (root / "losses").read_text() == "var/queue\ta pipe\n"


def test_names_of_all_languages_are_names() -> None:
    assert relative("./usr/share/Főtanúsítvány (更新).crt") == "usr/share/Főtanúsítvány (更新).crt"
    assert relative("./") == relative(".") == ""


def package(folder: Path, name: str, control: str) -> Path:
    """A package as dpkg-deb builds it from this control file."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(control)
    run("dpkg-deb", "--build", "--nocheck", tree, folder / f"{name}.deb")
    return folder / f"{name}.deb"


CONTROL = "Package: {}\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: b\n c\n"


@pytest.mark.parametrize(
    "control",
    [
        CONTROL.format("../../x"),
        CONTROL.format("/tmp/x"),
        CONTROL.format("a,b"),
        CONTROL.format("--x"),
        CONTROL.format("Upper"),
        CONTROL.format("aa") + "Filename: ../../x.deb\n",
        CONTROL.format("aa") + "SHA256: 00\n",
        CONTROL.format("aa").partition("\n")[2],
    ],
)
def test_a_package_that_would_lie_elsewhere_is_refused(tmp_path: Path, control: str) -> None:
    (tmp_path / "archive").mkdir()
    deb = package(tmp_path, "deb", control)
    with pytest.raises(BadPackage):
        debian.make_archive([deb], tmp_path / "archive")
    assert not (tmp_path.parent / "x.deb").exists()


def test_two_packages_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    two = [package(tmp_path, each, CONTROL.format("aa")) for each in ("one", "two")]
    with pytest.raises(BadPackage, match="second package called aa"):
        debian.make_archive(two, tmp_path / "archive")


def test_a_package_stands_in_the_index_with_its_hash(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    deb = package(tmp_path, "deb", CONTROL.format("lib+x.1-dev"))
    assert debian.make_archive([deb], tmp_path / "archive") == ["lib+x.1-dev"]
    assert b"Filename: ./lib+x.1-dev.deb\n" in (tmp_path / "archive/Packages").read_bytes()
