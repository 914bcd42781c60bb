"""Archives beside Debian's, against the real apt: on archives made by ``apt-ftparchive`` here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.debian_archives import Site, Vendor, debian_site, make_archive, sign
from tests.heard import Heard

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.progress import listen
from reconix.build.archive.apt import AptFailed, Unsolvable
from reconix.build.archive.fetch import WrongContent
from reconix.build.archive.offers import TwoContents
from reconix.build.archive.others import IndexWentBack
from reconix.build.archive.refusals import ArchiveUnreachable, BadSignature
from reconix.build.archive.resolve import PackageNotFound
from reconix.build.archive.retry import DownloadFailed
from reconix.config.lock.hosts import ArchiveLock, Lock
from reconix.config.lock.packages import LockedPackage

ARCHIVE = """\
[archives.vendor]
url = "{url}"
suites = ["stable"]
keyring = "keys of us/vendor.asc"
packages = ["vendor-*"]
"""


@pytest.fixture
def site(tmp_path: Path, need: Callable[..., None]) -> Iterator[Site]:
    need("apt-get", "dpkg-deb", "gpg", "apt-ftparchive")
    with debian_site(tmp_path) as site:
        yield site


@pytest.fixture
def vendor(site: Site) -> Vendor:
    """Offers what was asked for, and what nobody wants from it."""
    vendor = Vendor(site.folder / "vendor")
    vendor.add("vendor-app 1.0", "Depends: vendor-lib, libweb (>= 2:1.0)")
    vendor.add("vendor-lib 1:2.0+b1")
    vendor.add("vendor-spy 1", "Essential: yes")
    for name in ("libweb 2:9", "base-files 9", "init 9", "bash 9"):
        vendor.add(name, "Essential: yes")
    return vendor


def publish(site: Site, vendor: Vendor, suite: str = "stable", *, key: str = "vendor") -> None:
    """Write the index with the given system, and sign it."""
    vendor.index(suite)
    sign(site.folder, key=key, only="vendor")


def configure(site: Site, *, archives: str = ARCHIVE, system: str = "", debian: str = "") -> None:
    site.write(system or 'packages = ["vendor-app"]', archive=debian)
    keys = site.project / "keys of us"
    keys.mkdir(exist_ok=True)
    for key in ("vendor", "keyring"):
        for end in ("asc", "gpg"):
            file = site.folder / f"{key}.{end}"
            if file.exists():
                (keys / file.name).write_bytes(file.read_bytes())
    text = archives.format(url=f"{site.address}/vendor")
    file = site.project / "reconix.toml"
    file.write_text(f"{file.read_text()}{text}")


def locked(lock: Lock) -> dict[str, LockedPackage]:
    return {package.name: package for package in lock.hosts["device"].systems["default"].packages}


def told(lock: Lock) -> dict[str, str]:
    """Where each package of the system comes from, Debian's left out."""
    found = locked(lock).values()
    return {f"{p.name} {p.version}": p.archive for p in found if p.archive != "debian"}


def test_what_is_named_comes_from_there_and_the_lock_says_so(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site)
    lock = site.lock()
    assert told(lock) == {"vendor-app 1.0": "vendor", "vendor-lib 1:2.0+b1": "vendor"}
    app = locked(lock)["vendor-app"]
    assert (app.path, app.date) == ("pool/vendor-app_1.0_all.deb", "20200301T000000Z")
    assert lock.hosts["device"].archives == {"vendor": ArchiveLock(("stable",), (), ("vendor-*",))}
    files = site.fetch(lock)
    assert Digest.of_file(files[app]) == app.sha256 == Digest.of_file(vendor.folder / app.path)


def test_nothing_else_does_although_it_is_newer_and_says_that_it_is_debian(
    site: Site, vendor: Vendor
) -> None:
    publish(site, vendor)
    configure(site, system='packages = ["vendor-app", "webber", "libweb"]')
    found = {f"{p.name} {p.version}" for p in site.lock().packages()}
    assert {"libweb 2:1.0+b1~x", "base-files 1", "init 3", "webber 1:1.0+sec1"} <= found
    assert not [name for name in found if name.startswith(("bash", "vendor-spy"))]


def test_nothing_else_does_even_if_something_depends_on_it(site: Site, vendor: Vendor) -> None:
    vendor.add("vendor-new 1", "Depends: libweb (>= 2:9)")
    publish(site, vendor)
    configure(site, system='packages = ["vendor-new"]')
    with pytest.raises(Unsolvable, match="vendor-new : Depends: libweb") as failure:
        site.lock()
    assert failure.value.hint == (
        "archive vendor has libweb: add what is missing to archives.vendor.packages"
    )


def test_a_package_that_may_not_come_is_told_with_its_archive(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, system='packages = ["bash"]')
    with pytest.raises(PackageNotFound, match=r"trixie, trixie-security, vendor have no") as error:
        site.lock()
    assert "archive vendor has it; add it to archives.vendor.packages" in str(error.value)


@pytest.mark.parametrize(
    ("patterns", "version"), [('"webber"', "0.9"), ('"vendor-*"', "1:1.0+sec1")]
)
def test_the_archive_that_names_a_package_has_it_whatever_debian_has(
    site: Site, vendor: Vendor, patterns: str, version: str
) -> None:
    vendor.add("webber 0.9")
    publish(site, vendor)
    configure(
        site,
        archives=ARCHIVE.replace('"vendor-*"', patterns),
        system='packages = ["webber"]',
    )
    heard = Heard()
    listen(heard)
    assert locked(site.lock())["webber"].version == version
    told = "webber 0.9 comes from archive vendor; Debian's 1:1.0+sec1 is newer"
    assert (told in heard.notes) == (version == "0.9")


def test_a_pattern_that_nothing_fits_and_an_index_of_another_suite_are_told(
    site: Site, vendor: Vendor
) -> None:
    vendor.index(more="Suite: testing\nCodename: next\n")
    sign(site.folder, key="vendor", only="vendor")
    configure(site, archives=ARCHIVE.replace('"vendor-*"', '"vendor-*", "vendro-*"'))
    heard = Heard()
    listen(heard)
    assert told(site.lock())
    assert "archive vendor has no package that is called vendro-*" in heard.notes
    assert "archive vendor: the index of stable is one of next, testing" in heard.notes


@pytest.mark.parametrize("key", ["asc", "gpg"])
@pytest.mark.parametrize("suite", ["./", "apt/"])
def test_an_archive_without_suites_works_as_well(
    site: Site, vendor: Vendor, suite: str, key: str
) -> None:
    publish(site, vendor, suite)
    sign(site.folder, key="vendor", only="vendor/*" if suite != "./" else "vendor")
    archives = ARCHIVE.replace('"stable"', f'"{suite}"').replace(".asc", f".{key}")
    configure(site, archives=archives)
    lock = site.lock()
    assert told(lock) == {"vendor-app 1.0": "vendor", "vendor-lib 1:2.0+b1": "vendor"}
    assert site.fetch(lock)


@pytest.mark.parametrize("has_release", [True, False])
def test_a_folder_can_be_believed_without_a_signature(
    site: Site, vendor: Vendor, *, has_release: bool
) -> None:
    vendor.index("./")
    if not has_release:
        (vendor.folder / "Release").unlink()
    configure(
        site,
        archives='[archives.vendor]\nurl = "file:../vendor"\nsuites = ["./"]\ntrusted = true\n'
        'packages = ["vendor-*"]\n',
    )
    lock = site.lock()
    assert told(lock) == {"vendor-app 1.0": "vendor", "vendor-lib 1:2.0+b1": "vendor"}
    assert locked(lock)["vendor-app"].date == ("20200301T000000Z" if has_release else "")
    assert site.fetch(lock)


def test_a_folder_of_ones_own_build_may_go_back(site: Site, vendor: Vendor) -> None:
    believed = '[archives.vendor]\nurl = "file:../vendor"\nsuites = ["./"]\ntrusted = true\n'
    configure(site, archives=f'{believed}packages = ["vendor-*"]\n')
    vendor.index("./", day=9)
    before = site.lock()
    vendor.index("./", day=2)
    assert site.lock(before) == before


def test_a_signed_folder_is_checked(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, archives=ARCHIVE.replace("{url}", "file:../vendor"))
    assert told(site.lock())
    sign(site.folder, key="other", only="vendor")
    with pytest.raises(BadSignature, match="archive vendor: "):
        site.lock()


def test_a_folder_that_is_not_there_is_told(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, archives=ARCHIVE.replace("{url}", "file:../gone"))
    with pytest.raises(ArchiveUnreachable, match=r"archive vendor: there is no folder .*/gone"):
        site.lock()


def test_each_archive_is_signed_by_its_own_key_only(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site)
    assert told(site.lock())
    sign(site.folder, only="vendor")  # with the key of Debian's archives
    with pytest.raises(BadSignature, match=r"archive vendor: .*vendor\.asc") as failure:
        site.lock()
    assert "archives.vendor.keyring" in failure.value.hint


def test_who_logs_in_is_read_from_the_machine(
    site: Site, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(site, vendor)
    configure(site, archives=ARCHIVE.replace("{url}", f"{site.address}/locked/vendor"))
    (site.folder / "locked").mkdir()
    vendor.folder.rename(site.folder / "locked/vendor")
    with pytest.raises(ArchiveUnreachable, match=r"archive vendor: .*401"):
        site.lock()
    login = tmp_path / "auth.conf"
    login.write_text(f"machine {site.address}/locked login me password se:cret\n")
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::netrc "{login}";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    lock = site.lock()
    assert told(lock) == {"vendor-app 1.0": "vendor", "vendor-lib 1:2.0+b1": "vendor"}
    assert site.fetch(lock)
    login.write_text("")
    for file in (site.folder / "cache").rglob("[0-9a-f]" * 64):
        file.unlink()
    with pytest.raises(DownloadFailed, match=r"answered 401; who logs in is read from apt's"):
        site.fetch(lock)


def test_a_key_that_is_not_trusted_any_more_signs_nothing(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site)
    assert told(site.lock())
    configure(site, archives=ARCHIVE.replace("vendor.asc", "keyring.asc"))
    with pytest.raises(BadSignature, match=r"archive vendor: .*keyring\.asc"):
        site.lock()


@pytest.mark.parametrize("was_signed", [True, False])
def test_an_archive_without_a_signature_is_refused(
    site: Site, vendor: Vendor, *, was_signed: bool
) -> None:
    publish(site, vendor)
    configure(site)
    if was_signed:
        site.lock()
    (vendor.folder / "dists/stable/InRelease").unlink()
    with pytest.raises(BadSignature, match="archive vendor: "):
        site.lock()


def test_an_archive_that_has_expired_is_refused(site: Site, vendor: Vendor) -> None:
    vendor.index(more="Valid-Until: Mon, 09 Mar 2020 00:00:00 UTC\n")
    sign(site.folder, key="vendor", only="vendor")
    configure(site)
    with pytest.raises(ArchiveUnreachable, match=r"archive vendor: .*expired"):
        site.lock()


@pytest.mark.parametrize("hashes", ["MD5", "SHA1"])
def test_an_archive_with_weak_hashes_is_refused(site: Site, vendor: Vendor, hashes: str) -> None:
    vendor.index(hashes=hashes)
    sign(site.folder, key="vendor", only="vendor")
    configure(site)
    with pytest.raises(BadSignature, match=r"archive vendor: .*no hashes that can be relied on"):
        site.lock()


def test_an_index_that_was_altered_is_refused(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site)
    index = vendor.folder / "dists/stable/main/binary-amd64/Packages"
    index.write_bytes(index.read_bytes().replace(b"vendor-spy", b"vendor-sly"))
    with pytest.raises(ArchiveUnreachable, match=r"archive vendor: .*not the one that was signed"):
        site.lock()


def test_a_suite_that_an_archive_lacks_is_told(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, archives=ARCHIVE.replace('"stable"', '"unstable"'))
    with pytest.raises(ArchiveUnreachable, match=r"archive vendor: .*unstable") as failure:
        site.lock()
    assert "archives.vendor.suites" in failure.value.hint


def test_an_index_older_than_the_locked_one_is_refused_unless_it_is_accepted(
    site: Site, vendor: Vendor
) -> None:
    vendor.index(day=9)
    sign(site.folder, key="vendor", only="vendor")
    configure(site)
    before = site.lock()
    (vendor.folder / "pool/vendor-app_1.0_all.deb").unlink()
    vendor.add("vendor-app 0.9", "Depends: vendor-lib")
    vendor.index(day=2)
    sign(site.folder, key="vendor", only="vendor")
    for folder in (site.project / "work").iterdir():
        folder.rename(folder.with_name(f"old-{folder.name}"))  # what apt itself remembers
    with pytest.raises(IndexWentBack, match=r"archive vendor: .* 20200302T000000Z") as failure:
        site.lock(before)
    assert "vendor-app 1.0 was locked from one of 20200309T000000Z" in str(failure.value)
    assert "--accept-older vendor" in failure.value.hint
    assert locked(site.lock(before, accepted="vendor"))["vendor-app"].version == "0.9"


def test_a_package_that_was_swapped_is_refused(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site)
    lock = site.lock()
    file = vendor.folder / locked(lock)["vendor-app"].path
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WrongContent, match=r"vendor-app_1.0_all"):
        site.fetch(lock)


def test_one_version_with_two_contents_is_an_error_with_both_hashes(
    site: Site, vendor: Vendor
) -> None:
    ours = vendor.add("webber 1:1.0+sec1")
    publish(site, vendor)
    configure(
        site,
        archives=ARCHIVE.replace('"vendor-*"', '"webber"'),
        system='packages = ["webber"]',
    )
    with pytest.raises(TwoContents, match=r"webber 1:1.0\+sec1 is not one file") as failure:
        site.lock()
    theirs = site.folder / "security/pool/main/webber_1.0+sec1_all.deb"
    for file in (ours, theirs):
        assert Digest.of_file(file).hex() in str(failure.value)
    assert "in archive vendor it is" in str(failure.value)


def test_two_vendors_with_one_version_and_two_contents_are_an_error(
    site: Site, vendor: Vendor
) -> None:
    publish(site, vendor)
    other = Vendor(site.folder / "other")
    other.add("vendor-app 1.0")
    other.index()
    sign(site.folder, key="vendor", only="other")
    second = ARCHIVE.replace("vendor]", "other]").replace("{url}", f"{site.address}/other")
    configure(site, archives=ARCHIVE + second)
    with pytest.raises(TwoContents, match=r"in archive other it is .*, in archive vendor it is"):
        site.lock()


def test_backports_are_more_of_debians_archive(site: Site, vendor: Vendor) -> None:
    backports = {"webber 1:2.0~bpo13+1": "Depends: libweb", "init 4~bpo13+1": "", "libweb 3:1": ""}
    make_archive(
        site.folder / "more", "trixie-backports", backports, "Sat, 01 Feb 2020 10:00:00 UTC"
    )
    (site.folder / "more/dists/trixie-backports").rename(
        site.folder / "debian/dists/trixie-backports"
    )
    for file in (site.folder / "more/pool/main").iterdir():
        file.rename(site.folder / "debian/pool/main" / file.name)
    sign(site.folder)
    configure(
        site,
        archives='[archives.backports]\nsuites = ["trixie-backports"]\npackages = ["webber"]\n',
        system='packages = ["webber", "init"]',
    )
    lock = site.lock()
    assert told(lock) == {"webber 1:2.0~bpo13+1": "backports"}
    assert {p.name: p.version for p in lock.packages()}["libweb"] == "2:1.0+b1~x"
    assert site.fetch(lock)


SHA256 = (b"SHA256: ", b"Sha-256: ")
PATH = (b"Filename: pool/", b"Filename: ../pool/")
TWO_NAMES = (b"Package: vendor-app\n", b"Package: vendor-app\nPackage: bash\n")
DEPENDS = (b"Depends: vendor-lib", b"Depends: vendor lib")


@pytest.mark.parametrize(
    ("change", "kind", "what"),
    [
        (SHA256, AptFailed, "vendor-app' is malformed: .*lacks SHA256"),
        (PATH, AptFailed, "'vendor-app' is malformed: .*path"),
        (TWO_NAMES, AptFailed, "are one entry"),
        (DEPENDS, ArchiveUnreachable, "is malformed: .*vendor-app"),
    ],
)
def test_a_signed_index_need_not_be_sound(
    site: Site, vendor: Vendor, change: tuple[bytes, bytes], kind: type[ReconixError], what: str
) -> None:
    publish(site, vendor)
    index = vendor.folder / "dists/stable/main/binary-amd64/Packages"
    old = index.read_bytes()
    new = old.replace(*change)
    index.write_bytes(new)
    release = index.parents[2] / "Release"
    was, now = (f"{Digest.of(each).hex()} {len(each):>16}" for each in (old, new))
    release.write_text(release.read_text().replace(was, now))
    sign(site.folder, key="vendor", only="vendor")
    configure(site)
    with pytest.raises(kind, match=f"(?s)archive vendor: .*{what}"):
        site.lock()


def test_what_is_locked_can_be_kept_while_debian_moves(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, system='packages = ["vendor-app", "webber"]')
    before = site.lock()
    debian_moves(site)
    assert locked(site.lock(before))["webber"].version == "1:1.1"
    kept = site.lock(before, keep=True)
    assert kept == before
    site.write('packages = ["vendor-app", "webber", "fresh"]')
    configure(site, system='packages = ["vendor-app", "webber", "fresh"]')
    added = site.lock(before, keep=True)
    assert {p.id for p in added.packages()} - {p.id for p in before.packages()} == {"fresh_1_all"}


def test_what_is_kept_still_comes_from_the_archive_that_names_it(
    site: Site, vendor: Vendor
) -> None:
    publish(site, vendor)
    image = 'kernel.package = { force = "linux-image-6.1-cloud-amd64" }\npackages = ["webber"]'
    configure(site, system=image)
    before = site.lock()
    vendor.add("webber 0.9")
    vendor.add("linux-image-6.1-cloud-amd64 6.1+ours")
    publish(site, vendor)
    named = '"webber", "linux-image-*"'
    configure(site, archives=ARCHIVE.replace('"vendor-*"', named), system=image)
    after = site.lock(before, keep=True)
    assert locked(after)["webber"].archive == "vendor"
    (kernel,) = after.hosts["device"].systems["default"].kernel
    assert (kernel.archive, kernel.version) == ("vendor", "6.1+ours")
    assert site.lock(after, keep=True) == after


def debian_moves(site: Site) -> None:
    """A newer suite beside the others has newer versions; the old ones stay."""
    news = {"webber 1:1.1": "Depends: libweb", "libweb 3:1": "", "fresh 1": "", "init 4": ""}
    news |= {"linux-image-cloud-amd64 6.2": "Depends: linux-image-6.2-cloud-amd64"}
    news |= {"linux-image-6.2-cloud-amd64 6.2": ""}
    make_archive(site.folder / "news", "trixie", news, "Sat, 08 Feb 2020 10:00:00 UTC")
    for file in (site.folder / "news/pool/main").iterdir():
        file.rename(site.folder / "debian/pool/main" / file.name)
    lists = "dists/trixie/main/binary-amd64/Packages"
    both = b"\n".join((site.folder / each / lists).read_bytes() for each in ("debian", "news"))
    (site.folder / "debian" / lists).write_bytes(both)
    release = site.folder / "news/dists/trixie/Release"
    lines = release.read_text().partition("SHA256:\n")[0]
    (site.folder / "debian/dists/trixie/Release").write_text(
        f"{lines}SHA256:\n {Digest.of(both).hex()} {len(both)} main/binary-amd64/Packages\n"
    )
    sign(site.folder, only="debian")


def test_what_cannot_be_kept_is_told_and_moves(site: Site, vendor: Vendor) -> None:
    publish(site, vendor)
    configure(site, system='packages = ["webber"]')
    before = site.lock()
    vendor.add("vendor-new 1", "Depends: libweb (>= 3:1)")
    publish(site, vendor)
    debian_moves(site)
    configure(site, system='packages = ["webber", "vendor-new"]')
    heard = Heard()
    listen(heard)
    assert locked(site.lock(before, keep=True))["libweb"].version == "3:1"
    assert "device:default: what is locked cannot all be kept" in heard.notes
