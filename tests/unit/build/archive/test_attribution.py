import pytest

from reconix.base.digests import Digest
from reconix.build.archive.apt import AptFailed, Chosen, Listing, Record
from reconix.build.archive.attribution import lock_packages
from reconix.config.lock.packages import SourcePackage

MAIN, SECURITY = "http://a.example/debian", "http://a.example/debian-security"
DATES = {
    (MAIN, "trixie"): "20260912T075541Z",
    (MAIN, "trixie-updates"): "20261121T021046Z",
    (SECURITY, "trixie-security"): "20261121T005303Z",
}
DIGEST = Digest.of(b"nginx")


def chosen(url: str, version: str = "1.2+b1") -> Chosen:
    return Chosen("nginx", version, "amd64", url, 5)


def record(content: bytes = b"nginx", version: str = "1.2+b1") -> Record:
    source = SourcePackage("nginx", version)
    return Record("nginx", version, "amd64", "pool/n.deb", len(content), Digest.of(content), source)


def test_a_package_is_locked_with_hash_archive_path_and_date() -> None:
    (locked,) = lock_packages(
        [chosen(f"{SECURITY}/pool/updates/main/n/nginx_1.2%2bb1_amd64.deb")],
        [record(), record(b"older", version="1.1")],
        [
            Listing("nginx", "1.2+b1", SECURITY, "trixie-security"),
            Listing("nginx", "1.1", MAIN, "trixie"),
        ],
        DATES,
    )
    assert locked.archive == "debian-security"
    assert locked.path == "pool/updates/main/n/nginx_1.2+b1_amd64.deb"
    assert locked.sha256 == DIGEST
    assert locked.date == "20261121T005303Z"


def test_a_version_in_two_suites_of_an_archive_takes_the_older_index() -> None:
    (locked,) = lock_packages(
        [chosen(f"{MAIN}/pool/main/n/nginx.deb")],
        [record()],
        [
            Listing("nginx", "1.2+b1", MAIN, "trixie-updates"),
            Listing("nginx", "1.2+b1", MAIN, "trixie"),
            Listing("nginx", "1.2+b1", SECURITY, "trixie-security"),
        ],
        DATES,
    )
    assert (locked.archive, locked.date) == ("debian", "20260912T075541Z")


@pytest.mark.parametrize(
    ("records", "suite"),
    [
        ([], "trixie"),
        ([record(b"other size")], "trixie"),
        ([record(), record(b"NGINX")], "trixie"),
        ([record()], "forky"),
    ],
)
def test_answers_that_contradict_each_other_lock_nothing(records: list[Record], suite: str) -> None:
    listings = [Listing("nginx", "1.2+b1", MAIN, suite)]
    with pytest.raises(AptFailed, match=r"package lists disagree about nginx 1\.2\+b1"):
        lock_packages([chosen(f"{MAIN}/pool/n.deb")], records, listings, DATES)
