"""Debian's registry on this machine, and a server that gives tokens for it.

Its package would start a service for all networks, so it is not installed but unpacked.
"""

import base64
import contextlib
import datetime
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from reconix.base.process import CommandFailed, run, start

CACHE = Path.home() / ".cache/reconix/docker-registry"
PROGRAM = CACHE / "usr/bin/docker-registry"
USER, PASSWORD = "somebody", "pass:word \N{SNOWMAN}"
LOG_IN = f"{USER}:{PASSWORD}"
IDENTITY = "a token/for+tokens="
SERVICE = "registry of a test"
_START_SECONDS = 60


def registry_program() -> Path:
    """The program, fetched once."""
    if not PROGRAM.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            run("apt-get", "download", "docker-registry", folder=CACHE)
        except CommandFailed as error:
            pytest.skip(f"no registry to be had: {error}")
        run("dpkg", "-x", next(CACHE.glob("docker-registry_*.deb")), CACHE)
    return PROGRAM


@contextlib.contextmanager
def registry(folder: Path, auth: Mapping[str, object] | None = None) -> Iterator[str]:
    """A registry on this machine; its host with its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": host, "secret": "of a test"},
        **({"auth": auth} if auth else {}),
    }
    (folder / "registry.yml").write_text(json.dumps(settings))  # which is YAML, too
    with (folder / "registry.log").open("wb") as log:
        running = start(
            registry_program(), "serve", folder / "registry.yml", stdout=log, stderr=log
        )
    try:
        _wait(host, folder / "registry.log")
        yield host
    finally:
        running.terminate()
        running.wait()


def _wait(host: str, log: Path) -> None:
    address, _, port = host.rpartition(":")
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((address, int(port)), 1):
            return
        time.sleep(0.05)
    pytest.fail(f"the registry did not start: {log.read_text()[-500:]}")


def with_password(folder: Path) -> dict[str, object]:
    """What makes a registry ask for a name and a password."""
    made = run("perl", "-e", "print crypt($ARGV[0], q{$2y$05$0123456789012345678901})", PASSWORD)
    (folder / "passwords").write_bytes(USER.encode() + b":" + made + b"\n")
    return {"htpasswd": {"realm": "test", "path": str(folder / "passwords")}}


@dataclass
class TokenServer:
    """Gives a token to whoever logs in; to others one for reading what is public."""

    url: str
    certificate: Path
    asked: list[str] = field(default_factory=list)

    def auth(self) -> dict[str, object]:
        """What makes a registry ask for such a token."""
        return {
            "token": {
                "realm": self.url,
                "service": SERVICE,
                "issuer": "test",
                "rootcertbundle": str(self.certificate),
            }
        }


@contextlib.contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key)
    (folder / "tokens.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    class Giving(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said.asked.append(self.path)
            login = base64.b64encode(LOG_IN.encode()).decode()
            header = self.headers.get("Authorization")
            if header not in (None, f"Basic {login}"):
                self.send_error(401)
                return
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            self._give(query.get("scope", []), knows=header is not None)

        def do_POST(self) -> None:
            said.asked.append(self.path)
            form = urllib.parse.parse_qs(self._sent().decode())
            if form.get("grant_type") != ["refresh_token"] or form["refresh_token"] != [IDENTITY]:
                self.send_error(400)
                return
            self._give(form["scope"], knows=True)

        def _sent(self) -> bytes:
            """With its length, or in pieces, as skopeo sends it."""
            if "Content-Length" in self.headers:
                return self.rfile.read(int(self.headers["Content-Length"]))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size + 2)[:-2]
            self.rfile.readline()
            return content

        def _give(self, scopes: list[str], *, knows: bool) -> None:
            token = _token(key, certificate, scopes, knows=knows)
            body = json.dumps({"token": token, "expires_in": 60}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Giving)
    said = TokenServer(f"http://127.0.0.1:{server.server_address[1]}/token", folder / "tokens.pem")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )


def _token(
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    scopes: list[str],
    *,
    knows: bool,
) -> str:
    """A token as the registry takes them: JWT, signed, with the certificate."""
    access = []
    for scope in " ".join(scopes).split():
        kind, name, actions = scope.rsplit(":", 2)
        if knows or (name.startswith("public/") and actions == "pull"):
            access.append({"type": kind.split(":")[0], "name": name, "actions": actions.split(",")})
    der = certificate.public_bytes(serialization.Encoding.DER)
    head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
    now = int(time.time())
    claims = {
        "iss": "test",
        "sub": "",
        "aud": SERVICE,
        "jti": "1",
        "access": access,
        "exp": now + 60,
        "nbf": now - 60,
        "iat": now,
    }
    text = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
