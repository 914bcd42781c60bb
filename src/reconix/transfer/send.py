"""Making a stream from two generations in the build store; no device is needed.

Objects that the base has are not sent. Each other object of the target is described by its
difference to what the device will have by then (``encode.py``) and compressed together with the
others. The same generations give the same bytes.

Proven by ``tests/unit/transfer/test_receive.py``, which receives what is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError
from reconix.base.files import chunks, read_bounded
from reconix.nix.chroot import ChrootStore
from reconix.store import nar
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.paths import StorePath
from reconix.transfer.encode import Described, Literal, describe
from reconix.transfer.match import FolderNode, Index, Node, Scanner
from reconix.transfer.packing import Packer
from reconix.transfer.plan import (
    File,
    Location,
    Need,
    Piece,
    Printer,
    print_preface,
)
from reconix.transfer.signing import Signer
from reconix.transfer.stream import Header, Write
from reconix.transfer.writer import StreamWriter

_MAX_DOCUMENT_BYTES = 1 << 20


class NotAGeneration(ReconixError):
    """A store path is no generation that a device could run."""

    exit_code = 59

    def __init__(self, path: StorePath, what: str) -> None:
        super().__init__(f"{path} is no generation: {what}", hint="build one: reconix build")


class StoreDamaged(ReconixError):
    """An object in the build store is not what is registered."""

    exit_code = 59

    def __init__(self, item: StoreObject, *, found: Digest) -> None:
        super().__init__(
            f"{item.path} in the build store was altered: expected {item.nar}, found {found}",
            hint="remove it and build it again",
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """What a stream contains."""

    header: Header
    size_bytes: int
    target_nar_bytes: int


def create(
    store: ChrootStore,
    base: StorePath | None,
    target: StorePath,
    write: Write,
    *,
    sequence: int = 0,
    signer: Signer | None = None,
) -> Sent:
    """Make the stream that leads from one generation to another.

    Args:
        store: holds both.
        base: what the device has; None makes a stream that needs nothing.
        target: what it shall have.
        write: takes the bytes.
        sequence: number of the target; a device takes none below that of what it has confirmed.
        signer: vouches for the stream; None leaves it unsigned.

    Raises:
        NotValid: a generation is not in the store.
        NotAGeneration: the target has no ``generation.json``, or one without host.
        StoreDamaged: an object that would be sent was altered.
    """
    job = _Job(store, None if base is None else store.manifest(base), store.manifest(target))
    with progress.stage("compare generations"):
        described = job.describe()
    header = job.header(described, sequence)
    counted = _Counted(write)
    writer = StreamWriter(counted, header, signer)
    packer = Packer(writer.payload, header.architecture)
    packer.write(print_preface(job.target, [need for need, _ in described]))
    with progress.stage("compress", total=header.content_bytes) as stage:
        for _, steps in described:
            _print_steps(steps, packer, stage)
        packer.finish()
        header = writer.finish()
    return Sent(header, counted.size_bytes, job.target.nar_size_bytes)


def _print_steps(described: Described, packer: Packer, stage: progress.Stage) -> None:
    printer = Printer(packer.write)
    for step in described.steps:
        if isinstance(step, Literal):
            printer.feed(File(step.name, step.file.size_bytes, step.file.executable))
            with step.file.path.open("rb") as file:
                for chunk in chunks(file):
                    printer.feed(Piece(chunk))
                    stage.advance(len(chunk))
        else:
            printer.feed(step)
    printer.close()


@dataclass(slots=True)
class _Counted:
    write: Write
    size_bytes: int = 0

    def __call__(self, data: bytes) -> None:
        self.size_bytes += len(data)
        self.write(data)


@dataclass(frozen=True, slots=True)
class _Job:
    store: ChrootStore
    base: Manifest | None
    target: Manifest

    def describe(self) -> list[tuple[Need, Described]]:
        """Every object that the base lacks."""
        old = () if self.base is None else self.base.objects
        scanner, index = Scanner(), Index()
        trees = [scanner.scan(self.store.path(item.path)) for item in old]
        for number, tree in enumerate(trees):
            index.add(number, tree)
        names = {item.path.name: number for number, item in reversed(list(enumerate(old)))}
        known = {item.path for item in old}
        described = []
        for position, item in enumerate(self.target.objects):
            if item.path in known:
                continue
            self._expect_intact(item)
            tree = scanner.scan(self.store.path(item.path))
            number = len(old) + position
            like = _most_like(item, tree, names, index, trees)
            result = describe(tree, like, number, index)
            index.add(number, tree)
            described.append((_need(position, result), result))
        return described

    def header(self, described: Sequence[tuple[Need, Described]], sequence: int) -> Header:
        """What the receiver must know first."""
        host, architecture = self._host()
        return Header(
            host=host,
            architecture=architecture,
            bases=() if self.base is None else (self.base.root,),
            target=self.target.root,
            objects=len(described),
            content_bytes=sum(need.content_bytes for need, _ in described),
            space_bytes=sum(need.space_bytes for need, _ in described),
            inodes=sum(need.inodes for need, _ in described),
            sequence=sequence,
        )

    def _host(self) -> tuple[str, str]:
        root = self.target.root
        path = self.store.path(root) / "generation.json"
        try:
            fields = Fields.parse(read_bounded(path, _MAX_DOCUMENT_BYTES), source=str(path))
            return fields.text("host"), fields.text("architecture")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotAGeneration(root, "it has no generation.json") from error
        except BadDocument as error:
            raise NotAGeneration(root, str(error)) from error

    def _expect_intact(self, item: StoreObject) -> None:
        found = nar.digest(self.store.path(item.path))
        if found.digest != item.nar:
            raise StoreDamaged(item, found=found.digest)


def _need(position: int, result: Described) -> Need:
    return Need(position, result.content_bytes, result.space_bytes, result.inodes)


def _most_like(
    item: StoreObject, tree: Node, names: dict[str, int], index: Index, old: Sequence[Node]
) -> Location | None:
    """The old object of the same name, else the one with most of the same files."""
    number = names.get(item.path.name)
    if number is not None and isinstance(old[number], FolderNode):
        return Location(number)
    return index.most_like(tree) if isinstance(tree, FolderNode) else None
