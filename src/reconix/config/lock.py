"""The lock: every input of a build, pinned by hash.

``reconix lock`` is the only step that uses the network. What it learns is written to
``reconix.lock``, and ``reconix build`` takes its inputs from there and from nowhere else: each with
its size and its SHA-256, so that it does not matter which server they come from.

The document has two parts. ``packages`` says once for every package what it is and where it can be
had; ``hosts`` says which of them each system consists of. Nothing in it depends on when it was
written: the date of a package is the date of the archive's index in which it was first seen, and
stays when the lock is made again (``keep_dates``).

    {"version": 1,
     "digest": "<SHA-256 over packages and hosts, dates left out>",
     "packages": {"<name>_<version>_<architecture>": {"name", "version", "architecture",
                  "size_bytes", "sha256", "archive", "path", "date"}},
     "hosts": {"<host>": {"architecture", "suites": ["trixie", …], "components": ["main"],
               "loader": [<package>], "initrd": [<package>],
               "systems": {"<system>": {"asked": ["nginx", …], "packages": [<package>, …],
                                        "asked_kernel": "linux-image-…", "kernel": [<package>]}},
               "numbers": {"<user or group>": 1234},
               "nix": {"<system>": {"asked": "nixos#toplevel", "toplevel": "/nix/store/…",
                                    "closure_sha256": "…"}}}}}

Systems that Nix built are under ``nix``, which is omitted if there are none: their names in a store
do not always follow from their content, so that of the whole closure is pinned by a hash.

``numbers`` is what builds have learnt and must not forget: the numbers of users and groups, to whom
what devices keep belongs (``build/users/static_ids.py``). They are only ever added.

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/test_lock.py``.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reconix.base.digests import Digest
from reconix.base.documents import Fields, JsonInput, print_json
from reconix.base.errors import ReconixError
from reconix.store.paths import StorePath

FILE_NAME = "reconix.lock"
VERSION = 1
MAX_LOCK_BYTES = 64 << 20
LOADER = "systemd-boot-efi"
INITRD = "busybox-static"

_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_VERSION = re.compile(r"[0-9A-Za-z.+~:-]+")
_ARCHITECTURE = re.compile(r"[a-z0-9-]+")
_ARCHIVE = re.compile(r"debian(-security)?")
_PATH = re.compile(r"pool/[A-Za-z0-9._+~/-]+\.deb")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_NOBODY = 65534
_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATE_FORM = "%Y%m%dT%H%M%SZ"


class BadLock(ReconixError):
    """The lock file was not written by reconix, or was changed since."""

    exit_code = 64

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="write it again: reconix lock")


def _is_date(text: str) -> bool:
    """Whether there is such a day, and one after it."""
    try:
        datetime.strptime(text, _DATE_FORM).replace(tzinfo=UTC) + timedelta(days=1)
    except (OverflowError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, order=True)
class LockedPackage:
    """One Debian package; valid by construction."""

    name: str
    version: str
    architecture: str
    """As the package says: ``all`` is possible."""
    size_bytes: int
    sha256: Digest
    archive: str
    """``debian`` or ``debian-security``."""
    path: str
    """Below the archive: ``pool/main/…/….deb``."""
    date: str
    """When an archive had it, as snapshot archives write it: ``20260912T075541Z``."""

    def __post_init__(self) -> None:
        for what, value, form in (
            ("name", self.name, _NAME),
            ("version", self.version, _VERSION),
            ("architecture", self.architecture, _ARCHITECTURE),
            ("archive", self.archive, _ARCHIVE),
            ("path", self.path, _PATH),
            ("date", self.date, _DATE),
        ):
            if not form.fullmatch(value) or ".." in value.split("/"):
                raise BadLock(f"{value!r} is not a valid package {what}")
        if not _is_date(self.date):
            raise BadLock(f"{self.date} is not a valid date")

    @property
    def id(self) -> str:
        """What the package is called within a lock, and in messages."""
        return f"{self.name}_{self.version}_{self.architecture}"

    @property
    def file_name(self) -> str:
        """The name of its file as apt spells it."""
        return f"{self.id.replace(':', '%3a')}.deb"


@dataclass(frozen=True, slots=True)
class SystemLock:
    """What one system consists of, and what was asked for."""

    asked: tuple[str, ...]
    packages: tuple[LockedPackage, ...]
    asked_kernel: str
    kernel: tuple[LockedPackage, ...]


@dataclass(frozen=True, slots=True)
class NixLock:
    """What a system that Nix built is, and what was asked for."""

    asked: str
    """A store path, or a flake and an attribute."""
    toplevel: StorePath
    closure: Digest
    """SHA-256 of the manifest of the toplevel's closure (``store/manifest.py``)."""


@dataclass(frozen=True, slots=True)
class HostLock:
    """What the systems of one host consist of."""

    architecture: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    loader: tuple[LockedPackage, ...]
    initrd: tuple[LockedPackage, ...]
    systems: Mapping[str, SystemLock]
    nix: Mapping[str, NixLock] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Of users and groups, by name, on all its systems."""

    def __post_init__(self) -> None:
        for name, number in self.numbers.items():
            if not _USER.fullmatch(name) or not 0 < number < _NOBODY:
                raise BadLock(f"{name!r} cannot have the number {number}")
        if len(set(self.numbers.values())) < len(self.numbers):
            raise BadLock("two users have the same number")

    def packages(self) -> Iterator[LockedPackage]:
        """Every package that the host needs, some more than once."""
        yield from self.loader
        yield from self.initrd
        for system in self.systems.values():
            yield from system.packages
            yield from system.kernel


@dataclass(frozen=True, slots=True)
class Lock:
    """Everything that a project's builds take in; within it, an id means one package."""

    hosts: Mapping[str, HostLock]

    def __post_init__(self) -> None:
        packages = self.packages()
        for one, other in itertools.pairwise(packages):
            if one.id == other.id:
                raise BadLock(f"{one.id} refers to two files: {one.sha256} and {other.sha256}")

    def packages(self) -> tuple[LockedPackage, ...]:
        """Every package once, sorted."""
        return tuple(sorted({p for host in self.hosts.values() for p in host.packages()}))

    def digest(self) -> Digest:
        """A digest of what is locked; when it was first seen does not count."""
        return Digest.of(print_json(_hosts(self)) + print_json(_packages(self, with_dates=False)))


def print_lock(lock: Lock) -> bytes:
    """The content of ``reconix.lock``."""
    return print_json(
        {
            "version": VERSION,
            "digest": lock.digest().hex(),
            "packages": _packages(lock, with_dates=True),
            "hosts": _hosts(lock),
        }
    )


def _packages(lock: Lock, *, with_dates: bool) -> JsonInput:
    return {package.id: _package(package, with_date=with_dates) for package in lock.packages()}


def _package(package: LockedPackage, *, with_date: bool) -> JsonInput:
    date = {"date": package.date} if with_date else {}
    return date | {
        "name": package.name,
        "version": package.version,
        "architecture": package.architecture,
        "size_bytes": package.size_bytes,
        "sha256": package.sha256.hex(),
        "archive": package.archive,
        "path": package.path,
    }


def _hosts(lock: Lock) -> JsonInput:
    return {name: _host(host) for name, host in lock.hosts.items()}


def _host(host: HostLock) -> JsonInput:
    nix = {"nix": {name: _nix(system) for name, system in host.nix.items()}} if host.nix else {}
    numbers = {"numbers": {**host.numbers}} if host.numbers else {}
    return {
        **nix,
        **numbers,
        "architecture": host.architecture,
        "suites": list(host.suites),
        "components": list(host.components),
        "loader": _ids(host.loader),
        "initrd": _ids(host.initrd),
        "systems": {name: _system(system) for name, system in host.systems.items()},
    }


def _system(system: SystemLock) -> JsonInput:
    return {
        "asked": [*sorted(system.asked)],
        "packages": _ids(system.packages),
        "asked_kernel": system.asked_kernel,
        "kernel": _ids(system.kernel),
    }


def _nix(system: NixLock) -> JsonInput:
    return {
        "asked": system.asked,
        "toplevel": str(system.toplevel),
        "closure_sha256": system.closure.hex(),
    }


def _ids(packages: Iterable[LockedPackage]) -> JsonInput:
    return [package.id for package in sorted(packages)]


def parse_lock(content: bytes, *, source: str) -> Lock:
    """Read a lock.

    Raises:
        BadDocument: it is not JSON, or not of this form.
        BadLock: it has another version, or was edited by hand.
    """
    fields = Fields.parse(content, source=source)
    if fields.number("version") != VERSION:
        raise BadLock(f"{source} has version {fields.number('version')}, expected {VERSION}")
    listed = fields.object("packages")
    packages = {name: _read_package(listed.object(name)) for name in listed.names()}
    hosts = fields.object("hosts")
    lock = Lock({name: _read_host(hosts.object(name), packages) for name in hosts.names()})
    if lock.digest().hex() != fields.text("digest"):
        raise BadLock(f"{source} was edited by hand: its digest does not match its content")
    return lock


def _read_package(fields: Fields) -> LockedPackage:
    return LockedPackage(
        name=fields.text("name"),
        version=fields.text("version"),
        architecture=fields.text("architecture"),
        size_bytes=fields.number("size_bytes"),
        sha256=Digest.parse(fields.text("sha256")),
        archive=fields.text("archive"),
        path=fields.text("path"),
        date=fields.text("date"),
    )


def _read_host(fields: Fields, packages: Mapping[str, LockedPackage]) -> HostLock:
    systems = fields.object("systems")
    return HostLock(
        architecture=fields.text("architecture"),
        suites=tuple(fields.texts("suites")),
        components=tuple(fields.texts("components")),
        loader=_read_ids(fields, "loader", packages),
        initrd=_read_ids(fields, "initrd", packages),
        systems={name: _read_system(systems.object(name), packages) for name in systems.names()},
        nix=_read_nix(fields.object("nix")) if fields.has("nix") else {},
        numbers=_read_numbers(fields.object("numbers")) if fields.has("numbers") else {},
    )


def _read_numbers(fields: Fields) -> Mapping[str, int]:
    return {name: fields.number(name) for name in fields.names()}


def _read_nix(fields: Fields) -> Mapping[str, NixLock]:
    return {
        name: NixLock(
            asked=system.text("asked"),
            toplevel=StorePath.parse(system.text("toplevel")),
            closure=Digest.parse(system.text("closure_sha256")),
        )
        for name, system in ((name, fields.object(name)) for name in fields.names())
    }


def _read_system(fields: Fields, packages: Mapping[str, LockedPackage]) -> SystemLock:
    return SystemLock(
        asked=tuple(fields.texts("asked")),
        packages=_read_ids(fields, "packages", packages),
        asked_kernel=fields.text("asked_kernel"),
        kernel=_read_ids(fields, "kernel", packages),
    )


def _read_ids(
    fields: Fields, key: str, packages: Mapping[str, LockedPackage]
) -> tuple[LockedPackage, ...]:
    unknown = [name for name in fields.texts(key) if name not in packages]
    if unknown:
        raise BadLock(f"{fields.source}: {key} names {unknown[0]!r}, which is not listed")
    return tuple(packages[name] for name in fields.texts(key))


def keep_dates(old: Lock, new: Lock) -> Lock:
    """The new lock, with the old dates for packages that the old one has.

    The index of an archive is made anew several times a day, even when nothing in it changes. With
    the date of the first sight, to lock again writes the same bytes. A snapshot archive still has
    the file at that date.
    """
    dates = {(package.id, package.sha256): package.date for package in old.packages()}

    def dated(packages: tuple[LockedPackage, ...]) -> tuple[LockedPackage, ...]:
        return tuple(replace(p, date=dates.get((p.id, p.sha256), p.date)) for p in packages)

    def redated(host: HostLock) -> HostLock:
        systems = {
            name: replace(system, packages=dated(system.packages), kernel=dated(system.kernel))
            for name, system in host.systems.items()
        }
        return replace(host, loader=dated(host.loader), initrd=dated(host.initrd), systems=systems)

    return Lock({name: redated(host) for name, host in new.hosts.items()})


def keep_numbers(old: Lock, new: Lock) -> Lock:
    """The new lock, with the numbers that the old one knows: archives know nothing of them."""
    return Lock(
        {
            name: replace(host, numbers=old.hosts[name].numbers) if name in old.hosts else host
            for name, host in new.hosts.items()
        }
    )
