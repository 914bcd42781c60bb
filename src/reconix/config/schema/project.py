"""``reconix.toml``: archives, trusted keys, the place of updates, what things may cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from reconix.base.architecture import Architecture
from reconix.base.files import read_text
from reconix.config.lock.packages import DEBIAN
from reconix.config.options import Option, Range
from reconix.config.schema.archives import OtherArchive
from reconix.config.schema.values import (
    MAX_SOURCE_BYTES,
    AbsolutePath,
    Name,
    ProxyUrl,
    RegistryHost,
    SigningKey,
    SizeBytes,
    SuiteName,
    Url,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where Debian packages come from."""

    suites: Annotated[
        tuple[SuiteName, ...],
        Option(
            "Suites that `reconix lock` takes packages from; one that ends in `-security` is "
            "looked for in the security archive. Backports listed here give only what no other "
            "suite has; to choose more of them, see `archives`.",
            '["trixie", "trixie-security"]',
            "to build from another release, or to leave out point releases between two of yours",
        ),
    ] = ("trixie", "trixie-updates", "trixie-security")
    components: Annotated[
        tuple[Name, ...],
        Option(
            "Components of these suites.",
            '["main", "non-free-firmware"]',
            "when the hardware needs non-free firmware",
        ),
    ] = ("main",)
    main: Annotated[
        Url | None,
        Option(
            "Address of the Debian archive; without it, the one that apt uses here.",
            '"http://mirror.example/debian"',
            "to have everybody who locks use the same mirror, or one of your own",
        ),
    ] = None
    security: Annotated[
        Url | None,
        Option(
            "Address of the security archive; without it, the one that apt uses here.",
            '"http://mirror.example/debian-security"',
            "to have everybody who locks use the same mirror, or one of your own",
        ),
    ] = None
    snapshot: Annotated[
        Url | None,
        Option(
            "Address of a dated archive that keeps old versions, with `{archive}` (`debian` or "
            "`debian-security`) and `{date}` (`20260912T075541Z`) in it; asked for a locked file "
            "that the archive no longer has.",
            '"http://snapshot.example/archive/{archive}/{date}"',
            "when a lock must still be built after the archive has moved on",
        ),
    ] = None
    keyring: Annotated[
        AbsolutePath,
        Option(
            "Keyring of the archive, on the build machine.",
            '"/usr/share/keyrings/debian-archive-keyring.gpg"',
            "when your packages come from an archive that you sign",
        ),
    ] = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Limits for what is built, as it is installed, and for what it takes to update a device.

    A build that exceeds one of the first fails; `reconix deploy --dry-run` tells of the others.
    """

    system: Annotated[
        SizeBytes | None,
        Option(
            "Limit for a system with everything it refers to, unless it has a `budget` of its own.",
            '"300M"',
            "to notice at once that a system has grown",
        ),
    ] = None
    generation: Annotated[
        SizeBytes | None,
        Option(
            "Limit for all systems of a host together; what they share counts once.",
            '"400M"',
            "to know that two generations fit on the smallest device",
        ),
    ] = None
    update: Annotated[
        SizeBytes | None,
        Option(
            "Limit for the stream that brings a device to a new generation.",
            '"512K"',
            "when each byte on the link has a price",
        ),
    ] = None
    writes: Annotated[
        SizeBytes | None,
        Option(
            "Limit for what an update writes to a device, boot slot and journal included.",
            '"32M"',
            "to make a cheap flash last as long as its device",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """Which keys devices trust."""

    keys: Annotated[
        tuple[SigningKey, ...],
        Option(
            "Public keys that may sign updates.",
            '["release:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]',
            "for keys whose secret half is kept elsewhere",
        ),
    ] = ()
    keys_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with such keys, one per line; the secret key is looked for beside each, under "
            "the same name without `.pub`.",
            '["keys/update.pub"]',
            "to sign with keys in the project's folder, outside of version control",
        ),
    ] = ()
    threshold: Annotated[
        Annotated[int, Range(1, 16)],
        Option(
            "How many of the keys must have signed an update.",
            "2",
            "to need more than one key, should one be stolen",
        ),
    ] = 1
    revoked: Annotated[
        tuple[SigningKey, ...],
        Option(
            "Keys that were revoked; no later set may have them again.",
            '["old:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]',
            "when a secret key was lost or stolen",
        ),
    ] = ()
    key_set: Annotated[
        Annotated[int, Range(1, 1 << 31)],
        Option(
            "Version of this set of keys; devices follow the sets one by one.",
            "2",
            "to the next number, with each change of the keys, the threshold or what is revoked",
        ),
    ] = 1
    require_signature: Annotated[
        bool,
        Option(
            "Whether devices refuse updates that are not signed.",
            "false",
            "to false for devices that only you can send anything to",
        ),
    ] = True

    def texts(self) -> tuple[str, ...]:
        """All keys that may sign, those from files included."""
        lines = [
            line.strip()
            for path in self.keys_files
            for line in read_text(path, MAX_SOURCE_BYTES).splitlines()
        ]
        written = [line for line in lines if line and not line.startswith("#")]
        return tuple(dict.fromkeys([*self.keys, *written]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """Where devices look for updates."""

    url: Annotated[
        Url | None,
        Option(
            "Where devices look for updates when `reconix-device update` names no other place. "
            "They do not log in there: every device would know the password.",
            '"http://updates.example/gateway"',
            "to the address at which what `reconix publish` wrote is served",
        ),
    ] = None
    authorities_files: Annotated[
        tuple[Path, ...],
        Option(
            "Files with certificates (PEM) of authorities: a web server with updates must have its "
            "own from one of them; without them, from one that the system trusts.",
            '["keys/company-ca.pem"]',
            "when you have an authority of your own, and to trust no other",
        ),
    ] = ()
    download_limit: Annotated[
        SizeBytes,
        Option(
            "Limit for what a device downloads for one update, index and retries included, unless "
            "that run overrides it.",
            '"64M"',
            "when the link is metered: no device then downloads a whole system by accident",
        ),
    ] = 256 << 20
    proxy: Annotated[
        ProxyUrl | None,
        Option(
            "Proxy through which devices fetch updates, `http://host:port`; with `user:password@` "
            "before the host, which everyone who can read a device or the build store will see.",
            '"http://proxy.example:3128"',
            "when devices cannot reach the server of `update.url` themselves",
        ),
    ] = None

    def certificates(self) -> str | None:
        """Those of the authorities, one after the other; None: what the system trusts."""
        files = [read_text(path, MAX_SOURCE_BYTES) for path in self.authorities_files]
        return "".join(files) if files else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry of images of containers; most need nothing said about them.

    Who logs in, and how, is read from where podman and docker keep it: `auth.json`, `config.json`
    and the helpers that these name.
    """

    http: Annotated[
        bool,
        Option(
            "Whether it is asked without TLS. One on this machine is, whatever is said here.",
            "true",
            "when a registry of your own network has no certificate; anybody between can see what "
            "you fetch, but not change it unseen once it is locked",
        ),
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project: what all its hosts share. Written in `reconix.toml`."""

    name: Annotated[
        Name,
        Option(
            "Name of the project.",
            '"gateway"',
            "to tell the generations of several projects in one store apart",
        ),
    ]
    architecture: Annotated[
        Architecture,
        Option(
            "Architecture of hosts that do not name their own.",
            '"arm64"',
            "when most of the hosts have another architecture",
        ),
    ] = Architecture.AMD64
    archive: Archive = field(default_factory=Archive)
    archives: Annotated[
        Mapping[Name, OtherArchive],
        Option(
            "Archives of packages beside Debian's own.",
            '{ vendor = { url = "https://packages.example", suites = ["stable"], '
            'keyring = "keys/vendor.asc", packages = ["vendor-*"] } }',
            "for packages that Debian does not have, or has in another version",
        ),
    ] = field(default_factory=dict)
    registries: Annotated[
        Mapping[RegistryHost, Registry],
        Option(
            "Registries of images, by host and port as references have them.",
            '{ "registry.example:5000" = { http = true } }',
            "to reach one that has no TLS",
        ),
    ] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)
    trust: TrustRoot = field(default_factory=TrustRoot)
    update: Updates = field(default_factory=Updates)

    def is_debian(self, archive: str) -> bool:
        """Whether an archive is one of Debian's own, as backports are."""
        other = self.archives.get(archive)
        return archive in DEBIAN or (other is not None and other.url is None)


MOVED = {
    f"update.{name}": f"write it as trust.{name}"
    for name in ("keys", "keys_files", "threshold", "revoked", "key_set", "require_signature")
}
"""Options that stood in another table once, with where they belong."""
