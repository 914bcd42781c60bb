"""Archives of packages as Debian and vendors have them, made and signed here, on a server."""

import base64
import contextlib
import functools
import itertools
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.build.archive import resolve
from reconix.build.archive.fetch import fetch, locate
from reconix.build.archive.retry import RetryPolicy
from reconix.config import load
from reconix.config.lock.hosts import Lock
from reconix.config.lock.packages import LockedPackage

MAIN = {
    "base-files 1": "Essential: yes",
    "libweb 2:1.0+b1~x": "",
    "webber 1:1.0": "Depends: libweb (>= 2:1.0), init\nRecommends: extra",
    "init 3": "",
    "extra 3": "",
    "quarrel 1": "Conflicts: libweb",
    "crun 1": "",
    "iproute2 1": "",
    "nftables 1": "",
    "virtual-giver 1": "Provides: web-server",
    "initramfs-tools 1": "",
    "linux-image-cloud-amd64 6.1": "Depends: linux-image-6.1-cloud-amd64 (= 6.1)",
    "linux-image-6.1-cloud-amd64 6.1": "Depends: initramfs-tools",
    "busybox-static 1": "Depends: init",
    "systemd-boot-efi 1": "",
}
AT_ONE_TIME = {"SOURCE_DATE_EPOCH": "1600000000"}
"""Equal packages are equal files, whenever they are made."""
_LATER = itertools.count(1_600_000_000)
"""When indexes were signed, in seconds: HTTP tells those of one second not apart."""
SECURITY = {"webber 1:1.0+sec1": "Depends: libweb (>= 2:1.0), init", "init 3": ""}


@dataclass(frozen=True)
class Site:
    """Two archives on a server on loopback, as Debian has them, and a project that uses them."""

    folder: Path
    address: str
    project: Path

    def lock(self, previous: Lock | None = None, *, keep: bool = False, accepted: str = "") -> Lock:
        return resolve.resolve(
            load.load(self.project),
            work=self.project / "work",
            previous=previous,
            keep=keep,
            accepted=frozenset(accepted.split()),
        )

    def fetch(self, lock: Lock) -> Mapping[LockedPackage, Path]:
        """Get what is locked, as a build does."""
        project = load.load(self.project).project
        where = locate(project, self.project)
        hurry = RetryPolicy(attempts=1, pause_seconds=0)
        return fetch(lock.packages(), lambda: where, cache=self.folder / "cache", retry=hurry)

    def write(self, system: str, *, archive: str = "") -> None:
        """Set the system file and more options of the archive."""
        keyring = self.folder / "keyring.gpg"
        (self.project / "reconix.toml").write_text(
            f'name = "test"\n[archive]\nmain = "{self.address}/debian/"\n'
            f'security = "{self.address}/security"\nkeyring = "{keyring}"\n'
            f"{archive or SUITES}\n"
        )
        (self.project / "hosts/device/systems/default.toml").write_text(system)


SUITES = 'suites = ["trixie", "trixie-security"]'


@contextlib.contextmanager
def debian_site(folder: Path) -> Iterator[Site]:
    """Debian's archives as they might be, on a server, and an empty project."""
    make_archive(folder / "debian", "trixie", MAIN, "Sat, 01 Feb 2020 10:00:00 UTC")
    make_archive(folder / "security", "trixie-security", SECURITY, "Sun, 02 Feb 2020 00:00:00 UTC")
    sign(folder)
    project = folder / "my project"
    (project / "hosts/device/systems").mkdir(parents=True)
    (project / "hosts/device/machine.toml").write_text(
        'kernel.package = "linux-image-cloud-amd64"\n'
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Site(folder, f"http://127.0.0.1:{server.server_port}", project)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    """A server that asks for a password below ``/locked``."""

    def send_head(self) -> BytesIO | BinaryIO | None:
        wanted = f"Basic {base64.b64encode(b'me:se:cret').decode()}"
        if self.path.startswith("/locked/") and self.headers["Authorization"] != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        return super().send_head()

    def log_message(self, *_: object) -> None:
        pass


def make_archive(folder: Path, suite: str, packages: dict[str, str], date: str) -> None:
    """Build packages and their index."""
    index = folder / "dists" / suite
    (folder / "pool/main").mkdir(parents=True)
    stanzas = b"\n".join(make_package(folder, name, more) for name, more in packages.items())
    for architecture in ("amd64", "arm64"):
        place = index / f"main/binary-{architecture}/Packages"
        place.parent.mkdir(parents=True)
        place.write_bytes(stanzas)
    listed = "".join(
        f" {Digest.of(stanzas).hex()} {len(stanzas)} main/binary-{architecture}/Packages\n"
        for architecture in ("amd64", "arm64")
    )
    (index / "Release").write_text(
        f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {date}\n"
        f"Architectures: amd64 arm64\nComponents: main\nSHA256:\n{listed}"
    )


def make_package(folder: Path, name_and_version: str, more: str) -> bytes:
    name, version = name_and_version.split()
    tree = folder / "tree" / f"{name}_{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        f"Maintainer: nobody <nobody@example>\nDescription: test\n{more}\n"
    ).replace("\n\n", "\n")
    (tree / "DEBIAN/control").write_text(control)
    path = folder / "pool/main" / f"{name}_{version.partition(':')[2] or version}_all.deb"
    words = ("dpkg-deb", "--build", "-Znone", "--root-owner-group", tree, path)
    run(*words, environment=AT_ONE_TIME)
    content = path.read_bytes()
    place = f"Filename: pool/main/{path.name}\nSize: {len(content)}\n"
    return f"{control}{place}SHA256: {Digest.of(content).hex()}\n".encode()


def sign(folder: Path, *, key: str = "keyring", only: str = "*") -> None:
    """Sign all indexes below a folder, or only those of some archives in it.

    The key is made if there is none of this name. gpg works in a folder with a short name, because
    that of a socket has room for a hundred characters.
    """
    releases = [*folder.glob(f"{only}/dists/*/Release"), *folder.glob(f"{only}/Release")]
    secret = folder / f"{key}.secret"
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--yes", "--passphrase", "")
        try:
            if secret.exists():
                run(*gpg, "--import", secret)
            else:
                run(*gpg, "--quick-gen-key", "archive@example", "ed25519", "sign", "never")
                secret.write_bytes(run(*gpg, "--export-secret-keys"))
                (folder / f"{key}.gpg").write_bytes(run(*gpg, "--export"))
                (folder / f"{key}.asc").write_bytes(run(*gpg, "--armor", "--export"))
            for release in releases:
                signed = release.with_name("InRelease")
                run(*gpg, "--clearsign", "--output", signed, release)
                now = next(_LATER)
                os.utime(signed, (now, now))
        finally:
            run("gpgconf", "--homedir", home, "--kill", "all")


def make_deb(
    path: Path, name_and_version: str, more: str = "", *, architecture: str = "all", **scripts: str
) -> Path:
    """A package file with a document in it and maintainer scripts.

    Args:
        path: where it goes; a name for it is made if it is a folder.
        name_and_version: of the package.
        more: further lines for its control file.
        architecture: of the package.
        scripts: contents by name, such as ``postinst``.
    """
    name, version = name_and_version.split()
    if path.is_dir():
        path /= f"{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place, "tree")
        document = tree / f"usr/share/doc/{name}/version"
        document.parent.mkdir(parents=True)
        document.write_text(f"{name} {version}\n{more}\n")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            f"Maintainer: nobody <nobody@example>\nDescription: test\n{more}".strip()
            + "\n"
        )
        for script, content in scripts.items():
            (tree / "DEBIAN" / script).write_text(content)
            (tree / "DEBIAN" / script).chmod(0o755)
        path.parent.mkdir(parents=True, exist_ok=True)
        words = ("dpkg-deb", "--nocheck", "--root-owner-group", "-Zxz", "--build", tree, path)
        run(*words, environment=AT_ONE_TIME)
    return path


@dataclass(frozen=True)
class Vendor:
    """An archive that is not Debian's, made with Debian's own program."""

    folder: Path

    def add(self, name_and_version: str, more: str = "") -> Path:
        """Put a package into its pool."""
        pool = self.folder / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        return make_deb(pool, name_and_version, more)

    def index(
        self, suite: str = "stable", *, day: int = 1, more: str = "", hashes: str = "SHA256"
    ) -> None:
        """Write its index, of a day in March of 2020; a suite that ends in / is a folder."""
        place = self.folder / suite if suite.endswith("/") else self.folder / "dists" / suite
        (place / "Release").unlink(missing_ok=True)
        (place / "InRelease").unlink(missing_ok=True)
        list_in = place if suite.endswith("/") else place / "main/binary-amd64"
        list_in.mkdir(parents=True, exist_ok=True)
        packages = run("apt-ftparchive", "packages", "pool", folder=self.folder)
        (list_in / "Packages").write_bytes(packages)
        off = [
            f"APT::FTPArchive::Release::{each}={'true' if each == hashes else 'false'}"
            for each in ("MD5", "SHA1", "SHA256", "SHA512")
        ]
        words = [word for each in (*off, *SAID) for word in ("-o", each)]
        release = run("apt-ftparchive", *words, "release", place).decode()
        date = f"Date: Mon, {day:02} Mar 2020 00:00:00 UTC"
        release = re.sub("^Date: .*$", date, release, flags=re.M)
        (place / "Release").write_text(f"{more}{release}")


SAID = [
    "APT::FTPArchive::Release::Origin=Debian",
    "APT::FTPArchive::Release::Label=Debian",
    "APT::FTPArchive::Release::Components=main",
    "APT::FTPArchive::Release::Architectures=amd64",
]
"""It calls itself Debian, because anybody can."""
