"""Repairing what is installed: what is damaged comes again, and takes the place of what was there.

A repair stream has contents and images under their names (``transfer/format/repairs.py``). It
changes no generation, no slot and nothing that is remembered. Each thing is written beside the
pool, made durable, read back, compared with its digest, and renamed over the damaged one: so at any
cut there is the old file or the right one, and what was put right stays right whatever happens to
the rest of the stream. What is intact is not written; so a repair that is repeated does nothing.

Only what an installed image names is taken: whoever has a key cannot fill a disk so. A damaged
image does not tell what it names, so it is repaired before contents are asked for.

Tested by ``tests/unit/transfer/receiving/test_repair.py`` and ``tests/crash/test_repair_cut.py``.
"""

import contextlib
from collections.abc import Callable, Iterator

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field
from reconix.store.images.image import BadImage
from reconix.store.images.nodes import contents
from reconix.store.manifest import ImageEntry
from reconix.store.registry import ImageMissing, Registry
from reconix.store.scrub import installed_images, wrong_content, wrong_image
from reconix.transfer.format.costs import CpuLimit
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.repairs import CHANNEL, Brought, Repairs, parse_repairs
from reconix.transfer.format.stream import (
    Again,
    Header,
    Read,
    StreamReader,
    UnsupportedStream,
)
from reconix.transfer.receiving.contents import Contents
from reconix.transfer.receiving.images import Images
from reconix.transfer.receiving.receive import WrongBase, check_device, translated
from reconix.transfer.receiving.room import Room, make_room, room_for_hashes
from reconix.transfer.trust.seal import Seal

Verifier = Callable[[Header, Seal, bytes], None]
"""Decides on a stream by its head, its seal and what that is over; it refuses by raising."""


class NotNeeded(ReconixError):
    """A repair brings something that no installed generation has."""

    exit_code = 54

    def __init__(self, digest: bytes) -> None:
        super().__init__(
            f"the stream repairs {digest.hex()}, which no installed generation has",
            hint="ask the device what is damaged: reconix-device status",
        )
        self.digest = digest


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair has done.

    Attributes:
        written: what was damaged or missing.
        intact: how many things were not.
    """

    written: tuple[bytes, ...]
    intact: int

    def __str__(self) -> str:
        return f"{len(self.written)} repaired, {self.intact} were intact"


def repair(
    read: Read,
    registry: Registry,
    *,
    host: str,
    architecture: str,
    verifier: Verifier,
    again: Again | None = None,
) -> Repaired:
    """Take a repair stream in; a second time nothing is written.

    Args:
        read: returns up to that many bytes of the stream, and none at its end.
        registry: what is installed; its partition must be writable.
        host: the host of this device.
        architecture: its architecture.
        verifier: decides whether the stream is trusted.
        again: goes back on the link, for what came altered.

    Raises:
        BadStream, LinkFault, UnsupportedStream: see ``StreamReader``.
        WrongDevice, WrongBase, NotNeeded, DiskFull: this device cannot take it.
        ContentMismatch, StorageFailed: it was stopped; what was repaired by then stays.
    """
    stream = StreamReader(read, None, again)
    if not stream.header.repaired:
        raise UnsupportedStream("brings a generation; it repairs nothing")
    check_device(stream.header, host, architecture)
    verifier(stream.header, stream.read_head().seal, stream.statement)
    target = stream.header.target
    if registry.get(target) is None:
        raise WrongBase(target, "which is not installed")
    payload = Unpacker(stream)
    job = _Job(stream, payload, registry, parse_repairs(payload, stream.header))
    try:
        return job.run()
    except OSError as error:
        raise translated(error) from error
    finally:
        job.close()


@dataclass(slots=True)
class _Job:
    stream: StreamReader
    payload: Unpacker
    registry: Registry
    repairs: Repairs
    contents: Contents = field(init=False)
    cpu_limit: CpuLimit = field(init=False)

    def __post_init__(self) -> None:
        self.cpu_limit = CpuLimit.of(self.stream.header)
        self.contents = Contents(self.registry.pool, self.registry.staging_dir)

    def run(self) -> Repaired:
        """Repair everything that is damaged."""
        entries = self._entries()
        listed = self.repairs.images
        bad_images = [each for each in listed if wrong_image(self.registry, entries[each.digest])]
        damaged = {
            each.digest for each in self.repairs.contents if wrong_content(self.registry, *each)
        }
        if not bad_images:
            self._expect_named()
        self.registry.clear_staging()
        self._make_room({each.digest for each in bad_images} | damaged)
        self._images(entries, {each.digest for each in bad_images})
        if bad_images:
            self._expect_named()
        self.contents.damaged = damaged
        self._contents(damaged)
        self.payload.finish()
        self.stream.finish()
        written = sorted({each.digest for each in bad_images} | damaged)
        return Repaired(tuple(written), len(self.repairs.all) - len(written))

    def close(self) -> None:
        """Free the space of what has no name."""
        self.contents.close()
        with contextlib.suppress(OSError):  # what cannot be removed now goes with the next stream
            self.registry.clear_staging()

    def _entries(self) -> dict[bytes, ImageEntry]:
        """The installed images that come.

        Raises:
            NotNeeded: one that comes is not installed.
        """
        found = {entry.sha256.value: entry for entry in installed_images(self.registry)}
        for each in self.repairs.images:
            entry = found.get(each.digest)
            if entry is None or entry.size_bytes != each.size_bytes:
                raise NotNeeded(each.digest)
        return found

    def _expect_named(self) -> None:
        """Check that an installed image names each content that comes, with its size."""
        left = set(self.repairs.contents)
        for entry in installed_images(self.registry) if left else ():
            left.difference_update(self._named(entry))
        if left:
            raise NotNeeded(min(left).digest)

    def _named(self, entry: ImageEntry) -> Iterator[Brought]:
        """What a sound image names."""
        try:
            image = self.registry.verify_image(entry)
        except (BadImage, ImageMissing):
            return
        for path in entry.objects:
            tree = image.tree(path.basename.encode())
            yield from () if tree is None else map(Brought._make, contents(tree))

    def _make_room(self, wanted: set[bytes]) -> None:
        sizes = [each.size_bytes for each in self.repairs.all if each.digest in wanted]
        hashes = room_for_hashes(self.registry, len(sizes), sum(sizes))
        make_room(Room(sum(sizes) + hashes, len(sizes)), self.registry, None)

    def _images(self, entries: dict[bytes, ImageEntry], damaged: set[bytes]) -> None:
        images = Images(self.registry)
        for each in self.repairs.images:
            pieces = self.payload.pieces(each.size_bytes, CHANNEL)
            if each.digest in damaged:
                images.bring(entries[each.digest], pieces)
            else:
                _skip(pieces)
            self.cpu_limit.check()

    def _contents(self, damaged: set[bytes]) -> None:
        for each in self.repairs.contents:
            pieces = self.payload.pieces(each.size_bytes, CHANNEL)
            if each.digest in damaged:
                self._content(each, pieces)
            else:
                _skip(pieces)
            self.cpu_limit.check()
        self.contents.finish()

    def _content(self, each: Brought, pieces: Iterator[bytes]) -> None:
        new = self.contents.begin(each.size_bytes)
        try:
            for piece in pieces:
                new.write(piece)
            found = new.finish_as(each.digest)
        finally:
            new.discard()
        if not found:
            raise self.stream.wrong(f"it has other bytes for the content {Digest(each.digest)}")


def _skip(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        pass
