"""Whatever a reference leads to, as a source of an image.

Tested by ``tests/compat/test_oci_sources.py``.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from reconix.config.image_reference import InDockerArchive, InRegistry, Reference
from reconix.containers.archives import ArchiveFiles
from reconix.containers.images import Source
from reconix.containers.layout import DockerArchive, FolderFiles, Layout
from reconix.containers.registry import Access, Registry


@contextmanager
def open_source(
    reference: Reference, *, folder: Path, access: Access, work: Path
) -> Iterator[Source]:
    """What a reference leads to; closed at the end of the block.

    Args:
        reference: where an image is.
        folder: the project, from which paths are seen.
        access: how registries are reached.
        work: a folder where an archive can be unpacked.

    Raises:
        BadImage: there is no such archive, or it is damaged.
    """
    if isinstance(reference, InRegistry):
        with closing(Registry(reference, access)) as registry:
            yield registry
    elif isinstance(reference, InDockerArchive):
        with closing(ArchiveFiles(folder / reference.path, work)) as files:
            yield DockerArchive(reference, files)
    elif reference.is_archive:
        with closing(ArchiveFiles(folder / reference.path, work)) as files:
            yield Layout(reference, files)
    else:
        yield Layout(reference, FolderFiles(folder / reference.path))
