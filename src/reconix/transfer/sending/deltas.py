"""How a file is best made on the device: of which parts, copied from what.

Every delta competes with sending the file as it is. What is compressed in the file and in the old
one is expanded first (``members.py``), then the copies are found (``covers.py``). Files are
independent of one another, so they are worked on by as many processes as there are cores; each
gives back a delta, which is small, and the content is looked at again when it is written.

Tested by ``tests/unit/transfer/sending/test_deltas.py``.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from reconix.transfer.codecs import programs
from reconix.transfer.codecs.packs import Pack
from reconix.transfer.codecs.patch import subtract
from reconix.transfer.codecs.references import Moved, uncounted
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.codecs.tools import NO_TOOLS, Tool
from reconix.transfer.format.costs import MOVED_WORK, Spend, part_work
from reconix.transfer.format.packing import Channel
from reconix.transfer.format.plan import (
    MAX_COPIES,
    Copied,
    Copies,
    Corrections,
    Event,
    File,
    Location,
    Part,
    Patched,
    Piece,
    Source,
)
from reconix.transfer.sending import covers, members, targets
from reconix.transfer.sending.compiling import Module
from reconix.transfer.sending.means import TO_EXPAND, TO_PACK, Means
from reconix.transfer.sending.members import Member
from reconix.transfer.sending.trees import FileNode

_JOBS = 2
_BATCH = 8
_FEW_BYTES = 4 << 20  # not worth a second process
_MAX_BYTES = 80 << 20  # what is larger is compared in windows
_WINDOW_BYTES = 32 << 20
_MARGIN_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 16
_ELF = b"\x7fELF\2\1"
_LINKED_FOR_AMD64 = (b"\2\0\x3e\0", b"\3\0\x3e\0")  # kind and machine
_COPY_COST = 4  # bytes, about
_COMPILE_COST = 256  # bytes for which a device may compile a module


@dataclass(frozen=True, slots=True)
class Job:
    """A file, and the old one that it may be made from."""

    new: FileNode
    old: FileNode | None = None
    means: Means = Means()  # noqa: RUF009 - it cannot be changed
    renames: Renames = NO_RENAMES  # references in the old one that follow their objects
    module: Module | None = None  # if it is compiled


@dataclass(frozen=True, slots=True)
class Delta:
    """How a file is made; no parts: it is sent as it is."""

    size_bytes: int
    channel: Channel
    parts: tuple[Part, ...] = ()
    moving_work: int = 0  # of a device, to move references
    moved_tries: int = 0

    @property
    def work(self) -> int:
        """What it takes a device besides writing the file (``transfer/format/costs.py``)."""
        return sum(map(part_work, self.parts)) + self.moving_work

    @property
    def part_bytes(self) -> int:
        """How much content it has."""
        return sum(part.size_bytes for part in self.parts) if self.parts else self.size_bytes

    @property
    def tools(self) -> Tool:
        """What the device needs for it."""
        needed = Tool.TRIES if self.moved_tries else NO_TOOLS
        needed |= Tool.TYPES if self.moved_types else NO_TOOLS
        for part in self.parts:
            needed |= TO_PACK[part.pack]
            for source in part.sources:
                needed |= TO_EXPAND[source.pack]
        return needed

    @property
    def zlib_parts(self) -> int:
        """How many parts are packed by zlib."""
        return sum(part.pack is Pack.ZLIB for part in self.parts)

    @property
    def moved_parts(self) -> int:
        """How many parts are made from old programs whose references are moved."""
        return sum(part.targets is not None for part in self.parts)

    @property
    def moved_types(self) -> int:
        """How many of them have numbers and names of types moved, too."""
        return sum(part.types_at is not None for part in self.parts)

    @property
    def compiled(self) -> int:
        """How often a module is compiled for it."""
        sources = [source for part in self.parts for source in part.sources]
        return sum(source.pack is Pack.MODULE for source in sources)

    @property
    def scratch_bytes(self) -> int:
        """What the device needs meanwhile, beside the file."""
        return max((_expanded_bytes(part) for part in self.parts), default=0)


def _expanded_bytes(part: Part) -> int:
    return sum(source.size_bytes for source in part.sources)


class Workers:
    """As many processes as there are cores, which find deltas.

    They are started at once: a process that forks later shares all the memory that it has by then.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(_JOBS)
        self._pool.submit(int).result()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def deltas(self, jobs: Sequence[Job]) -> list[Delta]:
        """Find a delta for each file, in order."""
        if sum(job.new.size_bytes for job in jobs) <= _FEW_BYTES:
            return list(map(delta, jobs))
        return list(self._pool.map(delta, jobs, chunksize=_BATCH))


def delta(job: Job) -> Delta:
    """The best delta for one file."""
    size = job.new.size_bytes
    if size > _MAX_BYTES:
        return Delta(size, Channel.BINARY, tuple(_windows(job, size)))
    content = job.new.read()
    plain = Delta(size, _channel(content))
    if not content:
        return plain
    old = job.old.read() if job.old and job.old.size_bytes <= _MAX_BYTES else b""
    found = list(_parts(members.cut(content, job.means), old, job))
    if job.module is not None and len(found) == 1:
        found = [_compiled(job.module, content, found[0])]
    parts = tuple(each.part for each in found)
    if len(parts) == 1 and parts[0].pack is Pack.NONE and not parts[0].copies:
        return plain
    tries = sum(part.targets is not None for part in parts) if programs.is_trie(content) else 0
    work = sum(each.moving_work for each in found)
    return replace(plain, parts=parts, moving_work=work, moved_tries=tries)


def _parts(stretches: Sequence[Member], old: bytes, job: Job) -> Iterator["_Weighed"]:
    """The parts of a file; what is packed is compared with what is packed in the old one."""
    packed = members.find(old)
    if packed is not None and packed.pack is Pack.LZ4 and not job.means.packs(Pack.LZ4):
        packed = None
    whole = members.whole(job.renames.apply(old))
    for stretch in stretches:
        alone = len(stretches) == 1
        inside = packed is not None and (alone or stretch.pack is not Pack.NONE)
        if inside and packed:
            yield _best(stretch, packed, job.means)
        else:
            yield _best(stretch, whole, job.means, follows=bool(job.renames))


def _compiled(module: Module, content: bytes, otherwise: "_Weighed") -> "_Weighed":
    """A file made from what a device compiles, if that is smaller than what else it is made of.

    To compile costs a device time, and that counts as if it were bytes.
    """
    made = module.compiled()
    if made is None:
        return otherwise
    size = module.file.size_bytes
    found = _copied(members.whole(content), Member(Pack.MODULE, 0, size, made))
    if found is None or found.size_bytes + _COMPILE_COST >= otherwise.size_bytes:
        return otherwise
    sources = tuple(replace(source, prefix=module.prefix) for source in found.part.sources)
    return replace(found, part=replace(found.part, sources=sources))


def _best(stretch: Member, old: Member, means: Means, *, follows: bool = False) -> "_Weighed":
    """The smallest: all of it sent, copies, or copies whose references are moved."""
    copied = _copied(stretch, old, follows=follows)
    if copied is None:
        return _Weighed(_sent(stretch), len(stretch.content))
    cost = means.reference_bytes
    if cost is None or (programs.is_trie(old.content) and Tool.TRIES not in means.tools):
        return copied
    moved = _with_targets(copied.part, stretch, old, means, cost)
    return moved if moved and moved.size_bytes < copied.size_bytes else copied


def _with_targets(
    part: Part, stretch: Member, old: Member, means: Means, cost: float
) -> "_Weighed | None":
    """The part made from an old program whose references are moved, if it is one.

    To move references costs a device time, and that counts as if it were bytes: ``cost``, for each.
    """
    types = Tool.TYPES in means.tools
    found = targets.find(old.content, stretch.content, part.copies, with_types=types)
    if found is None or len(found.copies) > MAX_COPIES:
        return None
    moved = replace(
        part,
        copies=Copies.of(found.copies),
        targets=Corrections.of(found.corrections),
        types_at=found.types_at,
    )
    weight = int(cost * found.references)
    looked: list[int] = []
    size = _estimate(stretch.content, moved, old.content, looked.append)
    return _Weighed(moved, weight + size, MOVED_WORK * sum(looked))


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A part, and how many bytes it takes in a stream, about."""

    part: Part
    size_bytes: int
    moving_work: int = 0


def _sent(stretch: Member) -> Part:
    """A part without old content."""
    size = len(stretch.content)
    return Part(stretch.pack, size, _channel(stretch.content), (), Copies.of(()))


def _copied(stretch: Member, old: Member, *, follows: bool = False) -> _Weighed | None:
    """The part made from copies, if that is smaller than all of it sent."""
    found = covers.find(old.content, stretch.content)
    if not found or len(found) > MAX_COPIES:
        return None
    sent = _sent(stretch)
    part = replace(sent, sources=(_source(old, follows=follows),), copies=Copies.of(found))
    size = _estimate(stretch.content, part, old.content)
    return _Weighed(part, size) if size < _estimate(stretch.content, sent, old.content) else None


def _source(old: Member, *, follows: bool) -> Source:
    if old.pack is Pack.NONE:
        return Source(None, follows=follows)
    return Source(None, old.pack, old.begin, old.end - old.begin, len(old.content))


def _estimate(new: bytes, part: Part, old: bytes, spend: Spend = uncounted) -> int:
    """How many bytes a part takes in a stream, about; tells what a device looks at for it."""
    events = _content(new, part, _Content(old), spend)
    return _COPY_COST * len(part.copies) + compressed_bytes(events)


def compressed_bytes(events: Iterable[Event]) -> int:
    """How many bytes the content in some events takes in a stream, about."""
    packer, size = zlib.compressobj(1), 0
    for event in events:
        if isinstance(event, Piece | Copied):
            size += len(packer.compress(event.data))
    return size + len(packer.flush())


def _channel(content: bytes) -> Channel:
    if content.startswith(_ELF) and content[16:20] in _LINKED_FOR_AMD64:
        return Channel.CODE
    return Channel.BINARY if b"\0" in content[:4096] else Channel.TEXT


def _windows(job: Job, size: int) -> Iterator[Part]:
    """A very large file, compared with what is about at the same place in the old one."""
    for begin in range(0, size, _WINDOW_BYTES):
        new = job.new.part(begin, _WINDOW_BYTES)
        at = max(0, begin - _MARGIN_BYTES)
        old = job.old.part(at, _WINDOW_BYTES + 2 * _MARGIN_BYTES) if job.old else b""
        whole = members.whole(new)
        copied = _copied(whole, members.whole(old))
        part = _sent(whole) if copied is None else copied.part
        copies = Copies.of((origin + at, gap, length) for origin, gap, length in part.copies)
        yield replace(part, copies=copies, channel=Channel.BINARY)


def content(name: bytes | None, job: Job, delta: Delta, origin: Location | None) -> Iterator[Event]:
    """The events that make a file.

    Args:
        name: its name, if it does not replace an entry.
        job: the file and the old one.
        delta: how it is made.
        origin: where the device has the old one; None: it is the entry that is replaced.
    """
    if not delta.parts:
        yield File(name, delta.size_bytes, job.new.executable, delta.channel)
        yield from map(Piece, job.new.pieces())
        return
    yield Patched(name, delta.size_bytes, job.new.executable, len(delta.parts))
    at = 0
    for part in delta.parts:
        sources = tuple(_placed(source, job, origin) for source in part.sources)
        yield replace(part, sources=sources)
        new = _new_content(job.new, part, at, delta)
        yield from _content(new, part, _old_content(job, part))
        at += part.size_bytes if part.pack is Pack.NONE else len(new)


def _placed(source: Source, job: Job, origin: Location | None) -> Source:
    if source.pack is Pack.MODULE and job.module:
        return replace(source, location=job.module.location)
    return replace(source, location=origin)


def _new_content(file: FileNode, part: Part, at: int, delta: Delta) -> bytes:
    if delta.size_bytes > _MAX_BYTES:
        return file.part(at, part.size_bytes)
    content = file.read()
    if all(each.pack is Pack.NONE for each in delta.parts):
        return content[at : at + part.size_bytes]
    member = members.find(content)
    assert member is not None
    if part.pack is not Pack.NONE:
        return member.content
    return content[: member.begin] if at == 0 else content[member.end :]


def _old_content(job: Job, part: Part) -> "_Content | _File":
    if part.sources and part.sources[0].pack is Pack.MODULE:
        made = job.module.compiled() if job.module else None
        assert made is not None  # it was, when the part was found
        return _Content(made)
    if job.old is None or not part.sources:
        return _Content(b"")
    if part.sources[0].pack is Pack.NONE:
        return _File(job.old, job.renames if part.sources[0].follows else NO_RENAMES)
    member = members.find(job.old.read())
    assert member is not None
    return _Content(member.content)


@dataclass(frozen=True, slots=True)
class _Content:
    """Old content in memory."""

    content: bytes

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.content[offset : offset + size_bytes]

    @property
    def size_bytes(self) -> int:
        return len(self.content)


@dataclass(frozen=True, slots=True)
class _File:
    """Old content in a file."""

    file: FileNode
    renames: Renames

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.renames.read(self.file.part, offset, size_bytes)

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes


def _content(
    new: bytes, part: Part, old: "_Content | _File", spend: Spend = uncounted
) -> Iterator[Piece | Copied]:
    at, copies, read = 0, part.copies, old.read
    if part.targets is not None:
        moves, types = copies.moves(), part.types_at
        read = Moved(old.read, old.size_bytes, moves, part.targets, spend, types).read
    for origin, gap, length in copies:
        yield from _pieces(new, at, gap)
        at += gap
        for begin in range(0, length, _CHUNK_BYTES):
            size = min(_CHUNK_BYTES, length - begin)
            there = origin + begin
            ours = new[at + begin : at + begin + size]
            yield Copied([(there, 0, size)], b"", subtract(ours, read(there, size)))
        at += length
    yield from _pieces(new, at, len(new) - at)


def _pieces(new: bytes, at: int, size: int) -> Iterator[Piece]:
    for begin in range(at, at + size, _CHUNK_BYTES):
        yield Piece(new[begin : min(begin + _CHUNK_BYTES, at + size)])
