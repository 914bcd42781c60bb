"""Containers of tests: a project that has some, and the lock of its images, without a registry."""

from collections.abc import Mapping
from pathlib import Path

from tests.config_projects import write

from reconix.config.image_reference import InLayout, parse_reference
from reconix.config.load import load
from reconix.config.lock.containers import ContainerLock, LockedBlob, LockedLayer
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.schema.hosts import Host
from reconix.containers.descriptors import Descriptor
from reconix.containers.fetching import Images
from reconix.containers.images import Image, find_image
from reconix.containers.layout import FolderFiles, Layout
from reconix.containers.registry import Access


def host_of(folder: Path, **systems: str) -> Host:
    """A host of a project with these systems; what has no effect yet is no mistake here."""
    write(folder, **systems)
    return load(folder).hosts["gw"]


def images(folder: Path) -> Images:
    """The images of the project."""
    return Images(folder, folder / "cache", Access)


def locked(folder: Path, asked: str) -> ContainerLock:
    """The image in a layout, as ``reconix lock`` would write it down."""
    reference = parse_reference(asked)
    assert isinstance(reference, InLayout)
    found = find_image(Layout(reference, FolderFiles(folder / reference.path)), "amd64")
    return as_locked(asked, found)


def as_locked(asked: str, found: Image) -> ContainerLock:
    """An image as it stands in a lock."""
    layers = tuple(LockedLayer(_blob(each.blob), each.diff_id) for each in found.layers)
    return ContainerLock(asked, found.top, _blob(found.manifest), _blob(found.config), layers)


def _blob(found: Descriptor) -> LockedBlob:
    return LockedBlob(found.digest, found.size_bytes, found.media_type)


def lock_of(host: Host, containers: Mapping[str, ContainerLock], system: str) -> HostLock:
    """A lock in which a system has these containers; ranges in the order of their names."""
    systems = {system: SystemLock((), (), "", (), containers=containers)}
    ranges = {name: number for number, name in enumerate(sorted(containers))}
    return HostLock(host.architecture.value, ("trixie",), ("main",), (), (), systems, ranges=ranges)
