"""Identity: what one device has of its own, while all devices of a host share one generation.

``reconix image --device SERIAL`` writes it to the data partition. It is signed with the keys that
sign updates, because it says who may log in. What was signed is kept byte for byte, as a text:

    {"document": "…", "signatures": [{"key": "<base 64>", "value": "<base 64>"}]}

    document: {"version": 1, "host": "gateway", "serial": "GW-0001", "hostname": "gateway-0001",
               "address": {"lan": "192.0.2.11/24"}, "authorized_keys": ["ssh-ed25519 …"]}

The agent applies it early at each start, over the generated files of the system that runs, and only
if the keys that the device trusts have signed it and it is for this host. One that is not
trusted changes nothing: the device starts as any of its host, and says why. One that was trusted
once is remembered by its digest on the system partition, which only the agent writes: a device must
not lose its address because the keys for updates have changed since it was made.

Tested by ``tests/unit/device/test_identity.py`` and ``tests/vm/test_schedule.py``.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.state.lock import exclusive_rw
from reconix.device.trust_store import TrustStore
from reconix.transfer.trust.seal import Signature, parse_signature_list, print_signature_list
from reconix.transfer.trust.trust import UNSIGNED, NotTrusted, Trust

FILE_NAME = "identity.json"
MAX_BYTES = 1 << 16
_WAIT_SECONDS = 30.0
_STATEMENT = b"reconix identity 1\n"
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NETWORK = re.compile(r"[A-Za-z0-9_.*?-]{1,64}")
_ADDRESS = re.compile(r"[0-9a-fA-F:.]+/\d{1,3}")
_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\x00-\x1f]*)?")


class BadIdentity(ReconixError):
    """An identity is not one, is not for this device, or is not trusted."""

    exit_code = 82

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the identity of this device is not applied: {what}",
            hint="make its image again: reconix image --device SERIAL",
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """What one device has of its own; valid by construction."""

    host: str
    serial: str
    hostname: str | None
    address: Mapping[str, str]  # by network
    authorized_keys: tuple[str, ...]

    def __post_init__(self) -> None:
        spelled = [
            (_SERIAL, self.serial),
            *((_HOSTNAME, name) for name in (self.hostname,) if name is not None),
            *((_NETWORK, name) for name in self.address),
            *((_ADDRESS, value) for value in self.address.values()),
            *((_KEY, key) for key in self.authorized_keys),
        ]
        for form, text in spelled:
            if not form.fullmatch(text):
                raise BadIdentity(f"{text[:80]!r} is not allowed in it")

    def print(self) -> bytes:
        """The document that is signed."""
        return print_json(
            {
                "version": 1,
                "host": self.host,
                "serial": self.serial,
                "hostname": self.hostname,
                "address": dict(self.address),
                "authorized_keys": list(self.authorized_keys),
            }
        )


def statement(document: bytes) -> bytes:
    """What is signed: the document, and what the signature is for."""
    return _STATEMENT + document


def print_signed(document: bytes, signatures: Iterable[Signature]) -> bytes:
    """The file of an identity."""
    return print_json(
        {"document": document.decode(), "signatures": print_signature_list(signatures)}
    )


def parse_signed(content: bytes, trust: Trust, *, source: str) -> Identity:
    """Read the file of an identity, if it is signed as an update would have to be.

    Raises:
        BadIdentity: it is malformed, or too few of the keys that the device trusts have signed it.
    """
    try:
        fields = Fields.parse(content, source=source)
        document = fields.text("document").encode()
        signatures = parse_signature_list(fields)
        trust.expect_signed(signatures, statement(document))
        return _identity(Fields.parse(document, source=f"{source}: document"))
    except NotTrusted as error:
        raise BadIdentity(error.why) from error
    except (BadDocument, ValueError) as error:
        raise BadIdentity(str(error)) from error


def _identity(fields: Fields) -> Identity:
    fields.version()  # one that is newer only says more
    addresses = fields.object("address")
    return Identity(
        host=fields.text("host"),
        serial=fields.text("serial"),
        hostname=fields.text("hostname") if fields.has("hostname") else None,
        address={name: addresses.text(name) for name in addresses.names()},
        authorized_keys=tuple(fields.texts("authorized_keys")),
    )


def read_identity(device: Device) -> Identity | None:
    """The identity of this device, if it has one.

    Raises:
        BadIdentity: it is not to be applied.
        ReconixError: it is not known which keys this device trusts.
    """
    path = device.paths.data / FILE_NAME
    try:
        content = read_bounded(path, MAX_BYTES, follow_links=False)
    except FileNotFoundError:
        return None
    except BadFile as error:
        raise BadIdentity(str(error)) from error
    identity = _trusted(device, content, source=str(path))
    host = device.generation(device.recall().committed.generation).host
    if identity.host != host:
        raise BadIdentity(f"it is for a device of {identity.host}, this is one of {host}")
    return identity


def said_serial(paths: Paths) -> str | None:
    """The serial number that an identity says, verified or not: to tell devices apart, no more."""
    try:
        content = read_bounded(paths.data / FILE_NAME, MAX_BYTES, follow_links=False)
        return parse_signed(content, UNSIGNED, source=FILE_NAME).serial
    except (OSError, BadFile, BadIdentity):
        return None


def _trusted(device: Device, content: bytes, *, source: str) -> Identity:
    digest, paths = Digest.of(content).hex(), device.paths
    before = _known(paths)
    if digest in before[:1]:
        return parse_signed(content, UNSIGNED, source=source)
    identity = parse_signed(content, TrustStore.read(device).trust, source=source)
    with exclusive_rw(paths, wait_seconds=_WAIT_SECONDS):
        lines = "".join(f"{line}\n" for line in [digest, *before[1:]])
        write_durably(paths.known_identity, lines.encode())
    return identity


def _known(paths: Paths) -> list[str]:
    """The digest of what was verified once, and what a newer agent has added in further lines."""
    try:
        return read_bounded(paths.known_identity, MAX_BYTES).decode("ascii").splitlines()
    except (OSError, BadFile, UnicodeDecodeError):
        return []


def apply_identity(identity: Identity, root: Path) -> None:
    """Lay an identity over the files of a system, before any program reads them.

    Args:
        identity: of this device, verified.
        root: of the system that runs.
    """
    etc = root / "etc"
    if identity.hostname is not None:
        name = identity.hostname
        _replace(etc / "hostname", f"{name}\n")
        _replace(etc / "hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")
        _replace(root / "proc/sys/kernel/hostname", f"{name}\n")
    for network, address in sorted(identity.address.items()):
        for file in sorted((etc / "systemd/network").glob(f"[0-9]*-{_stem(network)}.network")):
            text = f"[Network]\nAddress=\nAddress={address}\n"
            _replace(file.with_name(f"{file.name}.d") / "identity.conf", text)
    for file in sorted((etc / "reconix/authorized_keys").glob("*")):
        keys = "".join(f"{key}\n" for key in identity.authorized_keys)
        _replace(file, file.read_text(encoding="utf-8") + keys)


def _stem(network: str) -> str:
    return network.replace("*", "x").replace("?", "[?]")


def _replace(file: Path, text: str) -> None:
    """These files are gone at the next start, so there is nothing to make durable."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
