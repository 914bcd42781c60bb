"""Verifying: does the device still have what it was given?

Every object of every installed generation is read and compared with its manifest, the slots with
the hash in their generation, the partition tables with each other. Nothing is changed.

Tested by ``tests/unit/device/update/test_verify.py``.
"""

from collections.abc import Iterator

from reconix.base import progress
from reconix.boot.disk import DiskFile
from reconix.boot.gpt import SECTOR
from reconix.boot.tables import read_selection, slot_name
from reconix.boot.trial import SlotContent
from reconix.device.device import Device
from reconix.device.hardware.disk import PartitionView, holds, open_disk
from reconix.store.verify import ContentChanged, ObjectMissing, verify_object


def verify(device: Device) -> list[str]:
    """Read everything and name what is wrong, one sentence each."""
    return [*_objects(device), *_disk(device)]


def _objects(device: Device) -> Iterator[str]:
    registry = device.registry
    items = registry.objects()
    with progress.stage("objects", total=sum(item.nar_size_bytes for item in items)) as stage:
        for item in items:
            try:
                verify_object(registry.store_dir, item)
            except (ContentChanged, ObjectMissing) as error:
                yield str(error)
            stage.advance(item.nar_size_bytes)


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
    if content.generation not in {str(root.root) for root in device.registry.manifests()}:
        return  # a slot may outlive the objects of its generation
    with progress.stage(slot_name(content.slot)):
        partition = read_selection(disk).tables.slot(content.slot)
        image = device.generation(content.generation).slot
        if not holds(PartitionView(disk, partition), image):
            yield f"{slot_name(content.slot)} does not hold the image of {content.generation}"
