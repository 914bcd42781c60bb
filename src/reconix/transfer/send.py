"""Making a stream from two generations in the build store; no device is needed.

Objects that the base has are not sent. Each other object of the target is described by its
difference to what the device will have by then (``encode.py``) and compressed together with the
others. The same generations give the same bytes.

Proven by ``tests/unit/transfer/test_receive.py``, which receives what is made here.
"""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.documents import BadDocument, Fields
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.nix.chroot import ChrootStore
from reconix.store import nar
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.paths import StorePath
from reconix.transfer.codecs.tools import Tool
from reconix.transfer.encode import Described, Literal, Step, describe
from reconix.transfer.match import FolderNode, Index, Node, Scanner
from reconix.transfer.packer import Packer
from reconix.transfer.plan import Location, Printer
from reconix.transfer.preface import Need, Preface, print_preface
from reconix.transfer.recipes import Job, Recipe, content, recipes, tools_of
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
    packer = Packer(writer.payload)
    packer.write(print_preface(job.preface(described), job.base))
    with progress.stage("compress", total=header.content_bytes) as stage:
        printer = Printer(packer)
        for each in described:
            for step, recipe in zip(each.steps.steps, each.recipes, strict=True):
                _print_step(printer, step, recipe)
                stage.advance(step.file.size_bytes if isinstance(step, Literal) else 0)
        packer.finish()
        header = writer.finish()
    return Sent(header, counted.size_bytes, job.target.nar_size_bytes)


def _print_step(printer: Printer, step: Step, recipe: Recipe | None) -> None:
    if not isinstance(step, Literal):
        printer.feed(step)
        return
    assert recipe is not None
    for event in content(step.name, Job(step.file.path, step.old), recipe, step.origin):
        printer.feed(event)


@dataclass(frozen=True, slots=True)
class _Object:
    """An object that is sent."""

    index: int  # in the target's manifest
    steps: Described
    recipes: Sequence[Recipe | None] = ()  # one for each step

    def need(self) -> Need:
        """What it costs."""
        scratch = max((each.scratch_bytes for each in self.recipes if each), default=0)
        space = self.steps.space_bytes + scratch
        return Need(self.index, self.steps.content_bytes, space, self.steps.inodes)


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

    def describe(self) -> list[_Object]:
        """Every object that the base lacks."""
        old = () if self.base is None else self.base.objects
        scanner, index = Scanner(), Index()
        trees = [scanner.scan(self.store.path(item.path)) for item in old]
        for number, tree in enumerate(trees):
            index.add(number, tree)
        names = {item.path.name: number for number, item in reversed(list(enumerate(old)))}
        known = {item.path for item in old}
        described: list[_Object] = []
        for position, item in enumerate(self.target.objects):
            if item.path in known:
                continue
            self._expect_intact(item)
            tree = scanner.scan(self.store.path(item.path))
            number = len(old) + position
            like = _most_like(item, tree, names, index, trees)
            result = describe(tree, like, number, index)
            index.add(number, tree)
            described.append(_Object(position, result))
        tools = tools_of(tree for tree in trees)
        return _with_recipes(described, tools)

    def preface(self, described: Sequence[_Object]) -> Preface:
        """What comes before the objects."""
        used = [each.tools for item in described for each in item.recipes if each]
        tools = functools.reduce(operator.or_, used, Tool(0))
        return Preface(self.target, tuple(item.need() for item in described), tools)

    def header(self, described: Sequence[_Object], sequence: int) -> Header:
        """What the receiver must know first."""
        host, architecture = self._host()
        needs = [item.need() for item in described]
        return Header(
            host=host,
            architecture=architecture,
            bases=() if self.base is None else (self.base.root,),
            target=self.target.root,
            objects=len(described),
            content_bytes=sum(need.content_bytes for need in needs),
            space_bytes=sum(need.space_bytes for need in needs),
            inodes=sum(need.inodes for need in needs),
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


def _with_recipes(described: Sequence[_Object], tools: Tool) -> list[_Object]:
    """Find out how each file is made best, on all cores."""
    files = [step for item in described for step in item.steps.steps if isinstance(step, Literal)]
    found = recipes([Job(each.file.path, each.old, tools) for each in files])
    return [
        _Object(
            item.index,
            item.steps,
            [next(found) if isinstance(step, Literal) else None for step in item.steps.steps],
        )
        for item in described
    ]


def _most_like(
    item: StoreObject, tree: Node, names: dict[str, int], index: Index, old: Sequence[Node]
) -> Location | None:
    """The old object of the same name, else the one with most of the same files."""
    number = names.get(item.path.name)
    if number is not None and isinstance(old[number], FolderNode):
        return Location(number)
    return index.most_like(tree) if isinstance(tree, FolderNode) else None
