"""Authorities of a project, where programs look for those that they trust."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.certificates import authority
from tests.conftest import Need

from reconix.base.process import run
from reconix.build.etc import authorities
from reconix.store.tree import File, Symlink

OF_THIS_MACHINE = Path("/etc/ssl/certs")
COMMON, COUNTRY = NameOID.COMMON_NAME, NameOID.COUNTRY_NAME


def ours(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_each_certificate_of_this_machine_has_the_number_that_openssl_gave_it() -> None:
    links = list(OF_THIS_MACHINE.glob("[0-9a-f]*.[0-9]"))
    if len(links) < 50:
        pytest.skip("ca-certificates is not installed")
    for link in links:
        certificate = x509.load_pem_x509_certificate(link.read_bytes())
        assert authorities.subject_hash(certificate.subject) == link.stem, link.resolve()


@pytest.mark.parametrize(
    "names",
    [
        [(COMMON, "Übung  ÄÖ\tAir "), (COUNTRY, "DE")],
        [(COMMON, "工場 CA"), (NameOID.EMAIL_ADDRESS, "Ca@Example.com")],
        [(NameOID.USER_ID, "x"), (NameOID.DOMAIN_COMPONENT, "Example"), (COMMON, "a" * 64)],
    ],
)
def test_a_number_is_that_of_openssl(
    tmp_path: Path, need: Need, names: list[tuple[x509.ObjectIdentifier, str]]
) -> None:
    need("openssl")
    file = ours(tmp_path, "ca.pem", authority(*names))
    said = run("openssl", "x509", "-noout", "-subject_hash", "-in", file).decode().strip()
    subject = x509.load_pem_x509_certificate(file.read_bytes()).subject
    assert authorities.subject_hash(subject) == said


def test_openssl_trusts_what_an_authority_has_signed_by_file_and_by_folder(
    tmp_path: Path, need: Need
) -> None:
    need("openssl")
    (tmp_path / "in").mkdir()
    one = ours(tmp_path / "in", "Prüfstelle.pem", authority((COMMON, "Prüfstelle")))
    made = authorities.files([one], tmp_path / "no-root")
    for path, node in made.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(node, File):
            place.write_bytes(node.content)
        else:
            place.symlink_to(node.target)
    assert (tmp_path / "ssl/certs/Prüfstelle.pem").is_file()
    whole, folder = tmp_path / "ssl/certs/ca-certificates.crt", tmp_path / "ssl/certs"
    verify = ("openssl", "verify", "-no_check_time")
    for words in (("-CAfile", whole, "-no-CApath"), ("-CApath", folder, "-no-CAfile")):
        assert run(*verify, *words, one).decode().endswith(": OK\n")


def test_those_of_the_root_stay_and_keep_their_names(tmp_path: Path) -> None:
    of_root = authority((COMMON, "One"))
    certs = tmp_path / "root/etc/ssl/certs"
    certs.mkdir(parents=True)
    (certs / "ca-certificates.crt").write_bytes(of_root)
    (certs / "one.pem").write_bytes(of_root)
    same = ours(tmp_path, "one.pem", authority((COMMON, "ONE")))
    number = authorities.subject_hash(x509.load_pem_x509_certificate(of_root).subject)
    (certs / f"{number}.0").symlink_to("one.pem")
    made = authorities.files([same], tmp_path / "root")
    assert made == {
        "ssl/certs/one-2.pem": File(same.read_bytes()),
        f"ssl/certs/{number}.1": Symlink("one-2.pem"),
        "ssl/certs/ca-certificates.crt": File(of_root + same.read_bytes()),
    }


def test_a_file_may_have_several_and_what_tools_write_around_them(tmp_path: Path) -> None:
    one, two = authority((COMMON, "One")), authority((COMMON, "Two"))
    file = ours(tmp_path, "both.pem", b"Bag Attributes: x\n" + one + b"\n# two\n" + two)
    made = authorities.files([file], tmp_path / "no-root")
    assert made["ssl/certs/both.pem"] == File(one)
    assert made["ssl/certs/both-2.pem"] == File(two)
    assert made["ssl/certs/ca-certificates.crt"] == File(one + two)


def test_without_one_of_its_own_a_system_has_what_packages_bring(tmp_path: Path) -> None:
    assert authorities.files([], tmp_path) == {}
