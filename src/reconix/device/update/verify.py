"""Verifying: does the device still have what it was given?

Every image of every installed generation is read and compared with its digest, every content with
its name; the slots are compared with the hash in their generation, the partition tables with each
other. Where the kernel can compare what it reads, it must do so with each of them, and with the
right digest. Nothing is changed.

Tested by ``tests/unit/device/update/test_verify.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconix.base import progress
from reconix.base.records import dataclass, field
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection, slot_name
from reconix.boot.trial import SlotContent
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, holds, open_disk
from reconix.store import fsverity, intact
from reconix.store.generation import BadGeneration
from reconix.store.images.image import BadImage
from reconix.store.intact import a_few
from reconix.store.manifest import BadManifest, ImageEntry, Manifest
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, Registry

_UNREADABLE = b""
"""That a file cannot be read at all was found before."""


def verify(device: Device) -> list[str]:
    """Read everything and name what is wrong, one sentence each."""
    return [*_Installed(device.registry).problems(), *_disk(device)]


@dataclass(slots=True)
class _Installed:
    """What is installed, as far as it was found intact.

    Attributes:
        registry: that has it.
        images: that are sound.
        contents: digest and size of what they name.
    """

    registry: Registry
    images: list[ImageEntry] = field(default_factory=list)
    contents: dict[bytes, int] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """Read all of it; gives what is wrong."""
        found = list(self.registry.each_manifest())
        damaged = [each for each in found if isinstance(each, BadManifest)]
        yield from map(str, damaged)
        images = intact.entries(each for each in found if isinstance(each, Manifest))
        yield from self._images(images)
        yield from self._contents()
        if fsverity.is_supported(self.registry.system_root):
            yield from self._not_compared()
        if not damaged and len(self.images) == len(images):
            self._tell_of_others()

    def _images(self, images: tuple[ImageEntry, ...]) -> Iterator[str]:
        with progress.stage("images", total=sum(entry.size_bytes for entry in images)) as stage:
            for entry in images:
                try:
                    self.contents.update(intact.check_image(self.registry, entry))
                except (BadImage, ImageMissing) as error:
                    yield f"{error}; it has {a_few(entry.objects)}"
                else:
                    self.images.append(entry)
                stage.advance(entry.size_bytes)

    def _contents(self) -> Iterator[str]:
        wrong: list[BadContent] = []
        with progress.stage("contents", total=sum(self.contents.values())) as stage:
            for digest in sorted(self.contents):
                try:
                    self.registry.pool.verify(digest, self.contents[digest])
                except BadContent as error:
                    wrong.append(error)
                stage.advance(self.contents[digest])
        users = _users(self, wrong)
        yield from (f"{error}; it is that of {a_few(users[error.digest])}" for error in wrong)

    def _not_compared(self) -> Iterator[str]:
        """Sound files that the kernel would give altered as well."""
        for entry in self.images:
            if _measured(self.registry.image_path(entry.sha256)) is None:
                yield f"the kernel does not compare the image {entry.sha256.hex()}"
        for digest in sorted(self.contents):
            if _measured(self.registry.pool.path(digest)) not in (digest, _UNREADABLE):
                yield f"the kernel does not compare the content {digest.hex()} with its name"

    def _tell_of_others(self) -> None:
        """What is in the pool besides; that is no damage."""
        pool = self.registry.pool
        unneeded = sum(digest not in self.contents for digest in pool.digests())
        if unneeded:
            progress.note(f"no generation needs {unneeded} contents: reconix-device collect")
        if strangers := list(pool.strangers()):
            progress.note(f"these are no contents: {a_few(strangers)}")


def _measured(path: Path) -> bytes | None:
    """What the kernel compares a file with."""
    try:
        return fsverity.measure_file(path)
    except OSError:
        return _UNREADABLE


def _users(installed: _Installed, wrong: list[BadContent]) -> Mapping[bytes, tuple[str, ...]]:
    if not wrong:
        return {}
    digests = {error.digest for error in wrong}
    return intact.users(installed.registry, installed.images, digests)


def _disk(device: Device) -> Iterator[str]:
    state = device.recall()
    with open_disk(device.paths) as disk:
        selection = read_selection(disk)
        if selection.missing:
            yield f"the disk is {selection.missing * SECTOR} bytes smaller than its image"
        yield from selection.faults
        if selection.slot != state.committed.slot:
            yield f"{slot_name(selection.slot)} boots, {slot_name(state.committed.slot)} should"
        for content in state.contents:
            yield from _slot(device, disk, content)


def _slot(device: Device, disk: DiskFile, content: SlotContent) -> Iterator[str]:
    if content.generation not in map(str, device.installed()):
        return  # a slot may outlive the objects of its generation
    with progress.stage(slot_name(content.slot)):
        partition = read_selection(disk).tables.slot(content.slot)
        try:
            image = device.generation(content.generation).slot
        except BadGeneration as error:
            yield str(error)
            return
        if not holds(PartitionView(disk, partition), image):
            yield f"{slot_name(content.slot)} does not hold the image of {content.generation}"
