"""Secrets of packages: taken out of a root, made by each device at its first start, and kept.

Maintainer scripts make keys when a package is installed, which here is when the root is built. Then
no two builds were equal, and all devices would share the key. So these files are taken out of the
root, and a unit makes them where they are needed, once:

    /var/lib/reconix/secrets/<name>/   kept on ``data``, the same for all systems of the device

A program finds its secret where Debian has it, because ``systemd-tmpfiles``, which runs at each
start anyway, copies it there. So the folder around it, such as ``/etc/ssh`` with its settings,
remains that of the generation. A file that the configuration gives is never replaced.

Source: systemd.service(5), tmpfiles.d(5).
Tested by ``tests/unit/build/on_device/test_secrets.py`` with the real programs, and by
``tests/vm``.
"""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from reconix.build.templates import fill
from reconix.store.tree import File, Symlink

FOLDER = "/var/lib/reconix/secrets"
"""Where secrets are kept on the device."""
_SCRIPTS = "reconix/secrets"
_TMPFILES = "tmpfiles.d/reconix-secrets.conf"


@dataclass(frozen=True, slots=True)
class Copy:
    """Where a program looks for one file of a secret.

    Attributes:
        path: of the file.
        mode: permissions.
        owner: user.
        group: of it.
        fits: the file that this one fits; if the configuration gives that, this is not ours.
    """

    path: str
    mode: int
    owner: str = "root"
    group: str = "root"
    fits: str = ""

    def line(self, secret: str) -> str:
        """What tells ``systemd-tmpfiles`` to copy it."""
        source = f"{FOLDER}/{secret}/{self.path.rpartition('/')[2]}"
        return f"C {self.path} {self.mode:04o} {self.owner} {self.group} - {source}\n"


@dataclass(frozen=True, slots=True)
class Secret:
    """What a device makes for a package.

    Attributes:
        name: of its folder and of the unit that makes it.
        what: it is, for people.
        needed_by: a file of the root; where it is, a package needs the secret.
        removed: what a root does not have, as regular expressions of paths in it.
        copies: where a device has it.
        make: lines of a shell, in a new folder; they leave the files that are copied.
        other_maker: a unit of the configuration; where it is, it makes another one instead.
    """

    name: str
    what: str
    needed_by: str
    removed: tuple[str, ...]
    copies: tuple[Copy, ...]
    make: str
    other_maker: str = ""

    @property
    def unit(self) -> str:
        """The unit that makes it."""
        return f"reconix-secret-{self.name}.service"


_SSH = ("ed25519", "ecdsa", "rsa")
_SSH_KEY = "/etc/ssh/ssh_host_{}_key"
_SSL_KEY = "/etc/ssl/private/ssl-cert-snakeoil.key"
_SSL_CERTIFICATE = "/etc/ssl/certs/ssl-cert-snakeoil.pem"

ALL = (
    Secret(
        "openssh",
        "the host keys of openssh",
        needed_by="usr/sbin/sshd",
        removed=(r"etc/ssh/ssh_host_.*_key(\.pub)?",),
        copies=(
            *(Copy(_SSH_KEY.format(kind), 0o600) for kind in _SSH),
            *(
                Copy(f"{_SSH_KEY.format(kind)}.pub", 0o644, fits=_SSH_KEY.format(kind))
                for kind in _SSH
            ),
        ),
        make=f"for kind in {' '.join(_SSH)}; do\n"
        '    ssh-keygen -q -t $kind -N "" -C "" -f ssh_host_${kind}_key\n'
        "done\n",
    ),
    Secret(
        "dropbear",
        "the host key of dropbear",
        needed_by="usr/sbin/dropbear",
        removed=(r"etc/dropbear/dropbear_.*_host_key(\.pub)?",),
        copies=(Copy("/etc/dropbear/dropbear_ed25519_host_key", 0o600),),
        make="dropbearkey -t ed25519 -f dropbear_ed25519_host_key > said\nrm said\n",
        other_maker="reconix-host-key.service",
    ),
    Secret(
        "ssl-cert",
        "the certificate that a device makes for itself",
        needed_by="usr/sbin/make-ssl-cert",
        removed=(
            r"etc/ssl/private/ssl-cert-snakeoil\.key",
            r"etc/ssl/certs/ssl-cert-snakeoil\.pem",
        ),
        copies=(
            Copy(_SSL_KEY, 0o640, group="ssl-cert", fits=_SSL_CERTIFICATE),
            Copy(_SSL_CERTIFICATE, 0o644, fits=_SSL_KEY),
        ),
        make=fill(
            "first_start/certificate",
            key="ssl-cert-snakeoil.key",
            certificate="ssl-cert-snakeoil.pem",
        ),
    ),
    Secret(
        "bind",
        "the key that controls the name server",
        needed_by="usr/sbin/named",
        removed=(r"etc/bind/rndc\.key",),
        copies=(Copy("/etc/bind/rndc.key", 0o640, "bind", "bind"),),
        make="rndc-confgen -a -c ./rndc.key 2> /dev/null\n",
    ),
    Secret(
        "munge",
        "the key of munge",
        needed_by="usr/sbin/munged",
        removed=(r"etc/munge/munge\.key",),
        copies=(Copy("/etc/munge/munge.key", 0o600, "munge", "munge"),),
        make="head -c 128 /dev/urandom > munge.key\n",
    ),
    Secret(
        "ejabberd",
        "the certificate of ejabberd",
        needed_by="usr/sbin/ejabberdctl",
        removed=(r"etc/ejabberd/ejabberd\.pem",),
        copies=(Copy("/etc/ejabberd/ejabberd.pem", 0o640, group="ejabberd"),),
        make=fill("first_start/certificate", key="key", certificate="certificate")
        + "cat certificate key > ejabberd.pem\nrm certificate key\n",
    ),
)


def needed(root: Path, files: Container[str], units: Container[str]) -> list[Secret]:
    """The secrets that a device has to make for a system.

    Args:
        root: the Debian root.
        files: those below ``/etc`` that the configuration gives.
        units: those of the configuration.
    """
    return [
        secret
        for secret in ALL
        if (root / secret.needed_by).exists()
        and secret.other_maker not in units
        and _ours(secret, files)
    ]


def _ours(secret: Secret, files: Container[str]) -> list[Copy]:
    """What of a secret the configuration does not give, nor what it fits."""
    return [
        copy
        for copy in secret.copies
        if not any(path.removeprefix("/etc/") in files for path in (copy.path, copy.fits))
    ]


def make_units(secrets: list[Secret]) -> dict[str, bytes]:
    """The units that make them, by name; one that is kept needs no program."""
    return {secret.unit: _unit(secret).encode() for secret in secrets}


def make_files(secrets: list[Secret], files: Container[str]) -> dict[str, File | Symlink]:
    """What the units run, and what puts each secret where it belongs, by path below ``/etc``.

    Args:
        secrets: those that are needed.
        files: those below ``/etc`` that the configuration gives.
    """
    lines = "".join(copy.line(secret.name) for secret in secrets for copy in _ours(secret, files))
    scripts = {f"{_SCRIPTS}/{secret.name}": File(_script(secret).encode()) for secret in secrets}
    return {**scripts, _TMPFILES: File(lines.encode())} if secrets else {}


def _unit(secret: Secret) -> str:
    return fill(
        "units/secret.service",
        what=secret.what,
        kept=f"{FOLDER}/{secret.name}",
        script=f"/etc/{_SCRIPTS}/{secret.name}",
    )


def _script(secret: Secret) -> str:
    return fill("first_start/secret", kept=f"{FOLDER}/{secret.name}", make=secret.make)
