"""The lock: every input of a build, pinned by hash.

``reconix lock`` is the only step that uses the network. What it learns is written to
``reconix.lock``, and ``reconix build`` takes its inputs from there and from nowhere else: each with
its size and its SHA-256, so that it does not matter which server they come from.

The document has two parts. ``packages`` says once for every package what it is and where it can be
had; ``hosts`` says which of them each system consists of. Nothing in it depends on when it was
written: the date of a package is the date of the archive's index in which it was first seen, and
stays when the lock is made again (``keep_dates``).

    {"version": 2,
     "digest": "<SHA-256 over packages and hosts, dates left out>",
     "packages": {"<name>_<version>_<architecture>": {"name", "version", "architecture",
                  "size_bytes", "sha256", "archive", "path", "date"}},
     "hosts": {"<host>": {"architecture", "suites": ["trixie", …], "components": ["main"],
               "loader": [<package>], "initrd": [<package>],
               "systems": {"<system>": {"asked": ["nginx", …], "packages": [<package>, …],
                                        "asked_kernel": "linux-image-…", "kernel": [<package>],
                                        "python": {"<environment>": {"asked": "<SHA-256>",
                                                   "wheels": [{"name", "version", "file_name",
                                                   "size_bytes", "sha256", "origin"}]}},
                                        "containers": {"<container>": {"image": "<reference>",
                                                       "top": "<SHA-256>", "manifest": <blob>,
                                                       "config": <blob>, "layers": [<blob>]}}}},
               "numbers": {"<user or group>": 1234},
               "ranges": {"<container>": 0},
               "nix": {"<system>": {"asked": "nixos#toplevel", "toplevel": "/nix/store/…",
                                    "closure_sha256": "…"}}}}}

``python`` is omitted where there is none; the project's own wheels are not in it. ``containers``
is omitted as well. A blob is ``{"digest", "size_bytes", "media_type"}``, that of a layer has a
``diff_id`` too; a container of Debian packages has ``asked`` and ``packages`` instead.

Systems that Nix built are under ``nix``, which is omitted if there are none: their names in a store
do not always follow from their content, so that of the whole closure is pinned by a hash.

``numbers`` is what builds have learnt and must not forget: the numbers of users and groups, to whom
what devices keep belongs (``build/users/static_ids.py``). ``ranges`` is the same for containers.
Both are only ever added to.

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/lock/test_document.py``.
"""

from collections.abc import Iterable, Mapping

from reconix.base.digests import Digest
from reconix.base.documents import Fields, JsonInput, print_json
from reconix.config.lock.containers import ContainerLock, LockedBlob, LockedLayer
from reconix.config.lock.hosts import ArchiveLock, HostLock, Lock, NixLock, SystemLock
from reconix.config.lock.packages import BadLock, LockedPackage, SourcePackage
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.store.paths import StorePath

FILE_NAME = "reconix.lock"
VERSION = 2
_READ = (1, VERSION)
"""Version 1 knew neither sources nor other archives than Debian's."""
MAX_LOCK_BYTES = 64 << 20


def digest(lock: Lock) -> Digest:
    """A digest of what is locked; when it was first seen does not count."""
    return Digest.of(print_json(_hosts(lock)) + print_json(_packages(lock, with_dates=False)))


def print_lock(lock: Lock) -> bytes:
    """The content of ``reconix.lock``."""
    return print_json(
        {
            "version": VERSION,
            "digest": digest(lock).hex(),
            "packages": _packages(lock, with_dates=True),
            "hosts": _hosts(lock),
        }
    )


def _packages(lock: Lock, *, with_dates: bool) -> JsonInput:
    return {package.id: _package(package, with_date=with_dates) for package in lock.packages()}


def _package(package: LockedPackage, *, with_date: bool) -> JsonInput:
    date = {"date": package.date} if with_date and package.date else {}
    source = package.source
    built_from = {"source": source.name, "source_version": source.version} if source else {}
    return {
        **date,
        **built_from,
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
    ranges = {"ranges": {**host.ranges}} if host.ranges else {}
    archives = {name: _archive(archive) for name, archive in host.archives.items()}
    return {
        **nix,
        **numbers,
        **ranges,
        **({"archives": archives} if archives else {}),
        "architecture": host.architecture,
        "suites": list(host.suites),
        "components": list(host.components),
        "loader": _ids(host.loader),
        "initrd": _ids(host.initrd),
        "systems": {name: _system(system) for name, system in host.systems.items()},
    }


def _archive(archive: ArchiveLock) -> JsonInput:
    return {
        "suites": list(archive.suites),
        "components": list(archive.components),
        "packages": list(archive.packages),
    }


def _system(system: SystemLock) -> JsonInput:
    python = {name: _python(environment) for name, environment in system.python.items()}
    containers = {name: _container(container) for name, container in system.containers.items()}
    return {
        **({"python": python} if python else {}),
        **({"containers": containers} if containers else {}),
        "asked": [*sorted(system.asked)],
        "packages": _ids(system.packages),
        "asked_kernel": system.asked_kernel,
        "kernel": _ids(system.kernel),
    }


def _python(environment: PythonLock) -> JsonInput:
    return {
        "asked": environment.asked.hex(),
        "wheels": [_wheel(wheel) for wheel in sorted(environment.wheels)],
    }


def _wheel(wheel: LockedWheel) -> JsonInput:
    return {
        "name": wheel.name,
        "version": wheel.version,
        "file_name": wheel.file_name,
        "size_bytes": wheel.size_bytes,
        "sha256": wheel.sha256.hex(),
        "origin": wheel.origin,
    }


def _container(container: ContainerLock) -> JsonInput:
    if container.top is None or container.manifest is None or container.config is None:
        asked = [*sorted(container.asked_packages)]
        return {"asked": asked, "packages": _ids(container.packages)}
    return {
        "image": container.asked,
        "top": container.top.hex(),
        "manifest": {**_blob(container.manifest)},
        "config": {**_blob(container.config)},
        "layers": [
            {**_blob(layer.blob), "diff_id": layer.diff_id.hex()} for layer in container.layers
        ],
    }


def _blob(blob: LockedBlob) -> dict[str, str | int]:
    return {
        "digest": blob.digest.hex(),
        "size_bytes": blob.size_bytes,
        "media_type": blob.media_type,
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
    if fields.number("version") not in _READ:
        raise BadLock(f"{source} has version {fields.number('version')}, expected {VERSION}")
    listed = fields.object("packages")
    packages = {name: _read_package(listed.object(name)) for name in listed.names()}
    hosts = fields.object("hosts")
    lock = Lock({name: _read_host(hosts.object(name), packages) for name in hosts.names()})
    if digest(lock).hex() != fields.text("digest"):
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
        date=fields.text("date") if fields.has("date") else "",
        source=_read_source(fields) if fields.has("source") else None,
    )


def _read_source(fields: Fields) -> SourcePackage:
    return SourcePackage(fields.text("source"), fields.text("source_version"))


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
        archives=_read_archives(fields.object("archives")) if fields.has("archives") else {},
        ranges=_read_numbers(fields.object("ranges")) if fields.has("ranges") else {},
    )


def _read_archives(fields: Fields) -> Mapping[str, ArchiveLock]:
    return {
        name: ArchiveLock(
            suites=tuple(archive.texts("suites")),
            components=tuple(archive.texts("components")),
            packages=tuple(archive.texts("packages")),
        )
        for name, archive in ((name, fields.object(name)) for name in fields.names())
    }


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
        python=_read_python(fields.object("python")) if fields.has("python") else {},
        containers=_read_containers(fields, packages) if fields.has("containers") else {},
    )


def _read_containers(
    fields: Fields, packages: Mapping[str, LockedPackage]
) -> Mapping[str, ContainerLock]:
    containers = fields.object("containers")
    return {name: _read_container(containers.object(name), packages) for name in containers.names()}


def _read_container(fields: Fields, packages: Mapping[str, LockedPackage]) -> ContainerLock:
    if not fields.has("image"):
        asked = tuple(fields.texts("asked"))
        return ContainerLock(asked_packages=asked, packages=_read_ids(fields, "packages", packages))
    return ContainerLock(
        asked=fields.text("image"),
        top=Digest.parse(fields.text("top")),
        manifest=_read_blob(fields.object("manifest")),
        config=_read_blob(fields.object("config")),
        layers=tuple(
            LockedLayer(_read_blob(layer), Digest.parse(layer.text("diff_id")))
            for layer in fields.objects("layers")
        ),
    )


def _read_blob(fields: Fields) -> LockedBlob:
    digest = Digest.parse(fields.text("digest"))
    return LockedBlob(digest, fields.number("size_bytes"), fields.text("media_type"))


def _read_python(fields: Fields) -> Mapping[str, PythonLock]:
    return {
        name: PythonLock(
            asked=Digest.parse(environment.text("asked")),
            wheels=tuple(map(_read_wheel, environment.objects("wheels"))),
        )
        for name, environment in ((name, fields.object(name)) for name in fields.names())
    }


def _read_wheel(fields: Fields) -> LockedWheel:
    return LockedWheel(
        name=fields.text("name"),
        version=fields.text("version"),
        file_name=fields.text("file_name"),
        size_bytes=fields.number("size_bytes"),
        sha256=Digest.parse(fields.text("sha256")),
        origin=fields.text("origin"),
    )


def _read_ids(
    fields: Fields, key: str, packages: Mapping[str, LockedPackage]
) -> tuple[LockedPackage, ...]:
    unknown = [name for name in fields.texts(key) if name not in packages]
    if unknown:
        raise BadLock(f"{fields.source}: {key} names {unknown[0]!r}, which is not listed")
    return tuple(packages[name] for name in fields.texts(key))
