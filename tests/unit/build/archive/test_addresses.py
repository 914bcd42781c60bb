from pathlib import Path

import pytest

from reconix.build.archive.addresses import Addresses, NoArchive, choose_addresses
from reconix.build.archive.apt import Target

MAIN, SECURITY = "http://a.example/debian", "http://a.example/debian-security"


def target(address: str, suite: str, origin: str = "Debian") -> Target:
    return Target(Path("/lists/x"), address, suite, origin)


def test_the_archives_are_those_that_apt_uses_for_debian() -> None:
    found = choose_addresses(
        [
            target("http://other.example/deb", "stable", "Docker"),
            target("http://other.example/tool", "any"),
            target(MAIN, "bookworm"),
            target("http://second.example/debian", "sid"),
            target(SECURITY, "bookworm-security", ""),
        ]
    )
    assert found == Addresses(MAIN, SECURITY)


def test_what_cannot_be_fetched_over_http_is_no_archive_for_us() -> None:
    assert choose_addresses([target("cdrom://Debian", "trixie")]) == Addresses(None, None)


def test_a_missing_archive_names_the_key_to_write() -> None:
    with pytest.raises(NoArchive) as failure:
        Addresses(MAIN, None).of("trixie-security")
    assert "[archive] security" in failure.value.hint
    assert Addresses(MAIN, SECURITY).of("trixie-updates") == MAIN
