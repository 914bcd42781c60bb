"""The parts of an image that a lock names: from the cache, or from where its reference leads.

A build asks for parts by digest and never for what a tag stands for. So it needs no network if it
has them, and gets what the lock means if it has not.

Tested by ``tests/unit/containers/test_fetching.py``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reconix.base.files import read_bounded
from reconix.config.image_reference import parse_reference
from reconix.config.lock.containers import ContainerLock, LockedBlob
from reconix.containers.blobs import fetch_blobs
from reconix.containers.descriptors import MAX_DOCUMENT_BYTES, Descriptor
from reconix.containers.images import Layer, Source
from reconix.containers.layers.unpack import PackedLayer
from reconix.containers.registry import Access
from reconix.containers.sources import open_source


@dataclass(frozen=True, slots=True)
class Images:
    """Where the parts of images are to be had."""

    folder: Path
    """The project, from which paths are seen."""
    cache: Path
    """A folder that is kept between builds."""
    access: Callable[[], Access]
    """How registries are reached; asked only if something is missing."""
    before_work: Callable[[], object] = tuple
    """Called before something is fetched, or given to be unpacked; it may raise."""

    def settings(self, image: ContainerLock) -> bytes:
        """The configuration of an image.

        Raises:
            BadImage: what is there is something else.
        """
        assert image.config is not None
        blob = _descriptor(image.config)
        with _later(self, image) as source:
            file = fetch_blobs([blob], source, cache=self.cache)[blob.digest]
        return read_bounded(file, MAX_DOCUMENT_BYTES)

    def layers(self, image: ContainerLock) -> tuple[PackedLayer, ...]:
        """The layers of an image, in order.

        Raises:
            BadImage: what is there is something else.
        """
        self.before_work()
        layers = layers_of(image)
        with _later(self, image) as source:
            files = fetch_blobs([layer.blob for layer in layers], source, cache=self.cache)
        return tuple(
            PackedLayer(each.blob.digest, each.diff_id, files[each.blob.digest]) for each in layers
        )


def layers_of(image: ContainerLock) -> tuple[Layer, ...]:
    """The layers that a lock names."""
    return tuple(Layer(_descriptor(layer.blob), layer.diff_id) for layer in image.layers)


def _descriptor(blob: LockedBlob) -> Descriptor:
    return Descriptor(blob.media_type, blob.digest, blob.size_bytes)


@contextmanager
def _later(images: Images, image: ContainerLock) -> Iterator[Callable[[], Source]]:
    """A source that is opened when it is asked for, and closed at the end of the block."""
    with ExitStack() as stack:

        def opened() -> Source:
            images.before_work()
            work = Path(stack.enter_context(TemporaryDirectory(prefix="reconix-image-")))
            reference = parse_reference(image.asked)
            return stack.enter_context(
                open_source(reference, folder=images.folder, access=images.access(), work=work)
            )

        yield opened
