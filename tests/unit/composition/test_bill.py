"""Bills of materials."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.installed_packages import lock_of, locked

from reconix.base.digests import Digest
from reconix.composition.bill import Bill, Component, Kind, make
from reconix.composition.subject import HostSubject
from reconix.config.lock.containers import ContainerLock, LockedBlob, LockedLayer
from reconix.config.lock.hosts import HostLock, NixLock, SystemLock
from reconix.config.lock.packages import LockedPackage, SourcePackage
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

TOOL = "pkg:deb/debian/tool@2-1?arch=amd64&distro=debian-13"


def bill(host: HostSubject, store: ChrootStore, system: str = "") -> Bill:
    names = [system] if system else [*host.host.systems]
    return make(host, host.roots(store, *names), system)


def by_name(found: Bill) -> Mapping[str, Component]:
    return {each.name: each for each in found.components}


def changed(host: HostSubject, **systems: SystemLock) -> HostSubject:
    """The host with other systems in its lock; roots are those of before."""
    return replace(host, lock=replace(host.lock, systems={**host.lock.systems, **systems}))


def test_each_package_has_its_name_hash_and_source(host: HostSubject, built: ChrootStore) -> None:
    found = by_name(bill(host, built))
    tool = found["tool"]
    assert (tool.key, tool.purl, tool.version) == (TOOL, TOOL, "2-1")
    assert tool.sha256 == locked("tool").sha256
    assert (tool.supplier, tool.source) == ("Debian", SourcePackage("tool", "2-1"))
    assert dict(tool.facts)["path"] == "pool/main/tool.deb"
    names = {"base", "library", "shell", "server", "post", "linux-image-6.12-amd64"}
    assert names | {"systemd-boot-efi", "busybox-static", "reconix-device"} <= found.keys()


def test_who_needs_whom_is_followed_from_the_host(host: HostSubject, built: ChrootStore) -> None:
    found = bill(host, built)
    needs = {key: [_short(other) for other in others] for key, others in found.needs.items()}
    assert needs["subject"] == [
        *("operating-system", "busybox-static", "systemd-boot-efi"),
        *("system:default", "system:mail"),
    ]
    assert needs["system:mail"] == [
        *("agent", "folder:/opt/air air", "folder:/usr/local/air air"),
        *("linux-image-6.12-amd64", "server", "shell", "tool"),
    ]
    assert needs[TOOL] == ["base", "library"]
    known = {"subject", *(each.key for each in found.components)}
    assert known >= found.needs.keys() | {key for keys in found.needs.values() for key in keys}


def _short(key: str) -> str:
    return key.removeprefix("pkg:deb/debian/").partition("@")[0]


def test_a_bill_of_a_system_has_what_it_has(host: HostSubject, built: ChrootStore) -> None:
    found = bill(host, built, "default")
    assert found.subject.name == "gw:default"
    assert not {"server", "post"} & by_name(found).keys()
    assert {"tool", "library", "systemd-boot-efi"} <= by_name(found).keys()


@pytest.mark.parametrize(
    ("archive", "purl", "supplier"),
    [
        ("debian-security", "pkg:deb/debian/tool@", "Debian"),
        ("vendor", "pkg:deb/vendor/tool@", "vendor"),
        ("debian-like", "pkg:deb/debian-like/tool@", "debian-like"),
        ("project", "pkg:deb/test/tool@", "test"),
    ],
)
def test_a_package_is_of_its_archive(
    host: HostSubject, built: ChrootStore, archive: str, purl: str, supplier: str
) -> None:
    date = "" if archive == "project" else "20260101T000000Z"
    own = replace(locked("tool"), archive=archive, date=date)
    packages = tuple(own if each.name == "tool" else each for each in _packages(host, "default"))
    other = changed(host, default=replace(host.lock.systems["default"], packages=packages))
    roots = host.roots(built, "default")
    tool = by_name(make(other, roots, "default"))["tool"]
    assert tool.purl.startswith(purl)
    assert tool.supplier == supplier


def _packages(host: HostSubject, system: str) -> tuple[LockedPackage, ...]:
    return host.lock.systems[system].packages


def test_letters_of_versions_are_spelt_as_package_urls_spell_them(
    host: HostSubject, built: ChrootStore
) -> None:
    odd = replace(
        locked("libstdc++6", "1:14.2.0-19+b1~x"), source=SourcePackage("gcc-14", "1:14.2.0-19")
    )
    system = host.lock.systems["default"]
    other = changed(host, default=replace(system, packages=(*system.packages, odd)))
    found = by_name(make(other, host.roots(built, "default"), "default"))
    assert found["libstdc++6"].purl == (
        "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1~x"
        "?arch=amd64&distro=debian-13&upstream=gcc-14%401:14.2.0-19"
    )


def test_a_lock_that_knows_no_sources_leaves_them_to_dpkg(
    host: HostSubject, built: ChrootStore
) -> None:
    system = host.lock.systems["default"]
    without = tuple(replace(each, source=None) for each in system.packages)
    kernel = tuple(replace(each, source=None) for each in system.kernel)
    other = changed(host, default=replace(system, packages=without, kernel=kernel))
    found = by_name(make(other, host.roots(built, "default"), "default"))
    assert found["library"].source == SourcePackage("sources", "1:2-3")
    assert "upstream=sources%401:2-3" in found["library"].purl
    assert found["linux-image-6.12-amd64"].source is None


def with_wheel(host: HostSubject, wheel: LockedWheel) -> HostSubject:
    """The host with a wheel in a Python environment of one system."""
    lock = PythonLock(Digest.of(b""), (wheel,))
    mail = replace(host.host.systems["mail"], python={"air": PythonEnvironment()})
    configured = replace(host.host, systems={**host.host.systems, "mail": mail})
    other = changed(host, mail=replace(host.lock.systems["mail"], python={"air": lock}))
    return replace(other, host=configured)


def test_wheels_are_parts_of_their_system(host: HostSubject, built: ChrootStore) -> None:
    sha256 = Digest.of(b"wheel")
    wheel = LockedWheel(
        "flask-cors", "4.0+local", "Flask_Cors-4.0+local-py3-none-any.whl", 9, sha256, "index"
    )
    found = bill(with_wheel(host, wheel), built)
    part = by_name(found)["flask-cors"]
    assert part.purl == "pkg:pypi/flask-cors@4.0%2Blocal"
    assert part.sha256 == sha256
    assert part.key in found.needs["system:mail"]
    assert part.key not in found.needs["system:default"]


def test_folders_of_the_project_are_named(host: HostSubject, built: ChrootStore) -> None:
    part = by_name(bill(host, built))["/opt/air"]
    assert (part.kind, part.supplier, part.facts) == (
        Kind.APPLICATION,
        "test",
        (("folder", "air"),),
    )


def test_a_system_of_nix_is_named_as_a_whole(host: HostSubject, built: ChrootStore) -> None:
    toplevel = StorePath("a" * 32, "nixos-system")
    nix = {"nixos": NixLock("x", toplevel, Digest.of(b"closure"))}
    found = bill(replace(host, lock=replace(host.lock, nix=nix)), built)
    part = by_name(found)["gw:nixos"]
    assert (part.kind, dict(part.facts)["toplevel"]) == (Kind.FIRMWARE, str(toplevel))
    assert "system:nixos" in found.needs["subject"]


def test_the_same_lock_gives_the_same_bill(
    host: HostSubject, built: ChrootStore, tmp_path: Path
) -> None:
    first = bill(host, built)
    assert bill(host, built) == first
    assert first.date == "20260101T000000Z"
    assert first.digest() == bill(host, built).digest()
    assert first.digest() != bill(host, built, "mail").digest()
    later = _dated(lock_of(), "20270101T000000Z")
    assert bill(replace(host, lock=later), built).digest() != first.digest()


def _dated(lock: HostLock, date: str) -> HostLock:
    return replace(lock, loader=tuple(replace(each, date=date) for each in lock.loader))


BLOB = LockedBlob(Digest.of(b"blob"), 4, "application/octet-stream")
LAYERS = (LockedLayer(BLOB, BLOB.digest),)


def image(asked: str) -> ContainerLock:
    return ContainerLock(asked, Digest.of(b"top"), BLOB, BLOB, LAYERS)


def test_containers_are_told_with_their_digests_or_packages(
    host: HostSubject, built: ChrootStore
) -> None:
    containers = {
        "broker": image("registry.example.com:5000/apps/Broker:2".lower()),
        "file": image("oci:images:app"),
        "logger": ContainerLock(packages=(locked("tool"), locked("only-here"))),
    }
    mail = replace(host.lock.systems["mail"], containers=containers)
    made = bill(changed(host, mail=mail), built)
    found = by_name(made)
    top = str(Digest.of(b"top"))
    assert found["broker"].version == found["file"].version == top
    assert found["broker"].purl == (
        f"pkg:oci/broker@{top}?repository_url=registry.example.com:5000/apps/broker"
    )
    assert found["file"].purl == "" and dict(found["file"].facts)["image"] == "oci:images:app"
    assert made.needs[found["logger"].key] == tuple(sorted((TOOL, found["only-here"].key)))
    system = made.needs["system:mail"]
    assert {found[name].key for name in containers} <= {*system}
