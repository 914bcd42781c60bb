"""What a container consists of: an image by the digests of all its parts, or Debian packages.

An image is named by what its reference led to, and by everything below that: so a build asks for
blobs by digest, from wherever they are, and no tag plays a part any more. The digests of layers are
those of the files that come; diff IDs those of the archives in them (``containers/images.py``).

``ranges`` of a host belongs to containers too: each has users and groups of its own, 65536 numbers
beside those of the host. Which ones is remembered for ever: no other container is ever them.

Specified in ``docs/spec/lock.md``. Tested by ``tests/unit/config/lock/test_containers.py``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.config.lock.packages import BadLock, LockedPackage

IDS = 1 << 16
"""How many users and groups a container has."""
_FIRST_ID = 0x1000_0000
_LAST_ID = 0x6FFF_FFFF
MAX_RANGES = (_LAST_ID + 1 - _FIRST_ID) // IDS
_MAX_BLOB_BYTES = 1 << 40
_MAX_LAYERS = 1024
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_ASKED = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")


@dataclass(frozen=True, slots=True, order=True)
class LockedBlob:
    """Something of an image, as the document above it names it; valid by construction."""

    digest: Digest
    size_bytes: int
    media_type: str

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.media_type):
            raise BadLock(f"{self.media_type!r} is not a valid media type")
        if not 0 <= self.size_bytes <= _MAX_BLOB_BYTES:
            raise BadLock(f"{self.digest} cannot have {self.size_bytes} bytes")


@dataclass(frozen=True, slots=True, order=True)
class LockedLayer:
    """One layer: the file that it comes as, and the digest of the archive in it."""

    blob: LockedBlob
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class ContainerLock:
    """What a container consists of, and what was asked for: an image, or else packages."""

    asked: str = ""
    """The reference of the image, as it is in the configuration."""
    top: Digest | None = None
    """What the reference led to: an index, or else the manifest."""
    manifest: LockedBlob | None = None
    config: LockedBlob | None = None
    layers: tuple[LockedLayer, ...] = ()
    asked_packages: tuple[str, ...] = ()
    packages: tuple[LockedPackage, ...] = ()

    def __post_init__(self) -> None:
        parts = (self.top, self.manifest, self.config)
        if self.asked:
            is_whole = None not in parts and 0 < len(self.layers) <= _MAX_LAYERS
            if not is_whole or self.packages or not _ASKED.fullmatch(self.asked):
                raise BadLock(f"{self.asked[:80]!r} is not a whole image")
        elif not self.packages or parts != (None, None, None) or self.layers:
            raise BadLock("a container has neither an image nor packages")

    @property
    def is_native(self) -> bool:
        """Whether it is made of Debian packages."""
        return not self.asked

    def blobs(self) -> tuple[LockedBlob, ...]:
        """All files of the image that a build needs."""
        config = (self.config,) if self.config else ()
        return (*config, *(layer.blob for layer in self.layers))


def first_id(number: int) -> int:
    """The first of the ``IDS`` users and groups of a range: those that systemd leaves alone.

    Source: systemd, *Users, Groups, UIDs and GIDs*, container UID ranges.
    """
    return _FIRST_ID + number * IDS


def expect_ranges(ranges: Mapping[str, int]) -> None:
    """Refuse ranges that are none, or that two containers share.

    Raises:
        BadLock: there is one.
    """
    for name, number in ranges.items():
        if not 0 <= number < MAX_RANGES:
            raise BadLock(f"container {name!r} cannot have the range {number}")
    if len(set(ranges.values())) < len(ranges):
        raise BadLock("two containers have the same range")


def with_ranges(known: Mapping[str, int], names: Iterable[str]) -> Mapping[str, int]:
    """All ranges that are known, and the next ones for containers that have none.

    A range is never used again: no container is who another one was, on any device.

    Args:
        known: ranges by container, also of those that are gone.
        names: of the containers of a host.
    """
    found = dict(known)
    for name in sorted(set(names) - set(known)):
        found[name] = max(found.values(), default=-1) + 1
    return found
