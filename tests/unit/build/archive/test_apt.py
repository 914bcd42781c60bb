from pathlib import Path

import pytest

from reconix.base.digests import Digest
from reconix.build.archive.apt import (
    Apt,
    AptFailed,
    Chosen,
    Listing,
    Record,
    Source,
    Target,
    parse_date,
    parse_listings,
    parse_records,
    parse_settings,
    parse_targets,
    parse_uris,
    setting,
    source_of,
)
from reconix.config.lock.packages import SourcePackage

KEYRING = Path("/usr/share/keyrings/some.gpg")


def test_only_the_way_to_the_world_is_taken_over() -> None:
    dump = b"""\
APT::Install-Recommends "true";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::https::mirror.example::CaInfo "/etc/ssl/own.pem";
Acquire::Check-Valid-Until "false";
Acquire::AllowInsecureRepositories "1";
Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";
DPkg::Post-Invoke:: "rm -rf /";
"""
    settings = parse_settings(dump, with_freshness=False)
    assert settings == (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::mirror.example::CaInfo "/etc/ssl/own.pem";\n'
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";\n'
    )
    assert setting(settings, "Acquire::http::Proxy") == "http://proxy.example:3128"
    assert setting(settings, "Acquire::https::Proxy") is None
    assert parse_settings(dump, with_freshness=True) == (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::mirror.example::CaInfo "/etc/ssl/own.pem";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";\n'
    )


def test_versions_keep_their_epoch_and_addresses_stay_as_they_are() -> None:
    said = (
        b"'http://a.example/debian/pool/main/b/busybox/busybox-static_1.37.0-6%2bb9_amd64.deb'"
        b" busybox-static_1%3a1.37.0-6+b9_amd64.deb 955316 MD5Sum:608bc9dedd07ab40\n"
        b"'http://a.example/s/pool/x.deb' nginx-common_1.26.3-3+deb13u11_all.deb 112216 \n"
    )
    first, second = parse_uris(said)
    assert first.name == "busybox-static"
    assert first.version == "1:1.37.0-6+b9"
    assert first.url.endswith("static_1.37.0-6%2bb9_amd64.deb")
    assert second == Chosen(
        "nginx-common", "1.26.3-3+deb13u11", "all", "http://a.example/s/pool/x.deb", 112216
    )


def test_a_line_that_we_do_not_know_is_not_passed_over() -> None:
    with pytest.raises(AptFailed, match="Inst systemd"):
        parse_uris(b"Inst systemd (257.13 Debian:13 [amd64])\n")


RECORD = b"""\
Package: netbase
Version: 6.5
Architecture: all
Description: Basic TCP/IP networking system
 a second line
Filename: pool/main/n/netbase/netbase_6.5_all.deb
Size: 12436
SHA256: b0cc12d4b93239dc0d41ca34b4a023c0ee3daf1f368b647e04815b36318b8c50

"""


def test_records_are_read_with_their_hash() -> None:
    digest = Digest.parse("b0cc12d4b93239dc0d41ca34b4a023c0ee3daf1f368b647e04815b36318b8c50")
    path = "pool/main/n/netbase/netbase_6.5_all.deb"
    assert parse_records(RECORD) == [
        Record("netbase", "6.5", "all", path, 12436, digest, SourcePackage("netbase", "6.5"))
    ]


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ({}, ("pump", "1:2-1+b1")),
        ({"Source": "pumps"}, ("pumps", "1:2-1+b1")),
        ({"Source": "pumps (1:2-1)"}, ("pumps", "1:2-1")),
    ],
)
def test_what_a_package_was_built_from_is_what_it_says(
    said: dict[str, str], source: tuple[str, str]
) -> None:
    control = {"Package": "pump", "Version": "1:2-1+b1"} | said
    assert source_of(control) == SourcePackage(*source)


def test_a_source_that_is_no_package_is_refused() -> None:
    with pytest.raises(AptFailed, match="malformed"):
        parse_records(RECORD.replace(b"Version:", b"Source: ../x (1)\nVersion:"))


@pytest.mark.parametrize(
    "change",
    [(b"Size: ", b"Size: x"), (b"Size: ", b"Size: " + b"1" * 5000), (b"SHA256", b"SHA1")],
)
def test_a_damaged_record_is_told_with_its_package(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(AptFailed, match="malformed entry for 'netbase'"):
        parse_records(RECORD.replace(*change))


def test_listings_tell_address_and_suite() -> None:
    said = (
        b"  dropbear | 2025.89-1 | http://a.example/debian trixie/main amd64 Packages\n"
        b"  dropbear | 2025.89-1 | http://a.example/debian trixie/main Sources\n"
    )
    assert parse_listings(said) == [
        Listing("dropbear", "2025.89-1", "http://a.example/debian", "trixie")
    ]


def test_targets_are_package_indexes_only() -> None:
    said = (
        b"/lists/a_Packages|http://a.example/debian/|trixie|Debian|Packages|main/x/Packages\n"
        b"/lists/a_Translation|http://a.example/debian/|trixie|Debian|Translations|main/i18n/en\n"
    )
    assert parse_targets(said) == [
        Target(
            Path("/lists/a_Packages"),
            *("http://a.example/debian", "trixie", "Debian", "main/x/Packages"),
        )
    ]


def test_the_date_of_an_index_is_spelled_as_in_snapshot_archives() -> None:
    signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n\nDate: Sat, 12 Sep 2026 07:55:41 UTC\nX: y\n"
    assert parse_date(signed) == "20260912T075541Z"


@pytest.mark.parametrize(
    "content",
    [
        b"Origin: Debian\n",
        b"Date: yesterday\n",
        b"",
        b"Date: Fri, 31 Dec 9999 23:59:59 -1200\n",
        b"Date: Mon, 99 Jan 99999999999 00:00:00 +0000\n",
        b"Date: \xed\xa0\x80\n",
    ],
)
def test_an_index_without_a_date_is_an_error(content: bytes) -> None:
    with pytest.raises(AptFailed, match="has no date"):
        parse_date(content)


def test_the_configuration_is_the_same_whoever_prepares_it(tmp_path: Path) -> None:
    source = Source("http://a.example/debian", "trixie", ("main",), KEYRING)
    Apt.prepare(tmp_path, "arm64", [source], "")
    first = (tmp_path / "apt.conf").read_bytes()
    Apt.prepare(tmp_path, "arm64", [source], "")
    assert (tmp_path / "apt.conf").read_bytes() == first
    assert (tmp_path / "etc/sources.list").read_text() == (
        f"deb [arch=arm64 signed-by={KEYRING}] http://a.example/debian trixie main\n"
    )
