"""Receiving: from a stream and an intact base to a generation that is complete and registered.

Everything that can be known before the first write is checked before the first write: format, host
and architecture, whether the base is installed and lacks nothing, whether there is room once the
leftovers of a cut are removed (``room.py``). Then the trees of the objects are made, in memory
(``tree_maker.py``), and new contents go to the pool (``contents.py``). When the whole stream was
read the images are made and compared with the digests of the manifest (``images.py``), and at last
the manifest is registered, which is what makes the generation exist.

==========================  =======================================================================
after a power cut           repeating the same stream
==========================  =======================================================================
while contents come         what has its name in the pool is not written again
while images are made       likewise
before the manifest         nothing is written but the manifest
after the manifest          nothing is written at all
==========================  =======================================================================

When a stream is refused, what it has added is removed. Two receivers at once are excluded by the
caller (the agent's lock).

Tested by ``tests/unit/transfer/receiving/test_receive.py`` and ``tests/crash/test_receive_cut.py``.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence

from reconix.base import progress
from reconix.base.errors import ReconixError
from reconix.base.records import dataclass, field
from reconix.store.images.erofs import INODE, TooLargeForImage
from reconix.store.images.image import BadImage
from reconix.store.manifest import Manifest
from reconix.store.paths import StorePath
from reconix.store.pool import BadContent
from reconix.store.registry import ImageMissing, Registry
from reconix.transfer.codecs import tools
from reconix.transfer.codecs.modules import Compiler, own
from reconix.transfer.format.bases import View
from reconix.transfer.format.costs import MAX_MADE_NODES, Account, CpuLimit
from reconix.transfer.format.packing import Unpacker
from reconix.transfer.format.payload_head import Need, PayloadHead
from reconix.transfer.format.plan import parse
from reconix.transfer.format.reading import read_beginning
from reconix.transfer.format.stream import (
    Again,
    Header,
    LinkFault,
    Read,
    StreamReader,
    UnsupportedStream,
)
from reconix.transfer.receiving.contents import Contents
from reconix.transfer.receiving.images import Images
from reconix.transfer.receiving.integrity import expect_integrity
from reconix.transfer.receiving.room import DiskFull, Room, make_room, room_for, room_for_frames
from reconix.transfer.receiving.sources import BaseTrees, Sources
from reconix.transfer.receiving.spool import Spool
from reconix.transfer.receiving.tree_maker import TreeMaker
from reconix.transfer.trust.seal import Seal

_ANOTHER_BASE = "make a stream from what `reconix-device status` shows, or without a base"
_REPAIR = "repair it first: `reconix repair --to DEVICE`; or send all of it, without a base"


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

    def __init__(self, base: StorePath, what: str, *, hint: str = _ANOTHER_BASE) -> None:
        super().__init__(f"the stream starts from {base}, {what}", hint=hint)
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
        NoIntegrity: the disk cannot have what the generation demands of it.
    """
    stream = StreamReader(read, None if spool is None else spool.take, again)
    check_device(stream.header, host, architecture)
    if stream.header.repaired:
        raise UnsupportedStream("repairs what is installed; it brings no generation")
    commit = verifier(stream.header, stream.read_head().seal, stream.statement)
    installed = registry.get(stream.header.target)
    if installed is not None and _is_whole(installed, registry):
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
    job.close()
    _forget(spool)
    return job.manifest


@contextlib.contextmanager
def _cleaning_up(job: "_Job", spool: Spool | None) -> Iterator[None]:
    """Free the space after a refusal; keep what arrived if only the link failed."""
    try:
        yield
    except LinkFault:
        if spool is None or not spool.is_kept:
            job.take_back()
        else:
            job.close()
            spool.close()
        raise
    except ReconixError:
        job.take_back()
        _forget(spool)
        raise
    except OSError as error:
        job.take_back()
        _forget(spool)
        raise translated(error) from error


def _forget(spool: Spool | None) -> None:
    if spool is not None:
        with contextlib.suppress(OSError):  # it is overwritten by the next stream
            spool.discard()


def check_device(header: Header, host: str, architecture: str) -> None:
    """Refuse a stream that is for another kind of device.

    Raises:
        WrongDevice: it is.
    """
    if header.host != host:
        raise WrongDevice("host", wanted=header.host, ours=host)
    if header.architecture != architecture:
        raise WrongDevice("architecture", wanted=header.architecture, ours=architecture)


def translated(error: OSError) -> ReconixError:
    """What an error of the disk is for whoever sent a stream."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("the disk filled up while objects were written")
    return StorageFailed(error)


def _prepare(stream: StreamReader, registry: Registry, spool: Spool | None) -> "_Job":
    """Preflight: refuse what can be refused before anything is written."""
    base = _find_base(registry, stream.header.bases)
    beginning = read_beginning(stream, base)
    lacking = tools.missing(beginning.head.tools, beginning.head.python)
    if lacking:
        raise UnsupportedStream(f"needs {' and '.join(lacking)}, which this device lacks")
    payload, head, view = beginning.payload, beginning.head, beginning.view
    job = _Job(stream, payload, head, view, registry, base, CpuLimit.of(stream.header))
    try:
        job.check_base()
        registry.clear_staging()
        make_room(job.room, registry, spool)
    except OSError as error:
        raise StorageFailed(error) from error
    return job


def _find_base(registry: Registry, bases: Sequence[StorePath]) -> Manifest | None:
    """The installed base, of several the first that lacks nothing; ``None`` if none is needed."""
    if not bases:
        return None
    installed = [found for base in bases if (found := registry.get(base)) is not None]
    if not installed:
        raise WrongBase(bases[0], f"which is not installed{_nor(len(bases) - 1)}")
    several = installed if len(installed) > 1 else ()
    return next((each for each in several if _is_whole(each, registry)), installed[0])


def _nor(others: int) -> str:
    """What to say of the bases that are not named."""
    if others > 1:
        return f", nor are its {others} other bases"
    return ", nor is its other base" if others else ""


def _is_whole(manifest: Manifest, registry: Registry) -> bool:
    """Whether a generation lacks nothing, as far as its images tell; contents are not read."""
    try:
        registry.expect_whole(manifest)
    except (ImageMissing, BadImage, BadContent):
        return False
    return True


@dataclass(slots=True)
class _Job:
    """One stream on its way into the store."""

    stream: StreamReader
    payload: Unpacker | None  # until all of it was read: it holds what was sent last
    head: PayloadHead
    view: View
    registry: Registry
    base: Manifest | None
    cpu_limit: CpuLimit
    contents: Contents = field(init=False)
    images: Images = field(init=False)
    _nodes_left: int = field(init=False)  # that new images hold
    _words_left: int = field(init=False)
    old: BaseTrees = field(init=False)
    compiler: Compiler = field(default_factory=lambda: Compiler(own()))

    def __post_init__(self) -> None:
        self.contents = Contents(self.registry.pool, self.registry.staging_dir)
        self.images = Images(self.registry)
        new = {*self.manifest.images} - {*self.view.images}
        size_bytes = sum(entry.size_bytes for entry in new)
        self._nodes_left = min(MAX_MADE_NODES, size_bytes // INODE.size)
        self._words_left = 2 * size_bytes
        self.old = BaseTrees(self.registry, self.base)

    @property
    def manifest(self) -> Manifest:
        """Of the target."""
        return self.head.manifest

    @property
    def room(self) -> Room:
        """What it takes."""
        return room_for(self.head.needs, self.manifest, self.registry)

    def check_base(self) -> None:
        """Check what of the base is needed; what stays was verified when it came.

        Raises:
            WrongBase, DamagedBase: something is missing, or altered.
        """
        if self.base is None:
            return
        stays = {entry.sha256 for entry in self.manifest.images}
        try:
            for entry in self.base.images:
                if entry.sha256 not in stays:
                    self.old.expect_whole([entry])
                elif not self.registry.image_path(entry.sha256).is_file():
                    raise ImageMissing(entry.sha256)
        except (BadContent, ImageMissing) as error:
            what = f"which is not complete: {error}"
            raise WrongBase(self.base.root, what, hint=_REPAIR) from error

    def run(self) -> None:
        """Make all objects, then the images in which they stand."""
        sources = self._sources()
        payload, self.payload = self.payload, None
        assert payload is not None
        with progress.stage("receive", total=self.stream.header.content_bytes) as stage:
            for need in self.head.needs:
                self._make(payload, need, sources, stage)
            payload.finish()
            self.stream.finish()
            self.contents.finish()
        del payload
        self._make_images(sources)
        expect_integrity(self.manifest, self.registry)

    def commit(self) -> None:
        """Register the generation; from now on it may exist, so nothing is taken back."""
        self.images.added.clear()
        self.contents.added.clear()
        self.registry.register(self.manifest)

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

    def close(self) -> None:
        """Free the space of what has no name yet."""
        self.compiler.close()
        self.contents.close()
        with contextlib.suppress(OSError):  # what cannot be removed now goes with the next stream
            self.registry.clear_staging()

    def take_back(self) -> None:
        """Free the space of everything that this stream has added."""
        self.close()
        with contextlib.suppress(OSError):  # likewise, or when the device collects
            self.images.take_back()
            self.contents.take_back()

    def _sources(self) -> Sources:
        view, objects = self.view, self.manifest.objects
        return Sources(
            self.old,
            view.objects,
            objects,
            {objects[need.index] for need in self.head.needs},
            view.left_out,
            self.head.renames,
            self.contents,
            self.stream.wrong,
            self.compiler,
        )

    def _make(self, payload: Unpacker, need: Need, sources: Sources, stage: progress.Stage) -> None:
        number = need.index + len(self.view.objects)
        declared = need.content_bytes, need.space_bytes, need.inodes
        account = Account(*declared, self.stream.wrong, self.cpu_limit)
        account.words_bytes = most_words = min(account.words_bytes, self._words_left)
        maker = TreeMaker(number, sources, account, self._nodes_left)
        try:
            for event in parse(payload, self.view.which, account.skip):
                stage.advance(maker.feed(event))
        finally:
            maker.close()
        self._nodes_left -= maker.made
        self._words_left -= most_words - account.words_bytes
        sources.set(number, maker.finish())

    def _make_images(self, sources: Sources) -> None:
        for entry in self.manifest.images:
            try:
                self.images.make(entry, sources)
            except TooLargeForImage as error:
                raise self.stream.wrong(str(error)) from error
            self.cpu_limit.check()
