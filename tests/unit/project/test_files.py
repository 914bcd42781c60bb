from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.config.lock.test_containers import IMAGE
from tests.wheels import make_wheel

from reconix.base.digests import Digest
from reconix.build.archive.fetch import cached_path
from reconix.build.software.python.locking import digest_of_question
from reconix.build.software.python.target import Target
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.document import FILE_NAME, parse_lock, print_lock
from reconix.config.lock.hosts import ArchiveLock, HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock
from reconix.nix.chroot import ChrootStore
from reconix.project.downloads import Downloads
from reconix.project.files import NotLocked, ProjectFiles

PACKAGE = LockedPackage(
    name="busybox-static",
    version="1.37",
    architecture="amd64",
    size_bytes=1,
    sha256=Digest.of(b"x"),
    archive="debian",
    path="pool/main/b/busybox-static.deb",
    date="20260912T075541Z",
)
SYSTEM = SystemLock(("nginx",), (PACKAGE,), "linux-image-amd64", (PACKAGE,))
LOCKED = HostLock(
    architecture="amd64",
    suites=("trixie", "trixie-updates"),
    components=("main",),
    loader=(PACKAGE,),
    initrd=(PACKAGE,),
    systems={"default": SYSTEM},
)


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    (tmp_path / "reconix.toml").write_text(
        'name = "test"\narchive.suites = ["trixie", "trixie-updates"]\n'
    )
    systems = tmp_path / "hosts/gw/systems"
    systems.mkdir(parents=True)
    (systems.parent / "machine.toml").write_text(
        'packages = ["nginx"]\nkernel.package = "linux-image-amd64"\n'
    )
    (systems / "default.toml").touch()
    return ProjectFiles.read(tmp_path)


def write_lock(project: ProjectFiles, host: HostLock) -> None:
    (project.folder / FILE_NAME).write_bytes(print_lock(Lock({"gw": host})))


def test_a_lock_that_answers_what_is_asked_is_taken(project: ProjectFiles) -> None:
    write_lock(project, LOCKED)
    assert project.host_lock(project.host("gw")) == LOCKED


def test_without_a_lock_the_user_is_told_to_make_one(project: ProjectFiles) -> None:
    with pytest.raises(NotLocked, match="not there yet") as failure:
        project.host_lock(project.host("gw"))
    assert failure.value.hint == "ask the archive: reconix lock"


ALTERED: dict[str, Callable[[HostLock], HostLock]] = {
    "architecture": lambda lock: replace(lock, architecture="arm64"),
    "archive.suites": lambda lock: replace(lock, suites=("trixie",)),
    "archive.components": lambda lock: replace(lock, components=("main", "contrib")),
    "packages of gw:default": lambda lock: replace(
        lock, systems={"default": replace(SYSTEM, asked=())}
    ),
    "the packages": lambda lock: replace(lock, systems={"web": SYSTEM}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_a_lock_that_answers_something_else_is_refused(project: ProjectFiles, what: str) -> None:
    write_lock(project, ALTERED[what](LOCKED))
    with pytest.raises(NotLocked, match=what):
        project.host_lock(project.host("gw"))


def written(file: Path) -> tuple[int, int]:
    """What tells one writing of a file from another; reading it changes its time of access."""
    return file.stat().st_ino, file.stat().st_mtime_ns


def test_the_lock_learns_numbers_once_and_others_hosts_stay(project: ProjectFiles) -> None:
    lock = Lock({"gw": LOCKED, "other": replace(LOCKED, numbers={"ann": 1000})})
    file = project.folder / FILE_NAME
    file.write_bytes(print_lock(lock))
    project.remember(project.host("gw"), {"mosquitto": 312})
    learnt = written(file)
    assert project.host_lock(project.host("gw")).numbers == {"mosquitto": 312}
    assert parse_lock(file.read_bytes(), source="lock").hosts["other"].numbers == {"ann": 1000}
    project.remember(project.host("gw"), {"mosquitto": 312})
    assert written(file) == learnt, "what is known already is not written again"


def test_a_number_comes_from_the_lock_or_from_what_was_built_last(
    project: ProjectFiles, tmp_path: Path
) -> None:
    write_lock(project, replace(LOCKED, numbers={"ann": 1000}))
    with ChrootStore(tmp_path / "store") as store:
        lock = project.numbered_lock(store, project.host("gw"), {"bob": 1001})
    assert lock.numbers == {"ann": 1000, "bob": 1001}


def test_what_may_come_from_another_archive_is_part_of_the_question(project: ProjectFiles) -> None:
    file = project.folder / "reconix.toml"
    text = file.read_text()
    vendor = '[archives.vendor]\nurl = "file:x"\ntrusted = true\nsuites = ["./"]\n'
    file.write_text(f'{text}{vendor}packages = ["a-*"]\n')
    asked = replace(LOCKED, archives={"vendor": ArchiveLock(("./",), (), ("a-*",))})
    write_lock(project, asked)
    again = ProjectFiles.read(project.folder)
    assert again.host_lock(again.host("gw")) == asked
    file.write_text(f'{text}{vendor}packages = ["a-*", "b"]\n')
    for changed in (ProjectFiles.read(project.folder), project):
        with pytest.raises(NotLocked, match=r"`archives\.vendor` has changed since"):
            changed.host_lock(changed.host("gw"))


def test_what_python_s_tools_have_locked_is_part_of_the_question(project: ProjectFiles) -> None:
    system = project.folder / "hosts/gw/systems/default.toml"
    system.write_text('packages = ["python3"]\n[python.air]\nlock = "requirements.txt"\n')
    requirements = system.with_name("requirements.txt")
    requirements.touch()
    read = ProjectFiles.read(project.folder)
    wanted = read.host("gw").systems["default"].python["air"]
    python = {"air": PythonLock(digest_of_question(wanted))}
    asked = replace(SYSTEM, asked=("nginx", "python3"))
    fitting = replace(LOCKED, systems={"default": replace(asked, python=python)})
    write_lock(read, fitting)
    assert read.host_lock(read.host("gw")) == fitting
    requirements.write_text("six==1\n")
    with pytest.raises(NotLocked, match="what the Python environments of gw:default ask for"):
        read.host_lock(read.host("gw"))
    write_lock(read, replace(LOCKED, systems={"default": asked}))
    with pytest.raises(NotLocked, match="what the Python environments of gw:default ask for"):
        read.host_lock(read.host("gw"))


def test_a_build_gets_wheels_from_the_folder_of_downloads(project: ProjectFiles) -> None:
    path = make_wheel(project.folder / "vendor")
    digest, size_bytes = Digest.of_file(path), path.stat().st_size
    kept = cached_path(project.folder / "downloads", digest)
    kept.parent.mkdir(parents=True)
    path.rename(kept)
    wheel = LockedWheel("air", "1.4", path.name, size_bytes, digest, INDEX)
    target = Target((3, 13), "3.13.5", 41, "x86_64")
    with ChrootStore(project.folder / "store") as store:
        workshop = project.workshop(store, Downloads(project.folder / "downloads"))
        assert workshop.fetch_wheels([wheel], target) == {wheel: kept}


def test_what_containers_are_made_of_is_part_of_the_question(project: ProjectFiles) -> None:
    system = project.folder / "hosts/gw/systems/default.toml"
    native = '[containers.b]\npackages = ["nginx"]\ncommand = ["nginx"]\nnetwork = "host"\n'
    text = f'[containers.a]\nimage = "{IMAGE.asked}"\nnetwork = "host"\n{native}'
    system.write_text(text)
    of_packages = ContainerLock(asked_packages=("nginx",), packages=SYSTEM.packages)
    containers = {"a": IMAGE, "b": of_packages}
    locked = replace(SYSTEM, asked=("crun", "nginx"), containers=containers)
    asked = replace(LOCKED, systems={"default": locked})
    write_lock(project, asked)
    again = ProjectFiles.read(project.folder)
    assert again.host_lock(again.host("gw")) == asked
    for old, new in (
        (":2", ":3"),
        ('["nginx"]\ncom', '["curl"]\ncom'),
        ("[containers.b]", "[containers.c]"),
    ):
        system.write_text(text.replace(old, new))
        changed = ProjectFiles.read(project.folder)
        with pytest.raises(NotLocked, match="containers of gw:default are made of has changed"):
            changed.host_lock(changed.host("gw"))


def test_the_packages_of_firmware_are_part_of_the_question(project: ProjectFiles) -> None:
    machine = project.folder / "hosts/gw/machine.toml"
    files = '[[boot.slot_files]]\npackage = "raspi-firmware"\nmember = "a"\npath = "a"\n'
    machine.write_text(f"{machine.read_text()}{files}")
    write_lock(project, LOCKED)
    again = ProjectFiles.read(project.folder)
    with pytest.raises(NotLocked, match=r"the packages of boot\.firmware_files"):
        again.host_lock(again.host("gw"))
    locked = replace(LOCKED, loader=(PACKAGE, replace(PACKAGE, name="raspi-firmware")))
    write_lock(project, locked)
    assert again.host_lock(again.host("gw")) == locked
