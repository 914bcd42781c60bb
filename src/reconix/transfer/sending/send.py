"""Making a stream from generations in the build store; no device is needed.

Generations are compared as devices have them (``nix/images.py``): trees with all that a file system
says of their nodes. Objects that the base has, equal in all of that, are not sent, also if they
stand in another image. Each other object of the target is described by its difference to what the
device will have by then (``encode.py``) and compressed together with the others. If there are
several bases, what counts is what they have in common (``overlap.py``). The same generations give
the same bytes.

Tested by ``tests/unit/transfer/receiving/test_receive.py``, which receives what is made here.
"""

import functools
import itertools
import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import DeviceGeneration, DeviceTrees, read_device_generation
from reconix.store import nar
from reconix.store.closure import Closure, StoreObject
from reconix.store.generation import BadGeneration, Generation, read_generation
from reconix.store.paths import StorePath
from reconix.transfer.codecs.modules import Interpreter
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.bases import View, print_views
from reconix.transfer.format.costs import space_for
from reconix.transfer.format.manifest_difference import renames
from reconix.transfer.format.payload_head import Need, PayloadHead, print_payload_head
from reconix.transfer.format.plan import Location, Printer
from reconix.transfer.format.stream import (
    COMPILED_MODULES,
    MAX_BASES,
    Header,
    Write,
)
from reconix.transfer.sending.agents import features_of
from reconix.transfer.sending.compiling import identity, interpreter_of
from reconix.transfer.sending.deltas import Delta, Workers
from reconix.transfer.sending.encode import Described, Literal, Step, describe
from reconix.transfer.sending.following import Following
from reconix.transfer.sending.match import Index
from reconix.transfer.sending.means import Means, Sparing, means_of
from reconix.transfer.sending.overlap import Overlap, overlap
from reconix.transfer.sending.packer import Packer
from reconix.transfer.sending.rehearsal import expect_held, rehearse
from reconix.transfer.sending.signing import Signer
from reconix.transfer.sending.trees import FolderNode, Node, Trees
from reconix.transfer.sending.variants import Chosen, Options, Own
from reconix.transfer.sending.writer import StreamWriter


class NotAGeneration(ReconixError):
    """A store path is not a generation that a device could run."""

    exit_code = 59

    def __init__(self, path: StorePath, what: str) -> None:
        super().__init__(f"{path} is not a generation: {what}", hint="build one: reconix build")


class TooManyBases(ReconixError):
    """A stream cannot serve that many bases."""

    exit_code = 2

    def __init__(self, count: int) -> None:
        super().__init__(
            f"a stream serves at most {MAX_BASES} bases, not {count}", hint="make several"
        )


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
    """What a stream contains.

    Attributes:
        header: as a device reads it first.
        size_bytes: of the stream.
        target_nar_bytes: of all objects of the target, as archives.
        bases: what the stream starts from, by path.
        target: where it leads.
        needs: what each of its objects costs a device.
    """

    header: Header
    size_bytes: int
    target_nar_bytes: int
    bases: tuple[DeviceGeneration, ...]
    target: DeviceGeneration
    needs: tuple[Need, ...]


def create(
    store: ChrootStore,
    bases: Collection[StorePath],
    target: StorePath,
    write: Write,
    *,
    sequence: int = 0,
    signer: Signer | None = None,
    sparing: Sparing = Sparing.LINK,
) -> Sent:
    """Make the stream that leads from any of some generations to another.

    Args:
        store: holds them all.
        bases: what devices have, each one of them; none makes a stream that needs nothing. Their
            order does not matter.
        target: what devices are to have.
        write: takes the bytes.
        sequence: number of the target; a device takes none below that of what it has confirmed.
        signer: signs the stream; None leaves it unsigned.
        sparing: what is dear to devices.

    Raises:
        TooManyBases: a stream cannot serve that many.
        NotValid: a generation is not in the store.
        NotAGeneration: the target has no ``generation.json``, or one for other images.
        StoreDamaged: an object was altered that would be sent, or tells what would be.
        DevicesWouldRefuse: it would break a limit of devices; nothing was written.
    """
    if len(set(bases)) > MAX_BASES:
        raise TooManyBases(len(set(bases)))
    with Workers() as workers, progress.stage("compare generations"):
        job = replace(_read(store, bases, target), sparing=sparing)
        described = job.describe(workers)
    header = job.header(described.objects, sequence)
    counted = _Counted(write)
    rehearsal = functools.partial(rehearse, base=job.bases[0].manifest if bases else None)
    writer = StreamWriter(counted, header, signer, rehearsal)
    packer = Packer(writer.payload)
    packer.write(job.beginning(described))
    with progress.stage("compress", total=header.content_bytes) as stage:
        for each in described.objects:
            printer = Printer(packer)
            for step, variants in zip(each.steps.steps, each.variants, strict=True):
                _print_step(printer, step, variants)
                stage.advance(step.file.size_bytes if isinstance(step, Literal) else 0)
        packer.finish()
        header = writer.finish()
    needs = tuple(each.need() for each in described.objects)
    size_bytes, nar_bytes = counted.size_bytes, job.closure.nar_size_bytes
    return Sent(header, size_bytes, nar_bytes, job.bases, job.target, needs)


def _read(store: ChrootStore, bases: Collection[StorePath], target: StorePath) -> "_Job":
    reader = DeviceTrees(store)
    old = tuple(_read_generation(reader, base) for base in sorted(set(bases)))
    return _Job(store, old, _read_generation(reader, target), store.closure_of(target))


def _read_generation(reader: DeviceTrees, root: StorePath) -> DeviceGeneration:
    try:
        return read_device_generation(reader.store, root, reader)
    except BadGeneration as error:
        for item in reader.store.closure_of(root).objects:
            _expect_intact(reader.store, item)
        raise NotAGeneration(root, str(error)) from error


def _expect_intact(store: ChrootStore, item: StoreObject) -> None:
    found = nar.digest(store.path(item.path))
    if found.digest != item.nar:
        raise StoreDamaged(item, found=found.digest)


def _print_step(printer: Printer, step: Step, chosen: Chosen | None) -> None:
    if chosen is not None:
        for event in chosen.events():
            printer.feed(event)
    elif not isinstance(step, Literal):
        printer.feed(step)


@dataclass(frozen=True, slots=True)
class _Object:
    """An object that is sent."""

    index: int  # in the target's manifest
    steps: Described
    variants: Sequence[Chosen | None] = ()  # for each step that is a file's content

    @property
    def deltas(self) -> list[Delta]:
        """All that are sent."""
        return [each for chosen in self.variants if chosen for each in chosen.deltas if each]

    def need(self) -> Need:
        """What it costs."""
        scratch = max((each.scratch_bytes for each in self.deltas), default=0)
        work = self.steps.work + sum(each.work for each in self.variants if each)
        declared = space_for(self.steps.space_bytes + scratch, work)
        return Need(self.index, self.steps.content_bytes, declared, self.steps.inodes)


@dataclass(frozen=True, slots=True)
class _Described:
    """What is sent, and of what it makes use."""

    views: tuple[View, ...]
    objects: list[_Object]
    python: Digest | None  # that compiles modules


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
    bases: tuple[DeviceGeneration, ...]
    target: DeviceGeneration
    closure: Closure  # of the target
    sparing: Sparing = Sparing.LINK

    def describe(self, workers: Workers) -> _Described:
        """Every object that not all bases have."""
        reader = Trees(self.target.places)
        trees = [
            [reader.tree(base.trees[path]) for path in base.manifest.objects] for base in self.bases
        ]
        found = overlap([base.manifest for base in self.bases], trees)
        known = _Known(found)
        features = features_of(itertools.chain.from_iterable(trees))
        interpreter = self._interpreter(features)
        described: list[_Object] = []
        objects = self.target.manifest.objects
        registered = {item.path: item for item in self.closure.objects}
        following = Following(renames(found.staying, self.target.manifest))
        for position, path in enumerate(objects):
            tree = reader.tree(self.target.trees[path])
            if known.stays(path, tree):
                continue
            _expect_intact(self.store, registered[path])
            expect_held(path, tree)
            number = len(found.columns) + position
            like = known.most_like(path, tree)
            result = describe(tree, like, number, known.index, following, interpreter)
            known.index.add(number, tree)
            described.append(_Object(position, result))
        means = means_of(trees, features, self.sparing)
        made = _with_variants(described, Own(found), means, workers)
        return _Described(found.views, made, identity(interpreter) if interpreter else None)

    def _interpreter(self, features: int) -> Interpreter | None:
        """What compiles modules on each device, if all of them can."""
        if self.sparing is not Sparing.LINK or not features & COMPILED_MODULES:
            return None
        paths = {path for base in self.bases for path in base.manifest.objects}
        return interpreter_of(map(self.store.path, sorted(paths)), self._generation().architecture)

    def beginning(self, described: _Described) -> bytes:
        """What comes before the objects."""
        used = [delta.tools for item in described.objects for delta in item.deltas]
        tools = functools.reduce(operator.or_, used, NO_TOOLS)
        needs = tuple(item.need() for item in described.objects)
        views = described.views
        manifests = [base.manifest for base in self.bases]
        several = print_views(views, manifests) if len(views) > 1 else b""
        view = views[0] if views else View.whole(None)
        python = described.python if Tool.PYTHON in tools else None
        head = PayloadHead(self.target.manifest, needs, tools, python=python)
        return several + print_payload_head(head, view)

    def header(self, described: Sequence[_Object], sequence: int) -> Header:
        """What the receiver must know first."""
        generation = self._generation()
        needs = [item.need() for item in described]
        return Header(
            host=generation.host,
            architecture=generation.architecture,
            bases=tuple(base.manifest.root for base in self.bases),
            target=generation.path,
            objects=len(described),
            content_bytes=sum(need.content_bytes for need in needs),
            space_bytes=sum(need.space_bytes for need in needs),
            inodes=sum(need.inodes for need in needs),
            sequence=sequence,
            slot_bytes=generation.slot.slot_size_bytes,
            moved_parts=sum(delta.moved_parts for item in described for delta in item.deltas),
            compiled=sum(delta.compiled for item in described for delta in item.deltas),
            moved_tries=sum(delta.moved_tries for item in described for delta in item.deltas),
            zlib_parts=sum(delta.zlib_parts for item in described for delta in item.deltas),
            moved_types=sum(delta.moved_types for item in described for delta in item.deltas),
        )

    def _generation(self) -> Generation:
        """The target, as its own document tells."""
        return read_generation(self.store.store_dir, self.target.manifest.root)


class _Known:
    """What devices have, or will have got by then."""

    def __init__(self, found: Overlap) -> None:
        self.index = Index()
        for column, tree in enumerate(found.trees):
            if tree is not None:
                self.index.add(column, tree)
        columns = list(zip(found.columns, found.trees, strict=True))
        self._equal = {path: tree.key for path, tree in columns[: found.equal] if tree is not None}
        self._names = dict[StorePath | str, int]()
        for column, (path, tree) in reversed(list(enumerate(columns))):
            if isinstance(tree, FolderNode):
                self._names |= {path: column, path.name: column}

    def stays(self, path: StorePath, tree: Node) -> bool:
        """Whether an object is the same everywhere."""
        return self._equal.get(path) == tree.key

    def most_like(self, path: StorePath, tree: Node) -> Location | None:
        """The old object of the same name, else the one with most of the same files."""
        number = self._names.get(path, self._names.get(path.name))
        if number is not None:
            return Location(number)
        return self.index.most_like(tree) if isinstance(tree, FolderNode) else None


def _with_variants(
    described: Sequence[_Object], own: Own, means: Means, workers: Workers
) -> list[_Object]:
    """Find the best delta for each file, on all cores."""
    options = [
        [Options(step, own.variants(step)) if isinstance(step, Literal) else None for step in steps]
        for steps in (item.steps.steps for item in described)
    ]
    jobs = [each.jobs(means) for item in options for each in item if each]
    found = iter(workers.deltas(list(itertools.chain.from_iterable(jobs))))
    deltas = (list(itertools.islice(found, len(each))) for each in jobs)
    return [
        _Object(
            item.index,
            item.steps,
            [each.choose(next(deltas), means) if each else None for each in ours],
        )
        for item, ours in zip(described, options, strict=True)
    ]
