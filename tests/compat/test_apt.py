"""Against the real apt: on a small signed archive that is made here, and on Debian's own."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from tests.debian_archives import Site, debian_site, sign

from reconix.base import progress
from reconix.base.process import run
from reconix.base.progress import Silent
from reconix.build.archive import resolve
from reconix.build.archive.addresses import NoArchive
from reconix.build.archive.apt import Unsolvable
from reconix.build.archive.fetch import Locations, fetch
from reconix.build.archive.refusals import ArchiveUnreachable, BadSignature
from reconix.build.archive.resolve import PackageNotFound
from reconix.config import load
from reconix.config.lock.document import parse_lock, print_lock
from reconix.config.lock.hosts import Lock

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway"


@pytest.fixture
def site(tmp_path: Path, need: Callable[..., None]) -> Iterator[Site]:
    need("apt-get", "dpkg-deb", "gpg")
    with debian_site(tmp_path) as site:
        yield site


def names(lock: Lock) -> list[str]:
    return [f"{p.name} {p.version}" for p in lock.hosts["device"].systems["default"].packages]


def test_a_system_is_locked_with_what_it_depends_on_and_the_essential_packages(site: Site) -> None:
    site.write('packages = ["webber"]')
    lock = site.lock()
    assert names(lock) == ["base-files 1", "init 3", "libweb 2:1.0+b1~x", "webber 1:1.0+sec1"]
    host = lock.hosts["device"]
    assert [p.name for p in host.systems["default"].kernel] == ["linux-image-6.1-cloud-amd64"]
    assert [p.name for p in (*host.loader, *host.initrd)] == ["systemd-boot-efi", "busybox-static"]


CONTAINER = """
[containers.web]
packages = ["webber"]
command = ["webber"]
"""


def test_a_container_of_packages_has_its_own_and_the_essential_ones(site: Site) -> None:
    site.write(f"packages = []{CONTAINER}")
    lock = site.lock()
    assert names(lock) == ["base-files 1", "crun 1", "iproute2 1", "nftables 1"]
    web = lock.hosts["device"].systems["default"].containers["web"]
    assert web.asked_packages == ("webber",)
    assert [package.name for package in web.packages] == ["base-files", "init", "libweb", "webber"]
    assert set(web.packages) < set(lock.packages())
    again = parse_lock(print_lock(lock), source="test")
    assert site.lock(again) == site.lock(again, keep=True) == lock


def test_packages_that_would_not_get_on_with_the_system_may_be_in_a_container(site: Site) -> None:
    site.write(f'packages = ["quarrel"]{CONTAINER}')
    lock = site.lock()
    assert "quarrel 1" in names(lock)
    assert lock.hosts["device"].systems["default"].containers["web"].packages


def test_an_unknown_package_of_a_container_is_told_with_its_name(site: Site) -> None:
    site.write(CONTAINER.replace('["webber"]\n', '["weber"]\n', 1))
    with pytest.raises(PackageNotFound, match="weber for device:default, container web"):
        site.lock()


def test_how_far_apt_is_with_the_lists_is_told(site: Site) -> None:
    class Doing(Silent):
        said: ClassVar[list[str]] = []

        def doing(self, what: str) -> None:
            self.said.append(what)

    progress.listen(Doing())
    site.write('packages = ["webber"]')
    site.lock()
    assert any(re.fullmatch(r"\d+ %, Retrieving file \d+ of \d+", each) for each in Doing.said)


def test_what_is_locked_can_be_fetched_and_is_dated_by_its_index(
    site: Site, tmp_path: Path
) -> None:
    site.write('packages = ["webber"]')
    packages = {package.name: package for package in site.lock().packages()}
    where = {"debian": f"{site.address}/debian", "debian-security": f"{site.address}/security"}
    paths = fetch(packages.values(), lambda: Locations(where), cache=tmp_path / "cache")
    assert len(paths) == len(packages) == 7
    assert (packages["webber"].archive, packages["webber"].date) == (
        "debian-security",
        "20200202T000000Z",
    )
    assert packages["libweb"].date == "20200201T100000Z"


def test_locking_again_writes_the_same_bytes_even_when_the_index_is_newer(site: Site) -> None:
    site.write('packages = ["webber"]')
    first = print_lock(site.lock())
    assert print_lock(site.lock(parse_lock(first, source="test"))) == first
    release = site.folder / "debian/dists/trixie/Release"
    release.write_text(release.read_text().replace("01 Feb", "03 Feb"))
    sign(site.folder)
    os.utime(release.with_name("InRelease"), (2e9, 2e9))  # HTTP tells times apart by the second
    assert print_lock(site.lock(parse_lock(first, source="test"))) == first
    assert b"20200203T100000Z" in print_lock(site.lock())


def test_another_architecture_is_solved_as_well(site: Site) -> None:
    machine = site.project / "hosts/device/machine.toml"
    machine.write_text(f'architecture = "arm64"\n{machine.read_text()}')
    site.write('packages = ["webber"]')
    lock = site.lock()
    assert lock.hosts["device"].architecture == "arm64"
    assert "webber 1:1.0+sec1" in names(lock)


def test_all_unknown_packages_are_named_with_their_system_and_what_was_meant(site: Site) -> None:
    site.write('packages = ["weber", "init", "web-server"]')
    with pytest.raises(PackageNotFound) as failure:
        site.lock()
    assert [str(unknown) for unknown in failure.value.unknown] == [
        "weber for device:default (did you mean webber?)",
        "web-server for device:default (did you mean virtual-giver?)",
    ]


def test_what_cannot_be_installed_is_told_in_the_words_of_apt(site: Site) -> None:
    site.write('packages = ["webber", "quarrel"]')
    with pytest.raises(Unsolvable, match=r"device:default: .*webber : Depends: libweb"):
        site.lock()


def test_a_wrong_signature_is_refused(site: Site) -> None:
    site.write("")
    sign(site.folder, key="other")
    with pytest.raises(BadSignature, match=r"keyring\.gpg"):
        site.lock()


def test_an_altered_index_is_refused(site: Site) -> None:
    site.write("")
    index = site.folder / "debian/dists/trixie/main/binary-amd64/Packages"
    index.write_bytes(index.read_bytes().replace(b"webber", b"rebbew"))
    with pytest.raises(ArchiveUnreachable):
        site.lock()


def test_an_index_that_has_expired_is_refused(site: Site) -> None:
    site.write("")
    release = site.folder / "debian/dists/trixie/Release"
    release.write_text(f"Valid-Until: Sat, 08 Feb 2020 10:00:00 UTC\n{release.read_text()}")
    sign(site.folder)
    with pytest.raises(ArchiveUnreachable, match="expired or not yet valid") as failure:
        site.lock()
    assert "clock" in failure.value.hint


def test_a_suite_that_is_not_there_is_told(site: Site) -> None:
    site.write("", archive='suites = ["trixie", "forky"]')
    with pytest.raises(ArchiveUnreachable, match="forky") as failure:
        site.lock()
    assert "archive.suites" in failure.value.hint


def test_a_dead_address_is_told(site: Site) -> None:
    site.write("")
    file = site.project / "reconix.toml"
    file.write_text(file.read_text().replace(site.address, "http://127.0.0.1:1"))
    with pytest.raises(ArchiveUnreachable, match=r"127\.0\.0\.1:1") as failure:
        site.lock()
    assert "network" in failure.value.hint


def test_a_missing_keyring_is_told(site: Site) -> None:
    site.write("")
    (site.folder / "keyring.gpg").unlink()
    with pytest.raises(NoArchive, match=r"keyring\.gpg"):
        site.lock()


def test_a_package_without_a_kernel_is_no_kernel(site: Site) -> None:
    site.write('kernel.package = { force = "webber" }')
    with pytest.raises(resolve.NoKernel, match="webber"):
        site.lock()


@pytest.mark.archive
def test_the_example_can_be_locked_today_and_again(
    tmp_path: Path, need: Callable[..., None]
) -> None:
    need("apt-get", "cp")
    project = tmp_path / "gateway"
    run("cp", "-r", EXAMPLE, project)
    (project / "keys/operator.pub").write_text("ssh-ed25519 AAAA test\n")
    configuration = load.load(project)
    first = resolve.resolve(configuration, work=tmp_path / "work")
    again = resolve.resolve(configuration, work=tmp_path / "work", previous=first)
    assert print_lock(again) == print_lock(first)
    assert set(first.hosts["gateway"].systems) == {"default", "mqtt", "web"}
