"""What a device has and a stream refers to: folders of the base, and of objects made by then.

Names come from a stream and lead into trees that may have been damaged. So each is one name below
an open folder, no link is followed anywhere, and before a position in a folder means anything the
folder is compared with what the sender saw (``plan.folder_check``).

Tested by ``tests/unit/transfer/receiving/test_receive.py``.
"""

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.store import nar
from reconix.store.manifest import StoreObject
from reconix.transfer.codecs.renames import NO_RENAMES, Renames
from reconix.transfer.format.plan import Location, end_check, entry_check, folder_check

MAX_LISTED_BYTES = 16 << 20
"""Of memory, for the listings of all source folders that are open at once: 100,000 entries."""

_ENTRY_BYTES = 128  # beside its name and kind
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FILE, FOLDER, LINK = b"-", b"d", b"l"  # how a kind begins, see ``plan.folder_check``


class DamagedBase(ReconixError):
    """What the device has is not what the base generation promises."""

    exit_code = 55

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"{path} is damaged: {what}",
            hint="nothing was installed; send the whole generation, without a base",
        )
        self.path = path


class TooManyEntries(ReconixError):
    """A stream has more of the base's folders open at once than a device can hold."""

    exit_code = 50

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} and the folders around it have too many entries to compare",
            hint="nothing was installed; send the whole generation, without a base",
        )


def listed_bytes(name: bytes, kind: bytes) -> int:
    """What an entry takes in a listing."""
    return _ENTRY_BYTES + len(name) + len(kind)


@dataclass(slots=True)
class Held:
    """How much memory the listings take that are open; both ends count it."""

    size_bytes: int = 0

    def has_room(self, size_bytes: int) -> bool:
        """Whether that much more can be held."""
        return self.size_bytes + size_bytes <= MAX_LISTED_BYTES


@dataclass(slots=True)
class Listing:
    """The entries of a source folder, and how far they were used."""

    descriptor: int
    path: str
    held: Held
    entries: list[tuple[bytes, bytes]] = field(default_factory=list)  # name and kind, sorted
    size_bytes: int = 0
    used: int = 0

    def read(self, left_out: Collection[bytes]) -> None:
        """List the folder.

        Raises:
            TooManyEntries: it has more than there is memory for.
        """
        with os.scandir(self.descriptor) as found:
            for entry in found:
                name = os.fsencode(entry.name)
                if name not in left_out:
                    kind = _kind(entry, self.descriptor)
                    self._take(listed_bytes(name, kind))
                    self.entries.append((name, kind))
        self.entries.sort()

    def _take(self, size_bytes: int) -> None:
        if not self.held.has_room(size_bytes):
            raise TooManyEntries(self.path)
        self.size_bytes += size_bytes
        self.held.size_bytes += size_bytes

    def expect(self, check: int) -> None:
        """Refuse a folder that is not the one the sender saw.

        Raises:
            DamagedBase: names, kinds or link targets differ.
        """
        if folder_check(self.entries) != check:
            raise DamagedBase(self.path, "its entries are not what the sender saw")

    def peek(self) -> tuple[bytes, bytes] | None:
        """The next entry, if there is one."""
        return self.entries[self.used] if self.used < len(self.entries) else None

    def close(self) -> None:
        """Let go of the folder."""
        self.held.size_bytes -= self.size_bytes
        os.close(self.descriptor)


def _kind(entry: "os.DirEntry[str]", folder: int) -> bytes:
    if entry.is_symlink():
        return LINK + os.fsencode(os.readlink(entry.name, dir_fd=folder))
    if entry.is_dir(follow_symlinks=False):
        return FOLDER
    return FILE if entry.is_file(follow_symlinks=False) else b"?"


class Sources:
    """Finds the places that a stream refers to."""

    def __init__(
        self,
        roots: Sequence[Path | None],
        promised: Mapping[Path, StoreObject] | None = None,
        left_out: Collection[Location] = (),
        renames: Renames = NO_RENAMES,
    ) -> None:
        self._roots = list(roots)
        self.renames = renames
        self._promised = dict(promised or {})
        self._held = Held()
        self._left_out: dict[str, set[bytes]] = {}  # by folder, as it is shown
        for place in left_out:
            folder = self.shown(Location(place.source, place.path[:-1]))
            self._left_out.setdefault(folder, set()).add(place.path[-1])

    def set(self, number: int, root: Path) -> None:
        """An object of the target can be referred to from now on."""
        self._roots[number] = root

    def damaged(self) -> Iterator[Path]:
        """The objects of the base that were altered."""
        for root, item in self._promised.items():
            if nar.digest(root) != nar.NarInfo(item.nar, item.nar_size_bytes):
                yield root

    def shown(self, location: Location) -> str:
        """A location as text, for messages."""
        root = self._roots[location.source]
        inside = os.fsdecode(b"/".join(location.path))
        return f"{root}/{inside}" if inside else str(root)

    @contextlib.contextmanager
    def parent(self, location: Location) -> Iterator[tuple[int, bytes]]:
        """Open the folder above a place; give it and the last name.

        Raises:
            DamagedBase: there is no such folder.
        """
        root = self._roots[location.source]
        assert root is not None
        names = (os.fsencode(root.name), *location.path)
        descriptor = os.open(root.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in names[:-1]:
                descriptor = self._descend(descriptor, name, location)
            yield descriptor, names[-1]
        finally:
            os.close(descriptor)

    def listing(self, parent: int, name: bytes, shown: str) -> Listing:
        """List a folder, without what is left out of it.

        Raises:
            DamagedBase: there is no such folder.
            TooManyEntries: it cannot be held.
        """
        found = Listing(open_folder(parent, name, shown), shown, self._held)
        try:
            found.read(self._left_out.get(shown, ()))
        except BaseException:
            found.close()
            raise
        return found

    def see(self, parent: int, name: bytes, shown: str, seen: int) -> int:
        """Go on with a check over all that is below a node."""
        if kind_of(parent, name, shown) != FOLDER:
            return seen
        source = self.listing(parent, name, shown)
        try:
            for entry, kind in source.entries:
                below = f"{shown}/{os.fsdecode(entry)}"
                seen = entry_check(entry, kind, seen)
                if kind == FOLDER:
                    seen = self.see(source.descriptor, entry, below, seen)
        finally:
            source.close()
        return end_check(seen)

    def knows(self, location: Location) -> bool:
        """Whether the object of that number is there."""
        return location.source < len(self._roots) and self._roots[location.source] is not None

    def _descend(self, descriptor: int, name: bytes, location: Location) -> int:
        below = open_folder(descriptor, name, self.shown(location))
        os.close(descriptor)
        return below


def open_file(parent: int, name: bytes, shown: str) -> int:
    """Open a regular file of the base.

    Raises:
        DamagedBase: it is missing or is something else.
    """
    if kind_of(parent, name, shown) != FILE:
        raise DamagedBase(shown, "it is no file")
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=parent)


def expect_seen(seen: int, check: int, shown: str) -> None:
    """Refuse what is not what the sender saw.

    Raises:
        DamagedBase: the checks differ.
    """
    if seen & 0xFFFF != check:
        raise DamagedBase(shown, "its content is not what the sender saw")


def open_folder(parent: int, name: bytes, shown: str) -> int:
    """Open a folder of the base.

    Raises:
        DamagedBase: it is missing or is something else.
    """
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=parent)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedBase(shown, "a folder is missing") from error


def kind_of(parent: int, name: bytes, shown: str) -> bytes:
    """What stands below an open folder: ``FILE``, ``FOLDER`` or ``LINK``.

    Raises:
        DamagedBase: nothing.
    """
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError as error:
        raise DamagedBase(shown, "it is missing") from error
    if stat.S_ISDIR(mode):
        return FOLDER
    if stat.S_ISLNK(mode):
        return LINK
    return FILE if stat.S_ISREG(mode) else b"?"
