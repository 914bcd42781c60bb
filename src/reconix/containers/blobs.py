"""The blobs of an image, kept by digest beside the packages of Debian.

A blob that two images share is fetched once, and an image that is in the cache needs no network.
What lies there is compared with its digest each time: a disk forgets, too.

Of a registry several are fetched at once. Each is copied piece by piece and hashed on the way; the
first that cannot be had ends the others.

    <cache>/sha256/<first two digits>/<64 digits>

Tested by ``tests/unit/containers/test_blobs.py``.
"""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.files import replacing
from reconix.base.progress import Stage
from reconix.build.archive.fetch import cached_path, only_writer
from reconix.containers.descriptors import Descriptor
from reconix.containers.images import Image, Source
from reconix.containers.layers.unpack import PackedLayer
from reconix.containers.registry import Registry

_AT_ONCE = 4


def fetch_layers(
    image: Image, source: Callable[[], Source], *, cache: Path
) -> tuple[PackedLayer, ...]:
    """Get the layers of an image, from the cache or from where it is.

    Args:
        image: what a lock names.
        source: asked only if something is missing, and only for blobs.
        cache: a folder that is kept between builds; made if it is not there.

    Returns:
        A file for each layer: complete, and checked just now.

    Raises:
        BadImage: what is there is something else.
        RegistryRefused, DownloadFailed: see ``Registry``.
    """
    files = fetch_blobs([layer.blob for layer in image.layers], source, cache=cache)
    return tuple(
        PackedLayer(layer.blob.digest, layer.diff_id, files[layer.blob.digest])
        for layer in image.layers
    )


def fetch_blobs(
    blobs: Iterable[Descriptor], source: Callable[[], Source], *, cache: Path
) -> dict[Digest, Path]:
    """Get parts of an image by their digests; see ``fetch_layers``."""
    wanted = {blob.digest: blob for blob in blobs}
    if any(not _is_right(cache, blob) for blob in wanted.values()):
        with only_writer(cache):
            missing = [blob for blob in wanted.values() if not _is_right(cache, blob)]
            if missing:
                _fetch(missing, source(), cache)
    return {digest: cached_path(cache, digest) for digest in wanted}


def _fetch(missing: list[Descriptor], source: Source, cache: Path) -> None:
    total = sum(blob.size_bytes for blob in missing)
    with progress.stage(f"fetch {len(missing)} parts of an image", total=total) as stage:
        if isinstance(source, Registry):  # the largest first: no thread is left alone with it
            first = sorted(missing, key=lambda blob: blob.size_bytes, reverse=True)
            _fetch_at_once(source, _Work(first, cache, stage))
        else:
            _Work(missing, cache, stage).all_from(source)


def _fetch_at_once(registry: Registry, work: "_Work") -> None:
    """Several connections, since a registry answers each with less than a link could take."""
    count = min(_AT_ONCE, len(work.waiting))
    with ExitStack() as stack:
        twins = [stack.enter_context(closing(registry.twin())) for _ in range(count)]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        done = [pool.submit(work.all_from, twin) for twin in twins]
        try:
            for each in as_completed(done):
                each.result()
        except BaseException:
            work.ended.set()
            for twin in twins:
                twin.break_off()
            raise


class _Ended(Exception):
    """Another part could not be had, so this one is of no use."""


@dataclass(slots=True)
class _Work:
    """The parts of an image that are still to be fetched, by one thread or several."""

    waiting: list[Descriptor]
    cache: Path
    stage: Stage
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all_from(self, source: Source) -> None:
        """Fetch one part after another, until there are no more."""
        with suppress(_Ended):
            while (blob := self._next()) is not None:
                path = cached_path(self.cache, blob.digest)
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as file:
                    source.copy(blob, _Counted(file, self))

    def _next(self) -> Descriptor | None:
        with self.lock:
            return None if self.ended.is_set() or not self.waiting else self.waiting.pop(0)

    def advance(self, amount: int) -> None:
        with self.lock:
            self.stage.advance(amount)


@dataclass(slots=True)
class _Counted:
    """A new file, whose bytes are told when they come, and taken back when they come again."""

    file: BinaryIO
    work: _Work
    done: int = 0

    def write(self, data: bytes, /) -> None:
        self._go_on()
        self.file.write(data)
        self._told(len(data))

    def seek(self, place: int, /) -> None:
        self._go_on()
        self.file.seek(place)

    def truncate(self) -> None:
        self.file.truncate()
        self._told(self.file.tell() - self.done)

    def _go_on(self) -> None:
        if self.work.ended.is_set():
            raise _Ended

    def _told(self, amount: int) -> None:
        self.done += amount
        self.work.advance(amount)


def _is_right(cache: Path, blob: Descriptor) -> bool:
    path = cached_path(cache, blob.digest)
    try:
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        return False
    if size_bytes == blob.size_bytes and Digest.of_file(path) == blob.digest:
        return True
    progress.note(f"{path} is damaged; fetching it again")
    return False
