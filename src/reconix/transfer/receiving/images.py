"""Making the images of a generation, and comparing them with what was promised.

Everything that the stream described comes together here: an image is computed from trees, new and
old ones, and its digest covers each name, each bit of metadata and, by their digests, all contents.
So this is the one comparison that decides. An image gets its name when it is durable and the disk
gives it back. The kernel hashes it before, as it does with a content.

Tested by ``tests/unit/transfer/receiving/test_receive.py``.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree, rename_durably, sync_file, sync_folder
from reconix.base.records import dataclass, field
from reconix.store import fsverity
from reconix.store.images.erofs import Written, write_image
from reconix.store.images.image import BadImage
from reconix.store.images.nodes import Node
from reconix.store.intact import a_few
from reconix.store.manifest import ImageEntry
from reconix.store.pool import FILE_MODE, FOLDER_MODE, BadContent
from reconix.store.registry import ImageMissing, Registry
from reconix.transfer.receiving.contents import WrittenDifferently, reread
from reconix.transfer.receiving.sources import DamagedBase, Sources

_NAME = "image"


class ContentMismatch(ReconixError):
    """An image that was put together is not the one that the manifest names."""

    exit_code = 57

    def __init__(self, entry: ImageEntry, *, found: Digest) -> None:
        super().__init__(
            f"the image of {a_few(entry.objects)} came out wrong: "
            f"expected {entry.sha256}, found {found}",
            hint="nothing was installed; make the stream again",
        )
        self.expected, self.found = entry.sha256, found


@dataclass(slots=True)
class Images:
    """The images that a stream adds.

    Args:
        registry: gets them.
    """

    registry: Registry
    added: list[Path] = field(default_factory=list)
    _has_made_folder: bool = False

    def make(self, entry: ImageEntry, sources: Sources) -> None:
        """Make an image, unless it is there.

        Raises:
            ContentMismatch: it is another one than promised.
            DamagedBase: it is so because of an old content, or one is missing.
            TooLargeForImage: it cannot be.
            WrittenDifferently: the disk did not keep it.
        """
        if self._is_there(entry):
            return
        trees = [(path.basename.encode(), sources.tree(path)) for path in entry.objects]
        place = self.registry.staging_dir / _NAME
        found = _write(trees, place, entry.size_bytes)
        if found != (entry.sha256.value, entry.size_bytes):
            sources.expect_undamaged()
            raise ContentMismatch(entry, found=Digest(found.sha256))
        _expect_contents(entry, trees, sources)
        if _read_back(place) != found.sha256:
            raise WrittenDifferently(f"the image {found.sha256.hex()}")
        self._name(place, entry)

    def bring(self, entry: ImageEntry, pieces: Iterable[bytes]) -> None:
        """Put an image in the place of one that is damaged, or missing.

        Raises:
            ContentMismatch: these are not its bytes.
            WrittenDifferently: the disk did not keep it.
        """
        place = self.registry.staging_dir / _NAME
        found = _write_pieces(pieces, place)
        if found != entry.sha256.value:
            raise ContentMismatch(entry, found=Digest(found))
        if _read_back(place) != found:
            raise WrittenDifferently(f"the image {found.hex()}")
        self._name(place, entry)

    def take_back(self) -> None:
        """Remove again what was added."""
        for path in self.added:
            path.unlink(missing_ok=True)
        if self.added:
            sync_folder(self.registry.images_dir)
        self.added.clear()
        if self._has_made_folder:
            with contextlib.suppress(OSError):  # it is not empty
                self.registry.images_dir.rmdir()

    def _is_there(self, entry: ImageEntry) -> bool:
        try:
            self.registry.verify_image(entry)
        except (ImageMissing, BadImage):
            return False
        return True

    def _name(self, place: Path, entry: ImageEntry) -> None:
        folder = self.registry.images_dir
        if not folder.is_dir():
            folder.mkdir(FOLDER_MODE)
            sync_folder(folder.parent)
            self._has_made_folder = True
        path = self.registry.image_path(entry.sha256)
        if not os.path.lexists(path):
            self.added.append(path)
        elif path.is_dir():
            remove_tree(path)
        rename_durably(place, path)


def _expect_contents(
    entry: ImageEntry, trees: Iterable[tuple[bytes, Node]], sources: Sources
) -> None:
    """Check that all contents are there: those of images that stay were not looked for."""
    try:
        for _, tree in trees:
            sources.old.expect_contents(tree)
    except BadContent as error:
        raise DamagedBase(a_few(entry.objects), str(error)) from error


def _write(trees: Iterable[tuple[bytes, Node]], place: Path, limit_bytes: int) -> Written:
    """Write an image, durably; of one that is too large only the beginning."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:

        def write(data: bytes) -> None:
            file.write(data[: max(0, limit_bytes - file.tell())])

        written = write_image(trees, write)
        os.fchmod(file.fileno(), FILE_MODE)
        sync_file(file)
    _have_compared(place)
    return written


def _write_pieces(pieces: Iterable[bytes], place: Path) -> bytes:
    """Write an image that came as it is, durably; gives its SHA-256."""
    state = hashlib.sha256()
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        for piece in pieces:
            state.update(piece)
            file.write(piece)
        os.fchmod(file.fileno(), FILE_MODE)
        sync_file(file)
    _have_compared(place)
    return state.digest()


def _have_compared(place: Path) -> None:
    """Have the kernel compare an image from now on, if it can; it has no name yet."""
    with place.open("rb") as file:
        if fsverity.enable(file.fileno()):
            sync_file(file)


def _read_back(place: Path) -> bytes:
    state = hashlib.sha256()
    with place.open("rb", buffering=0) as file:
        for data in reread(file.fileno()):
            state.update(data)
    return state.digest()
