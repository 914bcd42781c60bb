"""Binary caches: folders and web servers that objects are taken from, or given to.

::

    nix-cache-info               StoreDir: /nix/store
    <hash>.narinfo               what is known about one object, with signatures
    nar/<digest>.nar.<zst|xz>    its archive, compressed

Nothing that a cache says is believed: what it describes must be signed by a key we trust, or be
named by its own content; what it delivers must have the announced size and digest, compressed and
unpacked. Both sizes are limits while we read, so an endless body or a bomb costs no more than was
announced.

Source: ``libstore/binary-cache-store.cc`` of Nix 2.8.
Proven by ``tests/compat/test_nix_cache.py``, with ``nix copy`` in both directions.
"""

import contextlib
import hashlib
import lzma
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import replacing, write_durably
from reconix.nix.chroot import Arrival, ChrootStore
from reconix.nix.database import PathInfo
from reconix.nix.narinfo import BadNarInfo, NarInfoFile, parse_narinfo, print_narinfo
from reconix.nix.signatures import PublicKey, SecretKey, check
from reconix.store import nar
from reconix.store.nar import Event
from reconix.store.paths import STORE_DIR, StorePath, base32_encode, content_address

_SUFFIX = {"zstd": ".zst", "xz": ".xz", "none": ""}
_MOST_NARINFO_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60
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
            CacheUnusable: it cannot be had.
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
            with (self.folder / name).open("rb") as file:
                yield file
        except FileNotFoundError as error:
            raise CacheUnusable(self.source(name), "is not there") from error

    def source(self, name: str) -> str:
        """How messages call a file."""
        return str(self.folder / name)


@dataclass(frozen=True, slots=True)
class HttpCache:
    """A binary cache on a web server."""

    url: str

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Read a file; redirections are followed, but not in circles."""
        try:
            with urllib.request.urlopen(self.source(name), timeout=_TIMEOUT_SECONDS) as answer:
                yield answer
        except (OSError, urllib.error.URLError) as error:
            raise CacheUnusable(self.source(name), str(error).splitlines()[0]) from error

    def source(self, name: str) -> str:
        """How messages call a file."""
        return f"{self.url.rstrip('/')}/{name}"


def open_cache(url: str) -> Cache:
    """A cache by its address, ``file:///folder`` or ``http(s)://host/path``.

    Raises:
        CacheUnusable: it is another kind of address.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file":
        return FolderCache(Path(urllib.parse.unquote(parts.path)))
    if parts.scheme in ("http", "https") and parts.netloc:
        return HttpCache(url)
    raise CacheUnusable(url, "is no address of a binary cache")


def pull(
    store: ChrootStore, cache: Cache, tops: Iterable[StorePath], keys: Sequence[PublicKey] = ()
) -> None:
    """Take objects with all that they need from a cache.

    Args:
        store: where to.
        cache: where from.
        tops: what to take.
        keys: whose word is trusted; objects that are named by their content need nobody's.

    Raises:
        CacheUnusable: something is missing or other than announced.
        NotTrusted: an object is not signed by one of the keys.
    """
    store.receive_all(
        Arrival(one.info, _events(cache, one)) for one in _missing(store, cache, tops, keys)
    )


def describe(cache: Cache, path: StorePath) -> NarInfoFile:
    """Ask a cache about an object.

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
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return reader.stream_reader(packed)  # type: ignore[arg-type]
    if compression == "xz":
        return lzma.LZMAFile(packed)  # type: ignore[arg-type, return-value]
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

    def seekable(self) -> bool:
        """Nothing can be read twice."""
        return False

    def readable(self) -> bool:
        """For ``lzma``."""
        return True

    def finish(self) -> None:
        """Check the whole."""
        while self.read():
            pass
        if self._size is not None and self._read != self._size:
            raise CacheUnusable(self._source, f"has {self._read} bytes, announced: {self._size}")
        found = Digest(self._state.digest())
        if self._digest is not None and found != self._digest:
            raise CacheUnusable(self._source, f"has {found}, announced: {self._digest}")


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
