"""Package files of a project, made by ``dpkg-deb``, against the real apt."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.debian_archives import Site, debian_site, make_deb
from tests.heard import Heard

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.progress import listen
from reconix.build.archive.apt import Unsolvable
from reconix.build.archive.control import BadPackage
from reconix.build.archive.offers import TwoContents
from reconix.build.archive.resolve import NoKernel, TwoPlaces
from reconix.config.lock.document import FILE_NAME, print_lock
from reconix.config.lock.hosts import Lock, SystemLock
from reconix.config.lock.packages import LockedPackage, SourcePackage
from reconix.project.files import NotLocked, ProjectFiles

DEBS = 'debs = ["../../../dist/*.deb"]\n'


@pytest.fixture
def site(tmp_path: Path, need: Callable[..., None]) -> Iterator[Site]:
    need("apt-get", "dpkg-deb", "gpg")
    with debian_site(tmp_path) as site:
        site.write(DEBS)
        yield site


@pytest.fixture
def dist(site: Site) -> Path:
    folder = site.project / "dist"
    folder.mkdir()
    return folder


def system(lock: Lock, name: str = "default") -> SystemLock:
    return lock.hosts["device"].systems[name]


def locked(lock: Lock, name: str = "default") -> dict[str, LockedPackage]:
    return {package.name: package for package in system(lock, name).packages}


def keep(site: Site, lock: Lock) -> None:
    (site.project / FILE_NAME).write_bytes(print_lock(lock))


def expect_locked(site: Site) -> None:
    files = ProjectFiles.read(site.project)
    files.host_lock(files.host("device"))


def test_a_deb_is_locked_by_its_content_with_what_it_depends_on(site: Site, dist: Path) -> None:
    file = make_deb(dist, "air 1.4", "Source: clouds (1.3)\nDepends: webber (>= 1:1.0), wind")
    make_deb(dist, "wind 2:0.1+b1", architecture="amd64")
    lock = site.lock()
    assert locked(lock)["air"] == LockedPackage(
        name="air",
        version="1.4",
        architecture="all",
        size_bytes=file.stat().st_size,
        sha256=Digest.of_file(file),
        archive="project",
        path="dist/air_1.4_all.deb",
        date="",
        source=SourcePackage("clouds", "1.3"),
    )
    assert locked(lock)["wind"].path == "dist/wind_0.1+b1_amd64.deb"
    assert locked(lock)["webber"].archive == "debian-security"
    assert system(lock).asked == ()
    assert Digest.of_file(site.fetch(lock)[locked(lock)["air"]]) == Digest.of_file(file)


def test_a_deb_that_is_essential_comes_into_no_other_system(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1.4", "Essential: yes")
    (site.project / "hosts/device/systems/other.toml").write_text('packages = ["webber"]')
    lock = site.lock()
    assert "air" in locked(lock) and "air" not in locked(lock, "other")


def test_systems_can_have_different_versions_of_a_deb(site: Site, dist: Path) -> None:
    for version in ("1", "2"):
        make_deb(dist, f"air {version}")
    site.write('debs = ["../../../dist/air_1_*.deb"]')
    other = site.project / "hosts/device/systems/other.toml"
    other.write_text('debs = ["../../../dist/air_2_*.deb"]')
    lock = site.lock()
    assert (locked(lock)["air"].version, locked(lock, "other")["air"].version) == ("1", "2")


@pytest.mark.parametrize(("version", "which"), [("1:0.9", "newer"), ("3:0.1", "older")])
def test_a_deb_wins_over_debian_and_that_is_told(
    site: Site, dist: Path, version: str, which: str
) -> None:
    file = make_deb(dist, f"libweb {version}")
    site.write(DEBS + 'packages = ["extra", "libweb"]')
    heard = Heard()
    listen(heard)
    assert locked(site.lock())["libweb"].sha256 == Digest.of_file(file)
    debians = "2:1.0+b1~x"
    place = f"dist/{file.name}"
    assert f"libweb {version} comes from {place}; Debian's {debians} is {which}" in heard.notes


def test_a_deb_of_a_version_that_debian_has_too_must_be_the_same_file(
    site: Site, dist: Path
) -> None:
    ours = make_deb(dist, "init 3")
    with pytest.raises(TwoContents, match=r"init 3 is not one file: .*dist/init_3_all\.deb it is"):
        site.lock()
    theirs = site.folder / "debian/pool/main/init_3_all.deb"
    ours.write_bytes(theirs.read_bytes())
    assert locked(site.lock())["init"].path == "dist/init_3_all.deb"


def test_what_one_system_has_from_debian_cannot_be_another_file_elsewhere(
    site: Site, dist: Path
) -> None:
    make_deb(dist, "air 1")
    make_deb(dist / "more", "air 1", "Section: other")
    (dist / "more").rename(site.project / "more.deb")
    other = site.project / "hosts/device/systems/other.toml"
    other.write_text('debs = ["../../../more.deb"]')
    with pytest.raises(TwoContents, match=r"dist/air_1_all\.deb .* more\.deb"):
        site.lock()


def test_one_file_at_two_places_is_told(site: Site, dist: Path) -> None:
    file = make_deb(dist, "air 1")
    (site.project / "same.deb").write_bytes(file.read_bytes())
    other = site.project / "hosts/device/systems/other.toml"
    other.write_text('debs = ["../../../same.deb"]')
    with pytest.raises(TwoPlaces, match=r"air_1_all is dist/air_1_all\.deb in one .* same\.deb"):
        site.lock()


def test_a_dependency_that_nobody_has_is_told(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1", "Depends: earth (>= 2)")
    with pytest.raises(Unsolvable, match=r"device:default: .*air : Depends: earth"):
        site.lock()


def test_two_files_cannot_be_one_package(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1")
    make_deb(dist, "air 2")
    with pytest.raises(BadPackage, match=r"air_2_all.deb and .*air_1_all.deb are both") as failure:
        site.lock()
    assert "narrower" in failure.value.hint


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def text(file: Path) -> None:
    file.write_bytes(b"hello\n")


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "what"), [(cut, "is damaged"), (text, "is no package"), (empty, "is no package")]
)
def test_a_file_that_is_damaged_is_told(
    site: Site, dist: Path, damage: Callable[[Path], None], what: str
) -> None:
    damage(make_deb(dist, "air 1"))
    with pytest.raises(BadPackage, match=rf"dist/air_1_all\.deb {what}"):
        site.lock()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("SHA256: 00", "has a control file with"),
        ("Depends: a b", "has a malformed control file: Depends: 'a b'"),
        ("Multi-Arch: maybe", "has a malformed control file: Multi-Arch"),
        ("Source: ../x", "has a malformed control file: .*source package"),
    ],
)
def test_a_control_file_that_lies_is_told(site: Site, dist: Path, more: str, what: str) -> None:
    make_deb(dist, "air 1", more)
    with pytest.raises(BadPackage, match=rf"dist/air_1_all\.deb {what}"):
        site.lock()


def test_a_deb_for_another_architecture_is_told(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1", architecture="arm64")
    with pytest.raises(BadPackage, match=r"air_1_arm64\.deb is for arm64, .* is amd64") as failure:
        site.lock()
    assert "*_amd64.deb" in failure.value.hint


def test_a_file_whose_name_says_something_else_is_told(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1").rename(dist / "air_2_all.deb")
    heard = Heard()
    listen(heard)
    assert locked(site.lock())["air"].version == "1"
    assert [note for note in heard.notes if "air_2_all.deb says that it is air 1" in note]


def test_a_kernel_of_the_project_is_the_kernel_if_it_is_asked_for(site: Site, dist: Path) -> None:
    file = make_deb(dist, "linux-image-6.9-ours 6.9", architecture="amd64")
    with pytest.raises(NoKernel, match=r"linux-image-6\.9-ours_6\.9_amd64\.deb is a kernel"):
        site.lock()
    site.write(DEBS + 'kernel.package = { force = "linux-image-6.9-ours" }')
    lock = site.lock()
    assert [package.sha256 for package in system(lock).kernel] == [Digest.of_file(file)]
    assert "linux-image-6.9-ours" not in locked(lock)
    keep(site, lock)
    expect_locked(site)


def test_a_kernel_of_the_project_is_kept_only_as_long_as_it_is_the_same(
    site: Site, dist: Path
) -> None:
    site.write(DEBS + 'kernel.package = { force = "linux-image-6.9-ours" }')
    make_deb(dist, "linux-image-6.9-ours 6.9", architecture="amd64")
    first = site.lock()
    assert site.lock(first, keep=True) == first
    file = make_deb(dist, "linux-image-6.9-ours 6.9", "Section: new", architecture="amd64")
    again = site.lock(first, keep=True)
    assert [package.sha256 for package in system(again).kernel] == [Digest.of_file(file)]


def test_a_file_that_changed_came_or_went_since_the_lock_is_told(site: Site, dist: Path) -> None:
    file = make_deb(dist, "air 1")
    lock = site.lock()
    keep(site, lock)
    expect_locked(site)
    make_deb(dist, "air 1", "Section: other")
    with pytest.raises(NotLocked, match=r"dist/air_1_all\.deb of device:default has changed"):
        expect_locked(site)
    make_deb(dist, "wind 1")
    with pytest.raises(NotLocked, match=r"dist/air_1_all\.deb"):
        expect_locked(site)
    make_deb(dist, "air 1")
    with pytest.raises(NotLocked, match=r"dist/wind_1_all\.deb"):
        expect_locked(site)
    file.unlink()
    (dist / "wind_1_all.deb").unlink()
    site.write("")
    with pytest.raises(NotLocked, match=r"dist/air_1_all\.deb"):
        expect_locked(site)


def test_what_is_built_is_what_was_locked_although_the_file_changes_meanwhile(
    site: Site, dist: Path
) -> None:
    make_deb(dist, "air 1")
    lock = site.lock()
    path = site.fetch(lock)[locked(lock)["air"]]
    before = path.read_bytes()
    make_deb(dist, "air 1", "Section: other")
    assert site.fetch(lock)[locked(lock)["air"]].read_bytes() == before


def test_a_file_that_changes_before_it_is_fetched_is_refused(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1")
    lock = site.lock()
    make_deb(dist, "air 1", "Section: other")
    with pytest.raises(ReconixError, match=r"dist/air_1_all.deb is not air_1_all of the lock"):
        site.fetch(lock)


def test_debs_can_change_while_the_rest_is_kept(site: Site, dist: Path) -> None:
    make_deb(dist, "air 1", "Depends: webber")
    first = site.lock()
    file = make_deb(dist, "air 2", "Depends: webber")
    (dist / "air_1_all.deb").unlink()
    again = site.lock(first, keep=True)
    assert locked(again)["air"].sha256 == Digest.of_file(file)
    assert {**locked(again), "air": None} == {**locked(first), "air": None}
