import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconix.base.digests import Digest
from reconix.base.documents import BadDocument
from reconix.config.lock.document import digest, parse_lock, print_lock
from reconix.config.lock.hosts import (
    ArchiveLock,
    HostLock,
    Lock,
    NixLock,
    SystemLock,
    keep_dates,
    keep_numbers,
)
from reconix.config.lock.packages import PROJECT, BadLock, LockedPackage, SourcePackage
from reconix.store.paths import StorePath

BEFORE = Path(__file__).parents[3] / "data" / "reconix-1.lock"
GOLDEN = Path(__file__).parents[3] / "data" / "reconix.lock"


def package(name: str = "nginx", **other: str) -> LockedPackage:
    fields = {
        "version": "1:1.26.3-3+deb13u1~rc",
        "architecture": "amd64",
        "archive": "debian",
        "path": f"pool/main/n/{name}/{name}_1.26.3.deb",
        "date": "20260912T075541Z",
    } | other
    source = SourcePackage(f"{name}-src", "1.26.3-3")
    return LockedPackage(
        name=name, size_bytes=5, sha256=Digest.of(name.encode()), source=source, **fields
    )


def lock(*packages: LockedPackage, kernel: LockedPackage | None = None) -> Lock:
    system = SystemLock(
        asked=("nginx", "curl"),
        packages=tuple(sorted(packages)),
        asked_kernel="linux-image-amd64",
        kernel=(kernel or package("linux-image-6.12"),),
    )
    return Lock(
        {
            "gateway": HostLock(
                architecture="amd64",
                suites=("trixie", "trixie-security"),
                components=("main",),
                loader=(package("systemd-boot-efi"),),
                initrd=(package("busybox-static"),),
                systems={"default": replace(system, asked=("curl", "nginx")), "web": system},
            )
        }
    )


def test_the_format_is_the_one_that_is_specified() -> None:
    printed = print_lock(lock(package(), package("libc6")))
    if os.environ.get("ACCEPT"):
        GOLDEN.write_bytes(printed)
    assert printed == GOLDEN.read_bytes()


def test_a_lock_of_version_1_is_still_read() -> None:
    """What it says stays the same when it is written again: only the sources are not known."""
    content = BEFORE.read_bytes()
    old = parse_lock(content, source="test")
    assert {found.source for found in old.packages()} == {None}
    assert print_lock(old) == content.replace(b'"version": 1\n', b'"version": 2\n')


def test_an_archive_beside_debians_need_not_say_when() -> None:
    vendors = lock(package("vendor-app", archive="vendor", date=""))
    assert parse_lock(print_lock(vendors), source="test").packages() == vendors.packages()


def test_a_file_of_the_project_has_no_date_and_what_an_archive_has_one() -> None:
    own = package("own", archive=PROJECT, path="dist/own_1.deb", date="")
    printed = print_lock(lock(own))
    assert own in parse_lock(printed, source="test").packages()
    for other in ({"archive": PROJECT}, {"date": ""}, {"archive": PROJECT, "path": "/x.deb"}):
        with pytest.raises(BadLock):
            package("own", **other)


def test_other_archives_are_pinned_by_what_was_asked_of_them() -> None:
    plain = lock(package())
    vendor = ArchiveLock(("stable",), ("main",), ("vendor-*",))
    asked = Lock({"gateway": replace(plain.hosts["gateway"], archives={"vendor": vendor})})
    read = parse_lock(print_lock(asked), source="test")
    assert read.hosts["gateway"].archives == {"vendor": vendor}
    assert digest(asked) != digest(plain)


names = st.from_regex(r"[a-z0-9][a-z0-9.+-]{1,8}", fullmatch=True)


def test_systems_that_nix_built_are_pinned_by_their_closure() -> None:
    plain = lock(package())
    path = StorePath("7a3xvq1k0hzmcr3frnk0s5cbzgwd8h2d", "nixos-system-gateway")
    pinned = NixLock("nixos#toplevel", path, Digest.of(b"closure"))
    with_nix = Lock({"gateway": replace(plain.hosts["gateway"], nix={"appliance": pinned})})
    printed = print_lock(with_nix)
    assert parse_lock(printed, source="test").hosts["gateway"].nix == {"appliance": pinned}
    assert digest(with_nix) != digest(plain)
    assert keep_dates(plain, with_nix) == with_nix
    with pytest.raises(BadLock, match="edited by hand"):
        parse_lock(printed.replace(b"nixos#toplevel", b"other#toplevel"), source="test")


@given(st.sets(names, max_size=5))
def test_parse_and_print_are_inverse(packages: set[str]) -> None:
    original = lock(*(package(name) for name in packages))
    printed = print_lock(original)
    assert print_lock(parse_lock(printed, source="test")) == printed
    assert parse_lock(printed, source="test").packages() == original.packages()


def test_a_lock_that_was_changed_by_hand_is_refused() -> None:
    printed = print_lock(lock(package()))
    with pytest.raises(BadLock, match="edited by hand"):
        parse_lock(printed.replace(b'"size_bytes": 5', b'"size_bytes": 6', 1), source="test")


def test_a_lock_of_another_version_is_refused() -> None:
    printed = print_lock(lock(package())).replace(b'"version": 2\n', b'"version": 3\n')
    with pytest.raises(BadLock, match="version 3"):
        parse_lock(printed, source="test")


def test_a_package_that_is_not_listed_is_refused() -> None:
    printed = print_lock(lock(package()))
    with pytest.raises(BadLock, match="not listed"):
        parse_lock(printed.replace(b'"nginx_1:1.26', b'"other_1:1.26', 1), source="test")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version": "1"}', b"\xff"])
def test_what_is_no_lock_is_refused(content: bytes) -> None:
    with pytest.raises(BadDocument):
        parse_lock(content, source="test")


@pytest.mark.parametrize(
    "field",
    [
        {"path": "pool/../../etc/passwd.deb"},
        {"path": "/pool/x.deb"},
        {"path": "pool/x.deb?query"},
        {"version": "1 2"},
        {"archive": "../x"},
        {"date": "yesterday"},
        {"date": "20260230T000000Z"},
        {"date": "20260101T256161Z"},
        {"date": "99991231T235959Z"},
        {"date": "00000101T000000Z"},
        {"date": "２０２６0101T000000Z"},  # noqa: RUF001 - digits, but not ours
        {"architecture": "amd64;"},
    ],
)
def test_a_package_is_valid_by_construction(field: dict[str, str]) -> None:
    with pytest.raises(BadLock):
        package(**field)


def test_the_file_of_a_package_is_called_as_apt_calls_it() -> None:
    assert package().file_name == "nginx_1%3a1.26.3-3+deb13u1~rc_amd64.deb"


def test_two_files_for_one_package_are_refused() -> None:
    other = replace(package(), sha256=Digest.of(b"other"))
    with pytest.raises(BadLock, match="refers to two files"):
        lock(package(), other)


def test_a_package_keeps_the_date_of_its_first_sight() -> None:
    old = lock(package(), package("libc6"))
    later = {"date": "20270101T000000Z"}
    new = lock(package(**later), package("libc6", version="2", **later))
    kept = {p.name: p.date for p in keep_dates(old, new).packages()}
    assert kept["nginx"] == "20260912T075541Z"
    assert kept["libc6"] == "20270101T000000Z"


def test_the_digest_is_that_of_the_packages_not_of_their_dates() -> None:
    one, other = lock(package()), lock(package(date="20270101T000000Z"))
    assert digest(one) == digest(other)
    assert digest(one) != digest(lock(package("curl")))


def with_ids(numbers: dict[str, int]) -> Lock:
    gateway = replace(lock(package()).hosts["gateway"], numbers=numbers)
    return Lock({"gateway": gateway})


def test_numbers_of_users_are_remembered_and_survive_a_new_lock() -> None:
    known = with_ids({"operator": 1000, "Debian-exim": 312})
    printed = print_lock(known)
    found = parse_lock(printed, source="test").hosts["gateway"]
    assert found.numbers == known.hosts["gateway"].numbers
    anew = keep_numbers(known, lock(package(version="2"), package("libc6")))
    assert anew.hosts["gateway"].numbers == known.hosts["gateway"].numbers
    with pytest.raises(BadLock, match="edited by hand"):
        parse_lock(printed.replace(b": 1000", b": 1001"), source="test")


@pytest.mark.parametrize(
    "numbers", [{"a": 500, "b": 500}, {"root": 0}, {"nobody": 65534}, {"a b": 500}, {"a:": 500}]
)
def test_numbers_that_cannot_be_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(BadLock):
        with_ids(numbers)
