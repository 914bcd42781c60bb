"""The blobs of an image, kept by digest beside the packages of Debian.

A blob that two images share is fetched once, and an image that is in the cache needs no network.
What lies there is compared with its digest each time: a disk forgets, too.

    <cache>/sha256/<first two digits>/<64 digits>

Tested by ``tests/unit/containers/test_blobs.py``.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.files import replacing
from reconix.build.archive.fetch import cached_path, only_writer
from reconix.containers.descriptors import Descriptor
from reconix.containers.images import Image, Source
from reconix.containers.layers.unpack import PackedLayer


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
        for blob in missing:
            path = cached_path(cache, blob.digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                source.copy(blob, file)
            stage.advance(blob.size_bytes)


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
