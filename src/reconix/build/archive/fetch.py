"""Getting what the lock names: each file once, checked, kept by its hash.

A build trusts no server. A file is what the lock says, by size and SHA-256, or it is
not used. So it does not matter where it comes from, and once it is here the network may be off.

    <cache>/sha256/<first two digits>/<64 digits>     a file, under the name of its content

A file that is not in the cache is asked for in the archive that the lock names, and then, if it is
gone there and Debian's, in the dated archive that the project names. Archives drop old versions, so
this happens to every old lock; when no archive has the files any more, one error lists them all.

An archive may be a folder; so is the project, for its own package files. They are copied as well: a
file in ``dist/`` may change while it is installed, one in the cache does not.

What a server does is bounded: time to answer, size, rate, and how often it is asked again.

Tested by ``tests/unit/build/archive/test_fetch.py`` with a real server that misbehaves.
"""

import fcntl
import functools
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import lock_file, open_regular, replacing
from reconix.base.progress import Stage
from reconix.build.archive import apt
from reconix.build.archive.addresses import address_of_other, addresses
from reconix.build.archive.apt import address_of, path_of
from reconix.build.archive.logins import Files
from reconix.build.archive.retry import RetryPolicy, copy_bounded, patiently
from reconix.build.archive.transport import Client, Gone, Route
from reconix.config.lock.packages import DEBIAN, PROJECT, LockedPackage
from reconix.config.schema.project import Project

_AT_ONCE = 4
_MAX_NAMED = 40
_PATIENT = RetryPolicy()
_DATE_FORM = "%Y%m%dT%H%M%SZ"


class WrongContent(ReconixError):
    """A server sent something other than what the lock names."""

    exit_code = 67


class PackagesGone(ReconixError):
    """No archive has these files any more."""

    exit_code = 69

    def __init__(self, packages: Sequence[LockedPackage], *, searched_snapshot: bool) -> None:
        names = ", ".join(f"{p.name} {p.version}" for p in packages[:_MAX_NAMED])
        more = f" and {len(packages) - _MAX_NAMED} more" if len(packages) > _MAX_NAMED else ""
        where = "the archive nor the dated archive" if searched_snapshot else "the archive"
        verb = "neither " + where + " has" if searched_snapshot else where + " no longer has"
        dated = "" if searched_snapshot else "; or name a dated archive: archive.snapshot"
        super().__init__(
            f"{verb} {names}{more}", hint=f"lock again, which takes newer ones: reconix lock{dated}"
        )
        self.packages = tuple(packages)


@dataclass(frozen=True, slots=True)
class Locations:
    """Where files are available, and how to get there."""

    archives: Mapping[str, str]
    """Addresses by the names that the lock uses: ``debian``, ``debian-security``, ``vendor``."""
    snapshot: str | None = None
    """A template with ``{archive}`` and ``{date}``."""
    route: Route = field(default_factory=Route)
    dated: Mapping[str, str] = field(default_factory=lambda: {name: name for name in DEBIAN})
    """What an archive is called among dated archives, where it is."""

    def addresses(self, package: LockedPackage) -> Iterator[str]:
        """Where to look for a package, in order."""
        path = urllib.parse.quote(package.path, safe="/~+")
        if package.archive in self.archives:
            yield f"{self.archives[package.archive]}/{path}"
        if self.snapshot and package.archive in self.dated and package.date:
            for date in snapshot_dates(package.date):
                place = self.snapshot.replace("{archive}", self.dated[package.archive])
                yield f"{place.replace('{date}', date).rstrip('/')}/{path}"


def snapshot_dates(date: str) -> tuple[str, str]:
    """When to look in a dated archive: as locked, and a day later.

    An index is made before its files are copied to the dated archive, which answers with the copy
    that was the latest at the date. So the copy at the very date may be one too old.
    """
    when = datetime.strptime(date, _DATE_FORM).replace(tzinfo=UTC)
    return date, (when + timedelta(days=1)).strftime(_DATE_FORM)


def locate(project: Project, folder: Path) -> Locations:
    """The locations that a project's options and apt of this machine name.

    Args:
        project: with its archives.
        folder: of the project.
    """
    where = addresses(project.archive)
    archives = {"debian": where.main, "debian-security": where.security}
    for name, archive in project.archives.items():
        archives[name] = address_of_other(archive, folder, where)
    more = [name for name in project.archives if project.is_debian(name)]
    archives[PROJECT] = address_of(folder)
    return Locations(
        archives={name: address for name, address in archives.items() if address},
        snapshot=project.archive.snapshot,
        route=_route(),
        dated={name: name for name in DEBIAN} | dict.fromkeys(more, "debian"),
    )


def _route() -> Route:
    """How apt of this machine reaches servers."""
    settings = apt.machine_settings()
    proxies = {s: apt.setting(settings, f"Acquire::{s}::Proxy") for s in ("http", "https")}
    named = {scheme: proxy for scheme, proxy in proxies.items() if proxy and proxy != "DIRECT"}
    certificates = apt.setting(settings, "Acquire::https::CaInfo")
    return Route(
        proxies=urllib.request.getproxies() | named,
        certificates=Path(certificates) if certificates else None,
        logins=Files.of_machine().logins(),
    )


def cached_path(cache: Path, digest: Digest) -> Path:
    """Where the file with a content lies in the cache, if it is there."""
    return cache / "sha256" / digest.hex()[:2] / digest.hex()


def fetch(
    packages: Iterable[LockedPackage],
    locations: Callable[[], Locations],
    *,
    cache: Path,
    retry: RetryPolicy = _PATIENT,
) -> Mapping[LockedPackage, Path]:
    """Get the files of packages, from the cache or from the archives.

    Args:
        packages: what the lock names.
        locations: asked only if something is missing.
        cache: a folder that is kept between builds; made if it is not there.
        retry: limits for servers.

    Returns:
        A file for each package: complete, and checked just now.

    Raises:
        WrongContent: a server sent something else; the message has both hashes.
        DownloadFailed: an archive cannot be reached.
        PackagesGone: no archive has some of the files; the message names all of them.
    """
    wanted = sorted(set(packages))
    paths = {package: cached_path(cache, package.sha256) for package in wanted}
    missing = _missing(paths)
    if missing:
        with only_writer(cache):
            missing = _missing({package: paths[package] for package in missing})
            if missing:
                _Downloads(locations(), retry).get({p: paths[p] for p in missing})
    return paths


def _missing(paths: Mapping[LockedPackage, Path]) -> list[LockedPackage]:
    """Packages whose files are not in the cache, or not what they should be."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        right = pool.map(lambda package: _is_right(paths[package], package), paths)
        return [package for package, good in zip(paths, right, strict=True) if not good]


def _is_right(path: Path, package: LockedPackage) -> bool:
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return False
    if size_bytes == package.size_bytes and Digest.of_file(path) == package.sha256:
        return True
    progress.note(f"{path} is damaged; fetching {package.name} again")
    return False


@contextmanager
def only_writer(cache: Path) -> Iterator[None]:
    """Lock the cache, so that two builds do not fetch the same files."""
    cache.mkdir(parents=True, exist_ok=True)
    with lock_file(cache / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(f"waiting for another build that is writing to {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _title(count: int) -> str:
    return f"fetch {count} package{'' if count == 1 else 's'}"


class _Share:
    """What one file has of the bytes of a stage, which several files fill at once."""

    def __init__(self, stage: Stage, lock: threading.Lock) -> None:
        self._stage, self._lock, self._done = stage, lock, 0

    def counted(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """The same, and what it reads is counted."""

        def read_and_count(size: int) -> bytes:
            chunk = read(size)
            self._advance(len(chunk))
            return chunk

        return read_and_count

    def give_back(self) -> None:
        """What came is not used: it comes again."""
        self._advance(-self._done)

    def _advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            self._stage.advance(amount)


class _Downloads:
    """Fetches several files at once."""

    def __init__(self, locations: Locations, retry: RetryPolicy) -> None:
        self._locations, self._retry = locations, retry
        self._lock = threading.Lock()
        self._own = threading.local()
        self._clients: list[Client] = []

    def _client(self) -> Client:
        """The connections of this thread."""
        if not hasattr(self._own, "client"):
            self._own.client = Client(self._locations.route)
            with self._lock:
                self._clients.append(self._own.client)
        client: Client = self._own.client
        return client

    def get(self, wanted: Mapping[LockedPackage, Path]) -> None:
        total = sum(package.size_bytes for package in wanted)
        gone = []
        with (
            progress.stage(_title(len(wanted)), total=total) as stage,
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            work = {pool.submit(self._get_one, p, path, stage): p for p, path in wanted.items()}
            try:
                gone = [work[done] for done in as_completed(work) if not done.result()]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                pool.shutdown()
                for client in self._clients:
                    client.close()
        if gone:
            snapshot = self._locations.snapshot is not None
            raise PackagesGone(sorted(gone), searched_snapshot=snapshot)

    def _get_one(self, package: LockedPackage, path: Path, stage: Stage) -> bool:
        """Fetch one file from the first place that has it; whether there is one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        for address in self._locations.addresses(package):
            try:
                share = _Share(stage, self._lock)
                fetch_it = functools.partial(self._get_from, address, package, path, share)
                patiently(address, fetch_it, self._retry)
            except Gone:
                continue
            return True
        return False

    def _get_from(self, address: str, package: LockedPackage, path: Path, share: "_Share") -> None:
        """Copy exactly what the lock names, or fail."""
        share.give_back()  # what an attempt before this one has told
        progress.doing(f"{package.name} {package.version}")
        with self._open(address) as read, replacing(path) as file:
            counted = share.counted(read)
            found, size_bytes = copy_bounded(counted, file, package.size_bytes, self._retry)
            _check(found, size_bytes, package, address)

    def _open(self, address: str) -> AbstractContextManager[Callable[[int], bytes]]:
        """A function that reads what lies at an address, of a server or of this machine."""
        folder = path_of(address)
        return self._client().get(address) if folder is None else _reading(folder)


@contextmanager
def _reading(path: Path) -> Iterator[Callable[[int], bytes]]:
    try:
        file = open_regular(path)
    except FileNotFoundError as error:
        raise Gone from error
    with file:
        yield file.read


def _check(found: Digest, size_bytes: int, package: LockedPackage, address: str) -> None:
    if size_bytes > package.size_bytes:
        fact = f"expected {package.size_bytes} bytes, found more"
    elif found != package.sha256:
        fact = f"expected {package.sha256}, found {found}"
    else:
        return
    raise WrongContent(
        f"{address} is not {package.id} of the lock: {fact}",
        hint="it was changed in transit, or the lock belongs to another archive: reconix lock",
    )
