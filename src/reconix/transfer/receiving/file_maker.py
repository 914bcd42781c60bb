"""Making one file of the target: from its content in the stream, or part by part from old files.

Tested by ``tests/unit/transfer/receiving/test_receive.py``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from reconix.base.records import dataclass
from reconix.store.images.nodes import MAX_SIZE, ImageFile, Metadata, Node
from reconix.transfer.codecs.modules import CannotCompile
from reconix.transfer.codecs.packs import BadPack, Pack
from reconix.transfer.codecs.renames import NO_RENAMES
from reconix.transfer.format.costs import Account, part_work
from reconix.transfer.format.plan import Copied, Location, Part, Piece, Source
from reconix.transfer.format.stream import BadStream, CannotDerive
from reconix.transfer.receiving.contents import NewContent
from reconix.transfer.receiving.patching import Old, PartMaker, compiled, expanded
from reconix.transfer.receiving.sources import DamagedBase, Sources


@dataclass(frozen=True, slots=True)
class Place:
    """An old file, and how it is called in messages."""

    file: ImageFile
    shown: str


@dataclass(slots=True)
class FileMaker:
    """A file that is made.

    Args:
        metadata: of the file.
        size_bytes: of its content.
        sources: old files.
        find: finds what a location means.
        account: pays.
        parts: how many it consists of; None if its content comes as it is.
        replaced: the file that it replaces, if it does.
    """

    metadata: Metadata
    size_bytes: int
    sources: Sources
    find: Callable[[Location], Node]
    account: Account
    parts: int | None = None
    replaced: Place | None = None
    _content: NewContent | None = None
    _left: int = 0  # of the content
    _parts_left: int = 0
    _old: Old | None = None
    _part: PartMaker | None = None

    def __post_init__(self) -> None:
        if self.size_bytes > MAX_SIZE:
            raise self.account.wrong(f"a file of {self.size_bytes} bytes, more than an image holds")
        self.account.file(self.size_bytes)
        self._content = self.sources.contents.begin(self.size_bytes)
        self._left = self.size_bytes
        self._parts_left = self.parts or 0

    def feed(self, event: Part | Piece | Copied) -> None:
        """Take the next of what follows a file in a plan."""
        if isinstance(event, Part):
            self._begin_part(event)
            return
        self.account.cpu_limit.check()
        if self._part is None:
            assert isinstance(event, Piece)  # the parser sees to it
            self._write(event.data)
            return
        try:
            self._part.feed(event)
        except BadPack as error:
            raise self._cannot_pack(error) from error
        self._end_part_if_complete()

    @property
    def is_complete(self) -> bool:
        """Whether nothing more follows.

        Raises:
            BadStream: all parts were made, and are too little.
        """
        if self._parts_left or self._part is not None:
            return False
        if self.parts is not None and self._left:
            raise self.account.wrong("a file is smaller than declared")
        return self._left == 0

    def finish(self) -> ImageFile:
        """The file."""
        content, self._content = self._content, None
        assert content is not None
        try:
            return ImageFile(self.metadata, self.size_bytes, content.finish())
        except BaseException:
            content.discard()
            raise

    def close(self) -> None:
        """Let go of what is open; needed in any case."""
        self._close_old()
        if self._content is not None:
            self._content.discard()
            self._content = None

    def _begin_part(self, part: Part) -> None:
        self._old = Old()
        self.account.spend(part_work(part))
        if not any(source.pack is Pack.MODULE for source in part.sources):
            self.sources.compiler.rest()
        for source in part.sources:
            self._add_source(self._old, source)
        self._parts_left -= 1
        spend, wrong = self.account.spend, self.account.wrong
        try:
            self._part = PartMaker(part, self._old, self._write, wrong, spend)
        except OSError as error:
            raise self._cannot_pack(error) from error
        self._end_part_if_complete()

    def _add_source(self, old: Old, source: Source) -> None:
        place = self._place(source)
        if source.pack is Pack.MODULE:
            old.append(self._compiled(source, place), source.size_bytes)
            return
        descriptor = self.sources.open(place.file, place.shown)
        if source.pack is Pack.NONE:
            renames = self.sources.renames if source.follows else NO_RENAMES
            old.append(descriptor, place.file.size_bytes, renames)
            return
        try:
            old.append(self._expand(source, descriptor, place.shown), source.size_bytes)
        finally:
            os.close(descriptor)

    def _place(self, source: Source) -> Place:
        if source.location is None:
            if self.replaced is None:
                raise self.account.wrong(
                    "a file is patched from the one that it replaces, but replaces none"
                )
            return self.replaced
        found = self.find(source.location)
        shown = self.sources.shown(source.location)
        if not isinstance(found, ImageFile):
            raise self.account.wrong(f"{shown} is no file")
        return Place(found, shown)

    def _compiled(self, source: Source, place: Place) -> int:
        """Compile a module into a file without a name; give its descriptor."""
        self.account.expanded(source.size_bytes)
        descriptor = self.sources.open(place.file, place.shown)
        try:
            made = compiled(source, descriptor, self.sources.compiler)
        except CannotCompile as error:
            self.sources.expect_undamaged()
            raise CannotDerive(place.shown, str(error)) from error
        finally:
            os.close(descriptor)
        with self._scratch() as file:
            file.write(made)
            file.flush()
            return os.dup(file.fileno())

    @contextmanager
    def _scratch(self) -> Iterator[BinaryIO]:
        """A file without a name."""
        path, scratch = self.sources.contents.create()
        with open(scratch, "w+b") as file:  # noqa: PTH123 - a descriptor, not a path
            path.unlink()
            yield file

    def _expand(self, source: Source, descriptor: int, shown: str) -> int:
        """Expand what is packed into a file without a name; give its descriptor."""
        self.account.expanded(source.size_bytes)
        with self._scratch() as file:
            try:
                expanded(source, descriptor, file)
            except BadPack as error:
                raise DamagedBase(shown, f"it cannot be expanded: {error}") from error
            return os.dup(file.fileno())

    def _write(self, data: bytes | bytearray) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise self.account.wrong("a file is larger than declared")
        assert self._content is not None
        self._content.write(data)

    def _end_part_if_complete(self) -> None:
        if self._part is None or not self._part.complete:
            return
        try:
            self._part.finish()
        except BadPack as error:
            raise self._cannot_pack(error) from error
        self._part = None
        self._close_old()
        self.account.forget_expanded()

    def _close_old(self) -> None:
        if self._old is not None:
            self._old.close()
            self._old = None

    def _cannot_pack(self, error: Exception) -> BadStream:
        return self.account.wrong(f"a part cannot be packed: {error}")
