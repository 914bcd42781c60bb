"""Making a repair stream: contents and images of generations in the build store, by their names.

Which ones, devices say (``status --json``). A content is read from the object in which the build
store has it and compared with its name; an image is computed. The same wishes give the same bytes.

Tested by ``tests/unit/transfer/receiving/test_repair.py``, which receives what is made here.
"""

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import chunks, open_regular
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceImage, DeviceTrees, read_device_generation
from reconix.store.generation import BadGeneration, Generation, read_generation
from reconix.store.images.verity import VerityHash
from reconix.store.paths import StorePath
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.repairs import CHANNEL, Brought, Repairs, parse_repairs
from reconix.transfer.format.stream import BadStream, Header, Read, StreamReader, Write
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.rehearsal import DevicesWouldRefuse
from reconix.transfer.sending.send import NotAGeneration
from reconix.transfer.sending.signing import Signer
from reconix.transfer.sending.writer import StreamWriter


class NothingFound(ReconixError):
    """The build store has nothing of what is damaged on a device."""

    exit_code = 59

    def __init__(self, count: int) -> None:
        super().__init__(
            f"the build store has none of the {count} things that are damaged",
            hint="check out what the device runs and build it again; the same inputs give the "
            "same contents",
        )


class ContentAltered(ReconixError):
    """A file in the build store is not what it was when its digest was computed."""

    exit_code = 59

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was altered meanwhile", hint="make the stream again")


@dataclass(frozen=True, slots=True)
class RepairSent:
    """What a repair stream brings."""

    header: Header
    size_bytes: int
    missing: tuple[bytes, ...]  # what the build store does not have


@dataclass(slots=True)
class _Found:
    """What the build store has of what is wanted."""

    images: dict[bytes, DeviceImage] = field(default_factory=dict)
    contents: dict[bytes, Path] = field(default_factory=dict)

    def look(self, reader: DeviceTrees, root: StorePath, wanted: Collection[bytes]) -> None:
        """Look through a generation."""
        found = read_device_generation(reader.store, root, reader)
        for image in found.images:
            if image.entry.sha256.value in wanted:
                self.images[image.entry.sha256.value] = image
        for digest in found.places.keys() & set(wanted):
            self.contents[digest] = found.places[digest]

    @property
    def repairs(self) -> Repairs:
        """As it stands in the stream."""
        images = ((digest, image.entry.size_bytes) for digest, image in self.images.items())
        files = ((digest, path.stat().st_size) for digest, path in self.contents.items())
        return Repairs(
            tuple(sorted(map(Brought._make, images))), tuple(sorted(map(Brought._make, files)))
        )


def create_repair(
    store: ChrootStore,
    generations: Mapping[StorePath, int],
    target: StorePath,
    wanted: Collection[bytes],
    write: Write,
    *,
    signer: Signer | None = None,
) -> RepairSent:
    """Make the stream that brings again what is damaged.

    Args:
        store: where generations are.
        generations: in which what is wanted may be, and their sequence numbers.
        target: one of them, which the devices have installed.
        wanted: digests of contents and images.
        write: takes the bytes.
        signer: signs the stream; None leaves it unsigned.

    Raises:
        NotAGeneration: one of the generations is none.
        NothingFound: nothing of what is wanted is in the store.
        ContentAltered: a file in the store was altered.
        DevicesWouldRefuse: it would break a limit of devices; nothing was written.
    """
    generation = _generation(store, target)
    found, reader = _Found(), DeviceTrees(store)
    with progress.stage("look for what is damaged"):
        for root in sorted(generations):
            found.look(reader, root, wanted)
    repairs = found.repairs
    if not repairs.all:
        raise NothingFound(len(wanted))
    header = repairs.header(
        target,
        host=generation.host,
        architecture=generation.architecture,
        sequence=generations[target],
    )
    counted = _Counted(write)
    writer = StreamWriter(counted, header, signer, _rehearse)
    packer = Packer(writer.payload)
    packer.write(repairs.print())
    _pack(packer, repairs, found)
    header = writer.finish()
    missing = set(wanted) - {each.digest for each in repairs.all}
    return RepairSent(header, counted.size_bytes, tuple(sorted(missing)))


def _generation(store: ChrootStore, target: StorePath) -> Generation:
    try:
        return read_generation(store.store_dir, target)
    except BadGeneration as error:
        raise NotAGeneration(target, str(error)) from error


def _pack(packer: Packer, repairs: Repairs, found: _Found) -> None:
    for each in repairs.images:
        found.images[each.digest].write(functools.partial(packer.write, channel=CHANNEL))
    for each in repairs.contents:
        for data in _expected(found.contents[each.digest], each.digest):
            packer.write(data, CHANNEL)
    packer.finish()


def _expected(path: Path, digest: bytes) -> Iterator[bytes]:
    """The bytes of a file, which must have this digest."""
    state = VerityHash()
    with open_regular(path, follow_links=False) as file:
        for data in chunks(file):
            state.update(data)
            yield data
    if state.digest() != digest:
        raise ContentAltered(path)


def _rehearse(read: Read) -> None:
    """Read a stream from front to end, as a device that needs nothing of it."""
    try:
        stream = StreamReader(read)
        stream.read_head()
        payload = Unpacker(stream)
        for each in parse_repairs(payload, stream.header).all:
            for _ in payload.pieces(each.size_bytes, CHANNEL):
                pass
        payload.finish()
        stream.finish()
    except BadStream as error:
        raise DevicesWouldRefuse(str(error), hint="send the whole generation") from error


@dataclass(slots=True)
class _Counted:
    write: Write
    size_bytes: int = 0

    def __call__(self, data: bytes) -> None:
        self.size_bytes += len(data)
        self.write(data)
