"""The store on the build host: a folder that the user owns and that Nix understands.

Below a root of the user's choice lies what Nix calls a chroot store::

    <root>/nix/store/<hash>-<name>        the objects; inside they call themselves /nix/store/...
    <root>/nix/store/.links/              one name for each content
    <root>/nix/store/.add-*               what is being added, or was when the power went
    <root>/nix/var/nix/db/                the database
    <root>/nix/var/nix/gcroots/           what must stay

An object is added in one pass: every event of the tree goes to the disk, to the hash, to the
scanner for references and to the hash of its file, so its content is read once. Only then its
name is known. The steps are ordered so that a cut after any of them leaves a consistent store:

1. write the tree under ``.add-*``; files whose content is in ``.links`` become links at once
2. make it durable, all at once: one ``syncfs`` instead of one ``fsync`` for each of many files
3. put its new files into ``.links``
4. rename it to its final name, with the lock of that name held; an unregistered leftover goes first
5. make the names durable
6. register it, in one transaction

What comes from elsewhere is bounded while it comes: it ends at the size that was promised, and
leaves room on the disk for others. Many small files need far more room than their archive, so what
counts is what is free, seen again and again.

Source: Nix manual, *Local store*. Tested by ``tests/unit/nix/test_chroot.py``, by the real
``nix`` in ``tests/compat/test_nix_store.py`` and step by step in
``tests/crash/test_store_crash.py``.
"""

import contextlib
import errno
import hashlib
import itertools
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import remove_tree
from reconix.base.process import run
from reconix.nix import roots
from reconix.nix.canonical import canonicalise
from reconix.nix.database import NotValid, PathInfo, open_database
from reconix.nix.locks import (
    TemporaryRoots,
    collecting_locked,
    path_locked,
    path_locked_if_free,
)
from reconix.store import nar
from reconix.store import tree as trees
from reconix.store.closure import Closure, StoreObject
from reconix.store.links import (
    LINKS,
    LinkPool,
    Saved,
    SharingRestorer,
    TreeKeys,
    drop_changed,
    optimise_all,
)
from reconix.store.nar import Encoder, Event, NarInfo
from reconix.store.paths import StorePath, base32_encode, content_address
from reconix.store.references import Scanner
from reconix.store.verify import ContentChanged, ObjectMissing, verify_all

_NUMBERS = itertools.count()
_STAGED = ".add-"
_LINK = ".link"
_READERS = 2  # processes that read and hash while this one links; more have nothing to do
_BATCH_OBJECTS = 64
_BATCH_BYTES = 256 << 20
_LOOK_EVENTS = 128
_RESERVE_BYTES = 256 << 20
"""How much of a disk is left to others, or 1/32 of it."""


class WrongContent(ReconixError):
    """What arrived is not what was promised under that name."""

    exit_code = 26

    def __init__(self, path: StorePath, *, expected: NarInfo, found: NarInfo) -> None:
        super().__init__(
            f"{path}: expected {expected.digest} ({expected.size_bytes} bytes), "
            f"found {found.digest} ({found.size_bytes} bytes)",
            hint="the source is damaged or lies; nothing was added",
        )


class TooLarge(ReconixError):
    """What arrives is larger than was promised, or than there is room for."""

    exit_code = 29


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object that comes from elsewhere under a name that is known."""

    info: PathInfo
    events: Iterable[Event]  # its content; not asked for if the object is here already

    def paths(self) -> tuple[StorePath, ...]:
        """The object and what it refers to."""
        return (self.info.path, *self.info.object.references)


class ChrootStore:
    """A store below a root folder; open it with ``with`` or call ``close``.

    Several processes, and real Nix processes, may use the same store at the same time.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.store_dir = self.root / "nix/store"
        self.state_dir = self.root / "nix/var/nix"
        (self.store_dir / LINKS).mkdir(parents=True, exist_ok=True)
        self.database = open_database(self.state_dir / "db")
        self._roots = TemporaryRoots(self.state_dir)
        self._is_tidy = False

    def close(self) -> None:
        """Close the database, and release what this process protects."""
        self._roots.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def path(self, path: StorePath) -> Path:
        """Where the object lies on this machine."""
        return self.store_dir / path.basename

    def is_valid(self, path: StorePath) -> bool:
        """Whether the object is here, whole."""
        return self.database.info(path) is not None

    def valid_all(self, paths: Iterable[StorePath]) -> bool:
        """Whether all objects are here; if so they stay until this store is closed."""
        wanted = list(paths)
        self._roots.keep(wanted)
        return all(self.is_valid(path) for path in wanted)

    def info(self, path: StorePath) -> StoreObject:
        """What is registered about an object.

        Raises:
            NotValid: it is not here.
        """
        return self.path_info(path).object

    def path_info(self, path: StorePath) -> PathInfo:
        """All that the database knows about an object.

        Raises:
            NotValid: it is not here.
        """
        info = self.database.info(path)
        if info is None:
            raise NotValid(path)
        return info

    def closure(self, *tops: StorePath) -> list[StorePath]:
        """The objects and all that they need, sorted.

        Raises:
            NotValid: one of them is not here.
        """
        return sorted(item.path for item in self._reach(tops))

    def closure_of(self, root: StorePath) -> Closure:
        """The closure of an object with what is registered about it.

        Raises:
            NotValid: it is not here.
        """
        return Closure(root, tuple(sorted(self._reach([root]))))

    def _reach(self, tops: Iterable[StorePath]) -> set[StoreObject]:
        reached: set[StoreObject] = set()
        seen: set[StorePath] = set()
        waiting = list(tops)
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                item = self.info(path)
                reached.add(item)
                waiting.extend(item.references)
        return reached

    def add(
        self,
        tree: Path,
        name: str,
        candidates: Iterable[StorePath] = (),
        *,
        move: bool = False,
    ) -> StorePath:
        """Add a file or folder under the name that its content decides.

        Args:
            tree: what to add.
            name: the part of the store path after the hash.
            candidates: the objects that it may refer to; their closures are looked for as well.
            move: take the tree itself instead of a copy. It is gone afterwards.

        Raises:
            BadTree: the tree contains something that a store cannot hold.
            NotValid: a candidate is not here.
        """
        if move:
            return self._add(lambda place: _Moved(tree, place, self._pool(place)), name, candidates)
        return self.add_events(nar.walk(tree), name, candidates)

    def add_files(
        self, files: trees.Node, name: str, candidates: Iterable[StorePath] = ()
    ) -> StorePath:
        """Add a tree that was described in memory; see ``add_again``."""
        return self.add_again(lambda: trees.events(files), name, candidates)

    def add_events(
        self, events: Iterable[Event], name: str, candidates: Iterable[StorePath] = ()
    ) -> StorePath:
        """Add a tree that comes node by node; see ``add``."""
        return self._add(lambda place: _Written(events, place, self._pool(place)), name, candidates)

    def add_again(
        self,
        again: Callable[[], Iterable[Event]],
        name: str,
        candidates: Iterable[StorePath] = (),
    ) -> StorePath:
        """Add a tree that is probably here; see ``add``.

        It is read once to find that out, which writes nothing, and once more if it is not.

        Args:
            again: gives the tree node by node, whenever it is asked.
            name: the part of the store path after the hash.
            candidates: the objects that it may refer to.
        """
        StorePath("0" * 32, name)  # a bad name shows before the work
        known = self.closure(*candidates)
        self._roots.keep(known)
        scanner = Scanner(known)
        measured = _measure(again(), scanner)
        info = _describe(measured, name, tuple(sorted(scanner.found())))
        self._roots.keep([info.path])
        return info.path if self.is_valid(info.path) else self.add_events(again(), name, known)

    def receive(self, info: PathInfo, read: nar.Read) -> None:
        """Add an object under a name that is known, from its archive; see ``receive_all``.

        Args:
            info: what must arrive.
            read: gives the archive; not a byte behind it is read.
        """
        self.receive_all([Arrival(info, nar.parse(read))])

    def receive_all(self, arrivals: Iterable["Arrival"]) -> None:
        """Add objects under names that are known; an object comes after what it refers to.

        Objects are made durable and registered many at a time. Those that are valid already are
        not read.

        Raises:
            WrongContent: digest or size differ.
            TooLarge: there is no room for what was announced, or for what arrives.
            BadArchive: an archive is damaged.
            NotValid: an object refers to something that is neither here nor came before it.
        """
        for batch in _batches(arrivals):
            self._receive_batch(batch)

    def expect_room(self, size_bytes: int) -> None:
        """Announce how much is about to arrive.

        Raises:
            TooLarge: there is no room for it.
        """
        _Room(self.store_dir).expect(size_bytes, "what is to come")

    def receive_unnamed(
        self, events: Iterable[Event], describe: Callable[[NarInfo], PathInfo]
    ) -> StorePath:
        """Add an object whose name becomes known only after its content.

        Args:
            events: the content.
            describe: gives name and facts, when the content was read and measured.

        Raises:
            NotValid: it refers to something that is not here.
        """
        with collecting_locked(self.state_dir, exclusive=False), self._place() as place:
            staged = _Written(events, place, self._pool(place))
            info = describe(_measure(staged.events(), Scanner(())))
            self._roots.keep([info.path, *info.object.references])
            self._expect_valid(info.object, {info.path})
            self._settle([_Ready(info, place, staged)])
        return info.path

    def take_closure(self, source: "ChrootStore", tops: Iterable[StorePath]) -> None:
        """Copy objects with all that they need from another store, names and facts unchanged.

        Raises:
            NotValid: one of them is not in the source.
            WrongContent: the source is damaged.
        """
        self.receive_all(
            Arrival(
                replace(info, built_here=False, registered=0),
                nar.walk(source.path(info.path)),
            )
            for info in source.in_order(tops)
            if not self.is_valid(info.path)
        )

    def in_order(self, tops: Iterable[StorePath]) -> list[PathInfo]:
        """A closure, each object after everything that it refers to.

        Raises:
            NotValid: one of them is not here.
        """
        order: dict[StorePath, PathInfo] = {}
        waiting = [(path, False) for path in sorted(set(tops), reverse=True)]
        while waiting:
            path, seen = waiting.pop()
            if path in order:
                continue
            info = self.path_info(path)
            if seen:
                order[path] = info
                continue
            waiting.append((path, True))
            inner = [one for one in info.object.references if one != path and one not in order]
            waiting.extend((one, False) for one in reversed(inner))
        return list(order.values())

    def _receive_batch(self, batch: list["Arrival"]) -> None:
        coming: set[StorePath] = set()
        with contextlib.ExitStack() as stack:
            self._roots.keep(path for one in batch for path in one.paths())
            stack.enter_context(collecting_locked(self.state_dir, exclusive=False))
            ready = []
            for arrival in batch:
                path = arrival.info.path
                if not self.is_valid(path):
                    coming.add(path)
                    self._expect_valid(arrival.info.object, coming)
                    ready.append(self._receive_one(arrival, stack.enter_context(self._place())))
            self._settle(ready)

    def _expect_valid(self, item: StoreObject, coming: Container[StorePath]) -> None:
        for path in item.references:
            if path not in coming and not self.is_valid(path):
                raise NotValid(path, needed_by=item.path)

    def _receive_one(self, arrival: "Arrival", place: Path) -> "_Ready":
        item = arrival.info.object
        watch = _Watch(_Room(self.store_dir), item)
        staged = _Written(arrival.events, place, self._pool(place))
        found = _measure(staged.events(), Scanner(()), watch.see)
        expected = NarInfo(item.nar, item.nar_size_bytes)
        if found != expected:
            raise WrongContent(item.path, expected=expected, found=found)
        return _Ready(arrival.info, place, staged)

    def verify(
        self, paths: Iterable[StorePath] | None = None
    ) -> list[ContentChanged | ObjectMissing]:
        """Read objects, by default all, and yield those that are not what is registered."""
        chosen = self.database.valid_paths() if paths is None else paths
        return verify_all(self.store_dir, [self.info(path) for path in sorted(chosen)])

    def replace(self, path: StorePath, events: Iterable[Event]) -> None:
        """Put the registered content under a name where something else lies, or nothing.

        Files that lost their content are also dropped from ``.links``: they are not shared again.
        A cut in the last moment leaves the object missing, which ``verify`` tells.

        Args:
            path: a valid object.
            events: its content, from a place that has it whole.

        Raises:
            NotValid: it is not registered here.
            WrongContent: the other place does not have it either.
        """
        info = self.path_info(path)
        with collecting_locked(self.state_dir, exclusive=False), self._place() as place:
            if os.path.lexists(self.path(path)):
                drop_changed(self.store_dir, self.path(path))
            ready = self._receive_one(Arrival(info, events), place)
            self._sync()
            ready.staged.share()
            with path_locked(self.path(path)):
                remove_tree(self.path(path))
                place.rename(self.path(path))
                self._sync()

    def optimise(self) -> Saved:
        """Make equal files of all objects one file."""
        from concurrent.futures import ProcessPoolExecutor  # slow, and needed only here

        with (
            collecting_locked(self.state_dir, exclusive=False),
            ProcessPoolExecutor(_READERS) as readers,
        ):
            trees = [self.path(path) for path in sorted(self.database.valid_paths())]
            return optimise_all(self.store_dir, trees, readers.map)

    def pin(self, name: str, path: StorePath) -> None:
        """Keep an object and all that it needs from being collected, until ``unpin``.

        Raises:
            NotValid: it is not here.
        """
        self._roots.keep([path])
        self.path_info(path)
        roots.pin(self.state_dir, name, path)

    def unpin(self, name: str) -> None:
        """Let an object be collected."""
        roots.unpin(self.state_dir, name)

    def _add(
        self,
        stage: "Callable[[Path], _Staged]",
        name: str,
        candidates: Iterable[StorePath],
    ) -> StorePath:
        StorePath("0" * 32, name)  # a bad name shows before the work
        known = self.closure(*candidates)
        self._roots.keep(known)
        scanner = Scanner(known)
        with collecting_locked(self.state_dir, exclusive=False), self._place() as place:
            staged = stage(place)
            measured = _measure(staged.events(), scanner)
            info = _describe(measured, name, tuple(sorted(scanner.found())))
            self._roots.keep([info.path])
            self._settle([_Ready(info, place, staged)])
        return info.path

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """A free name in the store; what is left there at the end is removed."""
        if not self._is_tidy:  # once, because it reads the names of all objects
            self._remove_leftovers()
            self._is_tidy = True
        place = self.store_dir / f"{_STAGED}{os.getpid()}-{next(_NUMBERS)}"
        with path_locked(place):
            try:
                yield place
            finally:
                _clear(place)

    def _pool(self, place: Path) -> LinkPool:
        return LinkPool(self.store_dir, place.with_name(place.name + _LINK))

    def _remove_leftovers(self) -> None:
        """Remove what processes left that died while they added something."""
        for lock in sorted(self.store_dir.glob(f"{_STAGED}*.lock")):
            place = lock.with_suffix("")
            with path_locked_if_free(place) as free:
                if free:
                    _clear(place)

    def _settle(self, ready: Sequence["_Ready"]) -> None:
        """Steps 2 to 6: objects that stand complete at their places become valid."""
        with contextlib.ExitStack() as stack:
            for one in sorted(ready, key=lambda one: one.info.path):
                stack.enter_context(path_locked(self.path(one.info.path)))
            fresh = [one for one in ready if not self.is_valid(one.info.path)]
            if not fresh:
                return
            self._sync()
            for one in fresh:
                one.staged.share()
                remove_tree(self.path(one.info.path))
                one.place.rename(self.path(one.info.path))
            self._sync()
            self.database.register(one.info for one in fresh)

    def _sync(self) -> None:
        """Make everything durable that was written to this file system."""
        run("sync", "--file-system", self.store_dir)


def _clear(place: Path) -> None:
    remove_tree(place)
    place.with_name(place.name + _LINK).unlink(missing_ok=True)


class _Room:
    """Makes sure that what comes from elsewhere leaves room for others."""

    def __init__(self, store_dir: Path) -> None:
        self._store_dir = store_dir
        status = os.statvfs(store_dir)
        self.reserve_bytes = min(_RESERVE_BYTES, status.f_blocks * status.f_frsize // 32)

    def expect(self, size_bytes: int, what: str) -> None:
        """Check the room for what is still to come.

        Raises:
            TooLarge: too little is free.
        """
        status = os.statvfs(self._store_dir)
        free = status.f_bavail * status.f_frsize
        lacks_names = status.f_files and status.f_favail < status.f_files // 64
        if free < size_bytes + self.reserve_bytes or lacks_names:
            raise TooLarge(
                f"{what} needs more room than there is: {size_bytes or 'more'} bytes, "
                f"{free} bytes and {status.f_favail} inodes are free",
                hint="make room: reconix store collect; nothing was added",
            )


class _Watch:
    """Follows an object from elsewhere that passes, and ends it when it is too large."""

    def __init__(self, room: _Room, item: StoreObject) -> None:
        self._room = room
        self._item = item
        self._events = self._seen_bytes = 0
        room.expect(item.nar_size_bytes, str(item.path))

    def see(self, size_bytes: int) -> None:
        """Count how much of its archive has passed.

        Raises:
            TooLarge: that is more than was promised, or the disk is almost full.
        """
        if size_bytes > self._item.nar_size_bytes:
            raise TooLarge(
                f"{self._item.path} is larger than the {self._item.nar_size_bytes} bytes promised",
                hint="the source is damaged or lies; nothing was added",
            )
        self._events += 1
        fresh_bytes = size_bytes - self._seen_bytes
        if self._events % _LOOK_EVENTS == 0 or fresh_bytes >= self._room.reserve_bytes // 4:
            self._seen_bytes = size_bytes
            self._room.expect(0, str(self._item.path))


def _measure(
    events: Iterable[Event], scanner: Scanner, watch: Callable[[int], None] | None = None
) -> NarInfo:
    """Hash and scan a tree while it passes."""
    state = hashlib.sha256()

    def see(data: bytes) -> None:
        state.update(data)
        scanner.feed(data)

    encoder = Encoder(see)
    for event in events:
        encoder.feed(event)
        if watch is not None:
            watch(encoder.size_bytes)
    return NarInfo(Digest(state.digest()), encoder.size_bytes)


def _describe(measured: NarInfo, name: str, references: tuple[StorePath, ...]) -> PathInfo:
    path = content_address(measured.digest, name, references)
    return PathInfo(
        object=StoreObject(path, measured.digest, measured.size_bytes, references),
        content_address=f"fixed:r:sha256:{base32_encode(measured.digest.value)}",
    )


def _batches(arrivals: Iterable["Arrival"]) -> Iterator[list["Arrival"]]:
    batch: list[Arrival] = []
    size_bytes = 0
    for arrival in arrivals:
        batch.append(arrival)
        size_bytes += arrival.info.object.nar_size_bytes
        if len(batch) == _BATCH_OBJECTS or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


class _Staged(Protocol):
    """A tree on its way into the store."""

    def events(self) -> Iterator[Event]:
        """Put the tree to its place and tell what is in it."""

    def share(self) -> None:
        """Share its files with the store; the tree is durable."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """An object that stands complete at its place and waits for its name."""

    info: PathInfo
    place: Path
    staged: _Staged


class _Written:
    """A tree that is written from events."""

    def __init__(self, source: Iterable[Event], place: Path, pool: LinkPool) -> None:
        self._source = source
        self._restorer = SharingRestorer(place, pool)

    def events(self) -> Iterator[Event]:
        try:
            for event in self._source:
                self._restorer.feed(event)
                yield event
        finally:
            self._restorer.close()

    def share(self) -> None:
        self._restorer.share_fresh()


class _Moved:
    """A tree that is moved from where it was made."""

    def __init__(self, source: Path, place: Path, pool: LinkPool) -> None:
        self._source = source
        self._place = place
        self._pool = pool
        self._keys = TreeKeys(place)

    def events(self) -> Iterator[Event]:
        canonicalise(self._source)
        _move(self._source, self._place)
        for event in nar.walk(self._place):
            self._keys.feed(event)
            yield event

    def share(self) -> None:
        for path, key in self._keys.found:
            self._pool.share(path, key)


def _move(source: Path, place: Path) -> None:
    """Rename, or copy and remove if the store is on another file system."""
    try:
        _rename_folder(source, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        restorer = nar.Restorer(place)
        try:
            for event in nar.walk(source):
                restorer.feed(event)
        finally:
            restorer.close()
        remove_tree(source)


def _rename_folder(source: Path, place: Path) -> None:
    """Rename; a folder that changes its parent must be writable for that moment."""
    is_folder = source.is_dir() and not source.is_symlink()
    if is_folder:
        source.chmod(0o755)
    source.rename(place)
    if is_folder:
        place.chmod(0o555)
