"""Receiving: from a stream and an intact base to a generation that is complete and registered.

Everything that can be known before the first write is checked before the first write: format, host
and architecture, whether the base is installed and complete, whether the objects that stay are
intact, whether there is room once the leftovers of a cut are removed (``room.py``). Then the
objects are made one after the other under ``/reconix/staging``, each made durable and read back
against its hash. Only when the whole stream was verified do they get their names in the store, and
only then is the manifest registered, which is what makes the generation exist.

==========================  =======================================================================
after a power cut           repeating the same stream
==========================  =======================================================================
while an object is made     what was complete in staging is verified and used, the part removed
between two final names     what has its name is verified and skipped
before the manifest         nothing is written but the manifest
after the manifest          nothing is written at all
==========================  =======================================================================

When a stream is refused, staging is emptied. Two receivers at once are
excluded by the caller (the agent's lock).

Tested by ``tests/unit/transfer/receiving/test_receive.py`` and ``tests/crash/test_receive_cut.py``.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.store import nar
from reconix.store.manifest import Manifest, StoreObject
from reconix.store.nar import BadTree, NarInfo
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.transfer.codecs import tools
from reconix.transfer.codecs.renames import Renames
from reconix.transfer.format.bases import View
from reconix.transfer.format.costs import Account, CpuLimit, Spare
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.payload_head import Need
from reconix.transfer.format.plan import Copied, Piece, parse
from reconix.transfer.format.reading import read_beginning
from reconix.transfer.format.stream import (
    Again,
    Header,
    LinkFault,
    Read,
    StreamReader,
    UnsupportedStream,
)
from reconix.transfer.receiving.room import (
    MARGIN_BYTES,
    MARGIN_INODES,
    DiskFull,
    Room,
    make_room,
    room_for,
    room_for_frames,
)
from reconix.transfer.receiving.sources import DamagedBase, Sources
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.receiving.staging import Maker, altered_files, verify
from reconix.transfer.trust.seal import Seal

_PART = ".part"


class WrongDevice(ReconixError):
    """The stream is for another kind of device."""

    exit_code = 53

    def __init__(self, what: str, *, wanted: str, ours: str) -> None:
        super().__init__(
            f"the stream is for {what} {wanted[:80]!r}; this device is {ours!r}",
            hint="send the stream that was made for this host",
        )


class WrongBase(ReconixError):
    """The generation that the stream starts from is not here, or not all of it."""

    exit_code = 54

    def __init__(self, base: StorePath, what: str) -> None:
        super().__init__(
            f"the stream starts from {base}, {what}",
            hint="make a stream from what `reconix-device status` shows, or without a base",
        )
        self.base = base


class StorageFailed(ReconixError):
    """The device's disk refused to read or write."""

    exit_code = 58

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"the disk failed: {error}", hint="nothing was installed; check the device's disk"
        )


Commit = Callable[[], None]
"""Remembers a stream that was verified, before its generation is registered."""

Verifier = Callable[[Header, Seal, bytes], Commit]
"""Decides on a stream by its head, its seal and what that is over, before anything is written.

It refuses by raising, and changes nothing; that is for what it returns.
"""


def accept_any(header: Header, seal: Seal, statement: bytes) -> Commit:
    """Take every stream that is whole, and remember nothing."""
    return lambda: None


def receive(
    read: Read,
    registry: Registry,
    *,
    host: str,
    architecture: str,
    verifier: Verifier = accept_any,
    spool: Spool | None = None,
    again: Again | None = None,
) -> Manifest:
    """Take a stream in and register the generation that it leads to.

    For a generation that is installed and intact only the head of the stream is read.

    Args:
        read: returns up to that many bytes of the stream, and none at its end.
        registry: the generations of this device; its partition must be writable.
        host: the host of this device.
        architecture: its architecture.
        verifier: decides whether the stream is trusted; without it every one is that is whole.
        spool: keeps what arrived if the link fails; without it that is lost. Its file makes room.
        again: goes back on the link, for what came altered.

    Raises:
        BadStream, LinkFault, UnsupportedStream: see ``StreamReader``.
        WrongDevice, WrongBase, DamagedBase, DiskFull: this device cannot take it.
        ContentMismatch, StorageFailed: it was stopped while objects were made.
    """
    stream = StreamReader(read, None if spool is None else spool.take, again)
    _check_device(stream.header, host, architecture)
    commit = verifier(stream.header, stream.read_head().seal, stream.statement)
    installed = registry.get(stream.header.target)
    if installed is not None and _all_intact(installed, registry):
        commit()
        _forget(spool)
        return installed
    job = _prepare(stream, registry, spool)
    with _cleaning_up(job, spool):
        if spool is not None:
            job.begin_spool(spool)
        job.run()
        commit()
        job.commit()
    _forget(spool)
    return job.manifest


@contextlib.contextmanager
def _cleaning_up(job: "_Job", spool: Spool | None) -> Iterator[None]:
    """Free the space after a refusal; keep what arrived if only the link failed."""
    try:
        yield
    except LinkFault:
        if spool is None or not spool.is_kept:
            job.clear_staging()
        else:
            spool.close()
        raise
    except ReconixError:
        job.clear_staging()
        _forget(spool)
        raise
    except OSError as error:
        job.clear_staging()
        _forget(spool)
        raise _translated(error) from error


def _forget(spool: Spool | None) -> None:
    if spool is not None:
        with contextlib.suppress(OSError):  # it is overwritten by the next stream
            spool.discard()


def _all_intact(manifest: Manifest, registry: Registry) -> bool:
    return all(_is_intact(registry.path(item.path), item) for item in manifest.objects)


def _check_device(header: Header, host: str, architecture: str) -> None:
    if header.host != host:
        raise WrongDevice("host", wanted=header.host, ours=host)
    if header.architecture != architecture:
        raise WrongDevice("architecture", wanted=header.architecture, ours=architecture)


def _translated(error: OSError) -> ReconixError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("the disk filled up while objects were written")
    return StorageFailed(error)


def _prepare(stream: StreamReader, registry: Registry, spool: Spool | None) -> "_Job":
    """Preflight: refuse what can be refused before anything is written."""
    base = _find_base(registry, stream.header.bases)
    beginning = read_beginning(stream, base)
    head = beginning.head
    lacking = tools.missing(head.tools)
    if lacking:
        raise UnsupportedStream(f"needs {' and '.join(lacking)}, which this device lacks")
    job = _Job(
        stream,
        beginning.payload,
        registry,
        base,
        beginning.view,
        head.manifest,
        head.needs,
        head.renames,
        CpuLimit.of(stream.header),
    )
    try:
        job.check_base()
        job.look_around()
        job.remove_leftovers()
        make_room(job.room, registry, job.manifest, spool)
    except OSError as error:
        raise StorageFailed(error) from error
    return job


def _find_base(registry: Registry, bases: Sequence[StorePath]) -> Manifest | None:
    """The first base that is complete, else the first that is installed; None if none is needed."""
    if not bases:
        return None
    installed = [found for base in bases if (found := registry.get(base)) is not None]
    if not installed:
        raise WrongBase(bases[0], f"which is not installed{_nor(len(bases) - 1)}")
    return next((each for each in installed if not _missing(each, registry)), installed[0])


def _nor(others: int) -> str:
    """What to say of the bases that are not named."""
    if others > 1:
        return f", nor are its {others} other bases"
    return ", nor is its other base" if others else ""


def _missing(base: Manifest, registry: Registry) -> StorePath | None:
    """The first missing object of a base, if any."""
    paths = (item.path for item in base.objects)
    return next((path for path in paths if not _exists(registry.path(path))), None)


@dataclass(slots=True)
class _Job:
    """One stream on its way into the store."""

    stream: StreamReader
    payload: Unpacker
    registry: Registry
    base: Manifest | None
    view: View
    manifest: Manifest
    needs: tuple[Need, ...]
    renames: Renames
    cpu_limit: CpuLimit
    _spare: Spare = field(default_factory=lambda: Spare(MARGIN_BYTES // 2, MARGIN_INODES // 2))
    _present: frozenset[StorePath] = frozenset()  # sent, but there already under the final name
    _staged: frozenset[StorePath] = frozenset()  # sent, but left in staging by a cut

    def check_base(self) -> None:
        """Check that the base is complete and that what stays is in it, intact.

        Raises:
            WrongBase: an object of the base is missing.
            DamagedBase: an object that the target keeps was altered.
            BadStream: an object of the target is neither sent nor in the base.
        """
        missing = None if self.base is None else _missing(self.base, self.registry)
        if self.base is not None and missing is not None:
            raise WrongBase(self.base.root, f"of which {missing} is missing")
        old = {item.path: item for item in self.view.staying}
        sent = {item.path for item in self._sent()}
        kept = [item for item in self.manifest.objects if item.path not in sent]
        for item in kept:
            if old.get(item.path) != item:
                raise self.stream.wrong(f"{item.path} is neither sent nor in the base")
        self._verify_kept(kept)

    def look_around(self) -> None:
        """Find out which objects need not be made again."""
        sent = self._sent()
        self._present = frozenset(
            item.path for item in sent if _is_intact(self.registry.path(item.path), item)
        )
        self._staged = frozenset(
            item.path
            for item in sent
            if item.path not in self._present and _is_intact(self.registry.staged(item.path), item)
        )
        named = {item.path for item in self.registry.objects()}
        for item in sent:
            final = self.registry.path(item.path)
            if item.path not in self._present and item.path in named and _exists(final):
                raise DamagedBase(str(item.path), "an installed generation uses it")

    @property
    def room(self) -> Room:
        """What the missing objects take."""
        missing = (need for need in self.needs if not self._is_there(self._item(need).path))
        return room_for(missing, self.manifest, self.registry)

    def remove_leftovers(self) -> None:
        """Remove the useless leftovers of an interrupted receive."""
        self.registry.clear_staging(keep=self._staged)
        for item in self._sent():
            if item.path not in self._present and _exists(self.registry.path(item.path)):
                remove_tree(self.registry.path(item.path))

    def run(self) -> None:
        """Make all objects."""
        sources = self._sources()
        with progress.stage("receive", total=self.stream.header.content_bytes) as stage:
            for need in self.needs:
                self._receive_object(need, sources, stage)
            self.payload.finish()
            self.stream.finish()

    def begin_spool(self, spool: Spool) -> None:
        """Save what arrives from now on, if there is room for it."""
        if not spool.keeps:
            return
        if not spool.resumed_bytes:
            spool.discard()
        frames = room_for_frames(self.stream.read_head().stream_bytes, spool)
        if (self.room + frames).lacks(self.registry.system_root):
            progress.note(
                "no room to save a partial stream; if interrupted, all of it must be sent again"
            )
            spool.give_up()
        else:
            spool.begin()

    def clear_staging(self) -> None:
        """Free the space of everything that is staged."""
        with contextlib.suppress(OSError):  # what cannot be removed now goes with the next stream
            self.registry.clear_staging()

    def _sent(self) -> list[StoreObject]:
        return [self._item(need) for need in self.needs]

    def _item(self, need: Need) -> StoreObject:
        return self.manifest.objects[need.index]

    def _part(self, path: StorePath) -> Path:
        return self.registry.staging_dir / f"{path.basename}{_PART}"

    def _is_there(self, path: StorePath) -> bool:
        return path in self._present or path in self._staged

    def _verify_kept(self, kept: list[StoreObject]) -> None:
        total = sum(item.nar_size_bytes for item in kept)
        with progress.stage("check what stays", total=total) as stage:
            for item in kept:
                if not _is_intact(self.registry.path(item.path), item):
                    where = altered_files(self.registry.path(item.path))
                    raise DamagedBase(str(item.path), f"its content was altered{where}")
                stage.advance(item.nar_size_bytes)

    def _sources(self) -> Sources:
        old = self.view.objects
        roots: list[Path | None] = [self.registry.path(item.path) for item in old]
        sent = {item.path for item in self._sent()}
        for item in self.manifest.objects:
            there = item.path in self._present or item.path not in sent
            roots.append(self.registry.path(item.path) if there else None)
        promised = {self.registry.path(item.path): item for item in old}
        return Sources(roots, promised, self.view.left_out, self.renames)

    def _receive_object(self, need: Need, sources: Sources, stage: progress.Stage) -> None:
        item = self._item(need)
        number = need.index + len(self.view.objects)
        if self._is_there(item.path):
            self._skip(need, stage)
        else:
            self._make(item, need, sources, number, stage)
        if item.path not in self._present:
            sources.set(number, self.registry.staged(item.path))

    def _account(self, need: Need) -> Account:
        return Account(
            need.content_bytes,
            need.space_bytes,
            need.inodes,
            self.stream.wrong,
            self.cpu_limit,
            self._spare,
        )

    def _skip(self, need: Need, stage: progress.Stage) -> None:
        account = self._account(need)
        for event in parse(self.payload, self.view.which, account.skip):
            account.skip(event)
            if isinstance(event, Piece | Copied):
                stage.advance(len(event.data))

    def _make(
        self, item: StoreObject, need: Need, sources: Sources, number: int, stage: progress.Stage
    ) -> None:
        part = self._part(item.path)
        self.registry.staging_dir.mkdir(parents=True, exist_ok=True)
        sources.set(number, part)
        maker = Maker.begin(part, sources, account := self._account(need))
        try:
            for event in parse(self.payload, self.view.which, account.skip):
                stage.advance(maker.feed(event))
            maker.finish()
        finally:
            maker.close()
        verify(part, item, sources, self.cpu_limit)
        part.rename(self.registry.staged(item.path))

    def commit(self) -> None:
        """Give the objects their names and register the generation."""
        self.registry.place([item.path for item in self._sent()])
        self.registry.add(self.manifest)


def _is_intact(path: Path, item: StoreObject) -> bool:
    if not _exists(path):
        return False
    try:
        return nar.digest(path) == NarInfo(item.nar, item.nar_size_bytes)
    except BadTree:
        return False


def _exists(path: Path) -> bool:
    return os.path.lexists(path)  # a symbolic link may be an object
