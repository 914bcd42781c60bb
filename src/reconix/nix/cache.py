"""Binary caches: folders and web servers that objects are taken from, or given to.

::

    nix-cache-info               StoreDir: /nix/store
    <hash>.narinfo               what is known about one object, with signatures
    nar/<digest>.nar.<zst|xz>    its archive, compressed

Nothing that a cache says is trusted: what it describes must be signed by a trusted key, or be named
by its own content; what it delivers must have the announced size and digest, compressed and
unpacked. Both sizes are limits while we read, so an endless body or a bomb costs no more than was
announced; and what is announced is bounded by a limit and by the room that there is, because
whoever announces 2^62 bytes has promised nothing.

Source: ``libstore/binary-cache-store.cc`` of Nix 2.8.
Tested by ``tests/compat/test_nix_cache.py``, with ``nix copy`` in both directions.
"""

import contextlib
import hashlib
import io
import lzma
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from reconix.base.address import Address, Refused, shown
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, open_regular, replacing, write_durably
from reconix.base.http import BROKEN, Answer, Client, Limits, Route
from reconix.nix.chroot import Arrival, ChrootStore
from reconix.nix.database import PathInfo
from reconix.nix.narinfo import BadNarInfo, NarInfoFile, parse_narinfo, print_narinfo
from reconix.nix.signatures import PublicKey, SecretKey, check
from reconix.store import nar
from reconix.store.nar import Event
from reconix.store.paths import STORE_DIR, StorePath, base32_encode, content_address

_SUFFIX = {"zstd": ".zst", "xz": ".xz", "none": ""}
_MOST_NARINFO_BYTES = 1 << 20
_MIN_BYTES_A_MINUTE = 60 * (8 << 10)
MAX_OBJECT_BYTES = 64 << 30
"""Larger objects are not taken; the largest that are in use have some GiB."""
MAX_OBJECTS = 1 << 17
"""Closures are smaller: that of a desktop has some thousand."""
_MAX_MEMORY_BYTES = 1 << 27
"""For unpacking; both compressions need less at their highest ordinary level."""
_PIECE_BYTES = 1 << 18


class CacheUnusable(ReconixError):
    """A cache cannot be reached, does not have something, or delivers something else."""

    exit_code = 28

    def __init__(self, source: str, what: str) -> None:
        super().__init__(f"{source}: {what}", hint="use another cache; nothing was added")


class Cache(Protocol):
    """Where files of a binary cache can be read."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Read a file by its relative name.

        Raises:
            CacheUnusable: it is not available.
        """

    def source(self, name: str) -> str:
        """How messages call a file."""


@dataclass(frozen=True, slots=True)
class FolderCache:
    """A binary cache in a folder."""

    folder: Path

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Read a file."""
        try:
            file = open_regular(self.folder / name)
        except FileNotFoundError as error:
            raise CacheUnusable(self.source(name), "is not there") from error
        except (BadFile, OSError) as error:
            raise CacheUnusable(self.source(name), str(error)) from error
        with file:
            yield file

    def source(self, name: str) -> str:
        """How messages call a file."""
        return str(self.folder / name)


@dataclass(frozen=True, slots=True)
class HttpCache:
    """A binary cache on a web server.

    Attributes:
        url: its address.
        route: how it is reached.
        limits: how long it may take for an answer, and how much must come in a minute.
        total_seconds: for a whole file.
    """

    url: str
    route: Route = field(default_factory=Route)
    limits: Limits = field(default_factory=lambda: Limits(min_bytes=_MIN_BYTES_A_MINUTE))
    total_seconds: float = 24 * 3600.0

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Read a file; redirections are followed, but not in circles."""
        source = self.source(name)
        until = time.monotonic() + self.total_seconds
        client = Client(self.route, self.limits, until=until)
        try:
            yield io.BufferedReader(_Translated(self._ask(client, name), source))
        finally:
            client.close()

    def _ask(self, client: Client, name: str) -> Answer:
        try:
            answer = client.ask(Address.parse(f"{self.url.rstrip('/')}/{name}"))
        except BROKEN as error:
            raise _unusable(self.source(name), error) from error
        if answer.status != 200:
            raise CacheUnusable(self.source(name), f"the server answered {answer.status}")
        return answer

    def source(self, name: str) -> str:
        """How messages call a file."""
        return shown(f"{self.url.rstrip('/')}/{name}")


class _Translated(io.RawIOBase):
    """An answer whose failures are those of its cache; what is done with it may fail otherwise."""

    def __init__(self, answer: Answer, source: str) -> None:
        self._answer, self._source = answer, source

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """The next bytes."""
        try:
            return self._answer.readinto(buffer)
        except BROKEN as error:
            raise _unusable(self._source, error) from error


def _unusable(source: str, error: Exception) -> CacheUnusable:
    return CacheUnusable(source, str(error) or type(error).__name__)


def open_cache(url: str, route: Route | None = None) -> Cache:
    """A cache by its address, ``file:///folder`` or ``http(s)://host/path``.

    Args:
        url: the address.
        route: how web servers are reached.

    Raises:
        CacheUnusable: it is another kind of address.
    """
    if url.startswith("file://"):
        return FolderCache(Path(urllib.parse.unquote(url.removeprefix("file://"))))
    try:
        Address.parse(url)
    except Refused as error:
        raise CacheUnusable(shown(url), "is not the address of a binary cache") from error
    return HttpCache(url, route or Route())


def pull(
    store: ChrootStore, cache: Cache, tops: Iterable[StorePath], keys: Sequence[PublicKey] = ()
) -> None:
    """Take objects with all that they need from a cache.

    Args:
        store: where to.
        cache: where from.
        tops: what to take.
        keys: whose signatures are trusted; objects that are named by their content need none.

    Raises:
        CacheUnusable: something is missing or other than announced.
        TooLarge: there is no room for what is announced.
        NotTrusted: an object is not signed by one of the keys.
    """
    missing = _missing(store, cache, tops, keys)
    store.expect_room(sum(one.info.object.nar_size_bytes for one in missing))
    store.receive_all(Arrival(one.info, _events(cache, one)) for one in missing)


def describe(cache: Cache, path: StorePath) -> NarInfoFile:
    """Query a cache about an object.

    Raises:
        CacheUnusable: the cache does not know it.
        BadNarInfo: the answer is damaged or is about something else.
    """
    name = f"{path.hash}.narinfo"
    with cache.open(name) as file:
        content = file.read(_MOST_NARINFO_BYTES + 1)
    if len(content) > _MOST_NARINFO_BYTES:
        raise BadNarInfo(cache.source(name), f"is larger than {_MOST_NARINFO_BYTES} bytes")
    found = parse_narinfo(content, source=cache.source(name))
    if found.info.path != path:
        raise BadNarInfo(cache.source(name), f"is about {found.info.path}")
    if found.info.object.nar_size_bytes > MAX_OBJECT_BYTES:
        size_bytes = found.info.object.nar_size_bytes
        raise BadNarInfo(
            cache.source(name), f"announces {size_bytes} bytes, more than {MAX_OBJECT_BYTES}"
        )
    if found.compression not in _SUFFIX:
        raise BadNarInfo(cache.source(name), f"unknown compression {found.compression[:80]!r}")
    return found


def events(cache: Cache, path: StorePath) -> Iterator[Event]:
    """The content of an object, checked against what the cache announced while it is read.

    Raises:
        CacheUnusable: the cache does not have it, or not as announced.
    """
    return _events(cache, describe(cache, path))


def push(
    store: ChrootStore,
    folder: Path,
    tops: Iterable[StorePath],
    *,
    compression: str = "zstd",
    key: SecretKey | None = None,
) -> None:
    """Give objects with all that they need to a cache in a folder.

    Args:
        store: where from.
        folder: where to; it is made if it is not there.
        tops: what to give.
        compression: ``zstd``, ``xz`` or ``none``.
        key: signs everything.
    """
    (folder / "nar").mkdir(parents=True, exist_ok=True)
    info_file = folder / "nix-cache-info"
    if not info_file.exists():
        write_durably(info_file, f"StoreDir: {STORE_DIR}\n".encode())
    for info in store.in_order(tops):
        name = folder / f"{info.path.hash}.narinfo"
        if not name.exists():
            signed = _sign(info, key) if key else info
            write_durably(name, print_narinfo(_write_archive(store, folder, signed, compression)))


def _sign(info: PathInfo, key: SecretKey) -> PathInfo:
    return replace(info, signatures=tuple(sorted({*info.signatures, key.sign(info)})))


def _write_archive(
    store: ChrootStore, folder: Path, info: PathInfo, compression: str
) -> NarInfoFile:
    temporary = folder / "nar" / f"{info.path.basename}.part"
    with replacing(temporary) as file:
        _compress(store.path(info.path), file, compression)
    digest, size_bytes = Digest.of_file(temporary), temporary.stat().st_size
    url = f"nar/{base32_encode(digest.value)}.nar{_SUFFIX[compression]}"
    temporary.rename(folder / url)
    return NarInfoFile(info, url, compression, digest, size_bytes)


def _compress(tree: Path, file: BinaryIO, compression: str) -> None:
    if compression == "zstd":
        with zstandard.ZstdCompressor(level=12).stream_writer(file, closefd=False) as packed:
            nar.dump(tree, packed.write)
    elif compression == "xz":
        with lzma.open(file, "wb") as plain:
            nar.dump(tree, plain.write)
    else:
        nar.dump(tree, file.write)


def _missing(
    store: ChrootStore, cache: Cache, tops: Iterable[StorePath], keys: Sequence[PublicKey]
) -> list[NarInfoFile]:
    """What the store lacks of a closure, each after everything that it refers to."""
    described: dict[StorePath, NarInfoFile] = {}
    order: dict[StorePath, NarInfoFile] = {}
    waiting = [(path, False) for path in sorted(set(tops), reverse=True)]
    while waiting:
        path, seen = waiting.pop()
        if path in order or store.is_valid(path):
            continue
        if seen:
            order[path] = described[path]
        elif len(described) == MAX_OBJECTS:
            raise CacheUnusable(cache.source(""), f"refers to more than {MAX_OBJECTS} objects")
        elif path not in described:
            described[path] = _trusted(describe(cache, path), keys)
            waiting.append((path, True))
            references = described[path].info.object.references
            waiting.extend((one, False) for one in references if one != path)
    return list(order.values())


def _trusted(found: NarInfoFile, keys: Sequence[PublicKey]) -> NarInfoFile:
    item = found.info.object
    others = [path for path in item.references if path != item.path]
    if content_address(item.nar, item.path.name, others) != item.path:
        check(found.info, keys)
    return found


def _events(cache: Cache, found: NarInfoFile) -> Iterator[Event]:
    """Read, check and unpack an archive as it is asked for."""
    source = cache.source(found.url)
    with cache.open(found.url) as file:
        packed = _Checked(file, found, source)
        plain = _Limited(_unpack(packed, found.compression), found, source)
        try:
            yield from nar.parse(plain.read)
            nar.expect_end(plain.read)
        except (lzma.LZMAError, zstandard.ZstdError, EOFError) as error:
            raise CacheUnusable(source, f"cannot be unpacked: {error}") from error
        packed.finish()


def _unpack(packed: "_Checked", compression: str) -> BinaryIO:
    if compression == "zstd":
        reader = zstandard.ZstdDecompressor(max_window_size=_MAX_MEMORY_BYTES)
        return reader.stream_reader(packed)  # type: ignore[arg-type]
    if compression == "xz":
        return io.BufferedReader(_Unxz(packed))
    return packed  # type: ignore[return-value]


class _Checked:
    """A compressed archive that must have the announced size and digest."""

    def __init__(self, file: BinaryIO, found: NarInfoFile, source: str) -> None:
        self._file = file
        self._digest = found.file_digest
        self._size = found.file_size_bytes
        self._source = source
        self._most = self._size if self._size is not None else _packed_limit(found)
        self._read = 0
        self._state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes; one more than announced is an error."""
        wanted = _PIECE_BYTES if size < 0 else min(size, _PIECE_BYTES)
        data = self._file.read(wanted)
        self._read += len(data)
        if self._read > self._most:
            raise CacheUnusable(self._source, f"is larger than the announced {self._most} bytes")
        self._state.update(data)
        return data

    def finish(self) -> None:
        """Check the whole."""
        while self.read():
            pass
        if self._size is not None and self._read != self._size:
            raise CacheUnusable(self._source, f"has {self._read} bytes, announced: {self._size}")
        found = Digest(self._state.digest())
        if self._digest is not None and found != self._digest:
            raise CacheUnusable(self._source, f"has {found}, announced: {self._digest}")


class _Unxz(io.RawIOBase):
    """Unpacks xz; the archive does not say how much memory that takes, as with ``lzma.LZMAFile``.

    Only the first stream is read: Nix writes one. What follows is for the digest of the whole.
    """

    def __init__(self, packed: "_Checked") -> None:
        self._packed = packed
        self._unpack = lzma.LZMADecompressor(memlimit=_MAX_MEMORY_BYTES)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """The next bytes.

        Raises:
            LZMAError, EOFError: it cannot be unpacked.
        """
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = b""
        while not data and not self._unpack.eof:
            more = self._packed.read() if self._unpack.needs_input else b""
            if self._unpack.needs_input and not more:
                raise EOFError("it is truncated")
            data = self._unpack.decompress(more, max_length=len(view))
        view[: len(data)] = data
        return len(data)


class _Limited:
    """An unpacked archive that must not be larger than announced."""

    def __init__(self, file: BinaryIO, found: NarInfoFile, source: str) -> None:
        self._file = file
        self._left = found.info.object.nar_size_bytes
        self._source = source

    def read(self, size: int) -> bytes:
        """The next bytes; one more than announced is an error."""
        data = self._file.read(min(size, self._left + 1))
        if len(data) > self._left:
            raise CacheUnusable(self._source, "is larger unpacked than announced")
        self._left -= len(data)
        return data


def _packed_limit(found: NarInfoFile) -> int:
    """No compression makes anything much larger."""
    return found.info.object.nar_size_bytes + found.info.object.nar_size_bytes // 8 + (1 << 16)
