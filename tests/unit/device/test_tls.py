"""N2 and T5: which web servers a device speaks https with, and that no date prevents it."""

import datetime
import functools
import ipaddress
import ssl
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.device_model import Machine
from tests.servers import CONTENT, Server, serving, tunneling
from tests.unit.device.conftest import Units
from tests.unit.device.update.test_repository import Folder, Quiet, running
from tests.unit.device.update.test_web import QUICK

from reconix.device.__main__ import main
from reconix.device.trust_store import TrustPolicy
from reconix.device.update.web import LinkFailed, Meter, Web
from reconix.nix.chroot import ChrootStore

Key = ec.EllipticCurvePrivateKey
LONG_AGO = datetime.datetime(1971, 1, 1)
YEAR = datetime.timedelta(days=365)


class Authority:
    """Makes certificates."""

    def __init__(self, name: str) -> None:
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        begin = datetime.datetime(2020, 1, 1)
        self.certificate = self._sign(
            x509.CertificateBuilder()
            .subject_name(self.name)
            .public_key(self.key.public_key())
            .not_valid_before(begin)
            .not_valid_after(begin + 90 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_USAGE, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
        )

    def server(self, place: Path, address: str, begin: datetime.datetime) -> ssl.SSLContext:
        """What a server of that address needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate = self._sign(
            x509.CertificateBuilder()
            .subject_name(_name("server"))
            .public_key(key.public_key())
            .not_valid_before(begin)
            .not_valid_after(begin + YEAR)
            .add_extension(names, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        (place / "server.pem").write_bytes(_print(certificate) + _print_key(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "server.pem")
        return context

    def write(self, path: Path) -> Path:
        """The certificate of the authority as a file."""
        path.write_bytes(_print(self.certificate))
        return path

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        numbered = builder.issuer_name(self.name).serial_number(x509.random_serial_number())
        return numbered.sign(self.key, hashes.SHA256())


_USAGE = x509.KeyUsage(
    *(False, False, False, False, False, True, True, False, False),
)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _print(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _print_key(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The only one that the system trusts."""
    made = Authority("ours")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.write(tmp_path / "authorities.pem")))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return made


class Secure(Server):
    """Speaks https."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(lambda request: request.right())
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return super().url.replace("http:", "https:")

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what is tested."""


def load(context: ssl.SSLContext, authorities: str | None = None) -> Iterator[bytes]:
    with serving(Secure(context)) as server:
        web = Web(server.url, meter=Meter(2 * len(CONTENT)), authorities=authorities, retry=QUICK)
        try:
            yield from iter(lambda: web.read(50_000), b"")
        finally:
            web.close()


def test_a_proxy_sees_only_the_name_of_a_server(authority: Authority, tmp_path: Path) -> None:
    context = authority.server(tmp_path, "127.0.0.1", LONG_AGO)
    with serving(Secure(context)) as server, tunneling("secret") as proxy:
        web = Web(
            server.url,
            meter=Meter(2 * len(CONTENT)),
            proxies={"https": proxy.url.replace("//", "//me:secret@")},
            retry=QUICK,
        )
        assert b"".join(iter(lambda: web.read(50_000), b"")) == CONTENT
        web.close()
    assert proxy.asked == [server.url.removeprefix("https://").removesuffix("/a/stream")]


def today() -> datetime.datetime:
    return datetime.datetime.now() - datetime.timedelta(days=1)


def test_a_server_with_a_certificate_of_the_systems_authority_is_trusted(
    authority: Authority, tmp_path: Path
) -> None:
    assert b"".join(load(authority.server(tmp_path, "127.0.0.1", today()))) == CONTENT


def test_n2_a_certificate_of_somebody_else_is_refused_at_once(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority("ours")  # of the same name
    with pytest.raises(LinkFailed, match="untrusted certificate"):
        list(load(other.server(tmp_path, "127.0.0.1", today())))


def test_n2_a_certificate_for_another_host_is_refused_at_once(
    authority: Authority, tmp_path: Path
) -> None:
    with pytest.raises(LinkFailed, match="untrusted certificate: IP address mismatch"):
        list(load(authority.server(tmp_path, "192.0.2.7", today())))


def test_n2_a_device_without_authorities_trusts_no_certificate(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(LinkFailed, match="untrusted certificate"):
        list(load(authority.server(tmp_path, "127.0.0.1", today())))


def test_only_authorities_that_are_named_are_trusted(authority: Authority, tmp_path: Path) -> None:
    other = Authority("of the company")
    named = other.write(tmp_path / "company.pem").read_text()
    theirs = other.server(tmp_path, "127.0.0.1", today())
    assert b"".join(load(theirs, named)) == CONTENT
    ours = authority.server(tmp_path, "127.0.0.1", today())
    with pytest.raises(LinkFailed, match="untrusted certificate"):
        list(load(ours, named))
    with pytest.raises(LinkFailed, match="configured authorities are not certificates"):
        list(load(theirs, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))


@pytest.mark.parametrize("begin", [LONG_AGO, datetime.datetime(2105, 1, 1)], ids=str)
def test_t5_the_dates_of_a_certificate_do_not_count(
    authority: Authority, tmp_path: Path, begin: datetime.datetime
) -> None:
    """To a device whose clock says something else every certificate is of another time."""
    assert b"".join(load(authority.server(tmp_path, "127.0.0.1", begin))) == CONTENT


def test_an_update_comes_from_a_server_that_hides_it(
    machine: Machine, units: Units, authority: Authority, tmp_path: Path
) -> None:
    machine.boot()
    assert updates(machine, authority, tmp_path)


def test_a_generation_names_the_authorities_that_its_device_trusts(
    units: Units, authority: Authority, tmp_path: Path
) -> None:
    company = Authority("of the company")
    named = company.write(tmp_path / "company.pem").read_text()
    policy = TrustPolicy(require_signature=False, authorities=named)
    with ChrootStore(tmp_path / "build") as store:
        machine = Machine.make(tmp_path / "device", store, policy=policy)
        machine.boot()
        assert not updates(machine, authority, tmp_path / "ours")
        assert updates(machine, company, tmp_path / "theirs")


def updates(machine: Machine, authority: Authority, place: Path) -> bool:
    """Whether a device takes an update from a server whose certificate is of this authority."""
    place.mkdir(exist_ok=True)
    two = machine.generation("two")
    folder = Folder(machine, place / "streams")
    folder.add("one", "two", 2)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder.place))
    )
    context = authority.server(place, "127.0.0.1", LONG_AGO)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        url = f"https://127.0.0.1:{server.server_address[1]}"
        is_taken = main(["update", "--from", url], machine.device) == 0
    assert is_taken == (two in machine.device.installed())
    return is_taken
