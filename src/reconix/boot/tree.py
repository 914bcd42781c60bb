"""Boot trees: the files of a boot partition.

A slot is a FAT file system, so not every tree can become one. FAT does not tell ``a`` from ``A``,
forbids some characters, strips dots and spaces at the end of a name and knows neither links nor
owners. A ``BootTree`` is valid by construction: what can be made, can be written to a slot, given
that it is large enough. Folders are there because of the files in them; an empty folder carries
nothing and is refused where a tree is read.

Source: Microsoft FAT32 File System Specification 1.03, section *Long File Name*.
Tested by ``tests/unit/boot/test_tree.py`` and, with mtools, ``tests/compat/test_fat.py``.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base.errors import ReconixError
from reconix.base.files import COPY_BYTES, chunks
from reconix.base.records import dataclass
from reconix.store.images.nodes import ImageFile, ImageFolder, Node

if TYPE_CHECKING:  # a start writes no slot
    from reconix.store.pool import Pool

MAX_FILE_BYTES = (1 << 32) - 1
MAX_NAME_UNITS = 255
MAX_DEPTH = 16

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]|[. ]\Z|\A ')


class BadBootTree(ReconixError):
    """These files cannot stand together on a FAT file system."""

    exit_code = 32


class BootFileChanged(ReconixError):
    """A file of a boot tree is no longer as long as it was when the tree was made."""

    exit_code = 32

    def __init__(self, path: str, *, expected_bytes: int) -> None:
        super().__init__(
            f"boot file {path} changed while it was read: it was {expected_bytes} bytes long",
            hint="nobody may write to the boot tree of a generation; build or receive it again",
        )


@dataclass(frozen=True, slots=True)
class BootFile:
    """One file: where it stands in the slot, and where its bytes are."""

    path: str  # relative, separated by "/"
    size_bytes: int
    source: bytes | Path

    def __post_init__(self) -> None:
        if self.size_bytes > MAX_FILE_BYTES:
            raise BadBootTree(f"{self.path} is {self.size_bytes} bytes, FAT holds {MAX_FILE_BYTES}")
        names = self.path.split("/")
        if len(names) > MAX_DEPTH:
            raise BadBootTree(f"{self.path} lies deeper than {MAX_DEPTH} folders")
        for name in names:
            _check_name(name, self.path)

    def chunks(self) -> Iterator[bytes]:
        """Give the content piece by piece.

        Raises:
            BootFileChanged: the file has become shorter or longer.
        """
        if isinstance(self.source, bytes):
            content = memoryview(self.source)
            for start in range(0, len(content), COPY_BYTES):
                yield bytes(content[start : start + COPY_BYTES])
            return
        with self.source.open("rb") as file:
            left = self.size_bytes
            for chunk in chunks(file, left):
                left -= len(chunk)
                yield chunk
            if left or file.read(1):
                raise BootFileChanged(self.path, expected_bytes=self.size_bytes)


@dataclass(frozen=True, slots=True)
class BootTree:
    """Files that can stand together on a FAT file system, sorted by path."""

    files: tuple[BootFile, ...]

    def __post_init__(self) -> None:
        if list(self.files) != sorted(self.files, key=lambda file: file.path.split("/")):
            raise BadBootTree("the files of a boot tree are not sorted by path")
        _check_collisions([file.path for file in self.files])

    @classmethod
    def of(cls, files: Mapping[str, bytes | Path]) -> "BootTree":
        """Make a tree from paths and where the content of each is.

        Raises:
            BadBootTree: names or sizes that FAT does not allow.
        """
        made = [
            BootFile(
                path, len(source) if isinstance(source, bytes) else source.stat().st_size, source
            )
            for path, source in files.items()
        ]
        return cls(tuple(sorted(made, key=lambda file: file.path.split("/"))))

    @classmethod
    def read(cls, folder: Path) -> "BootTree":
        """The tree of the files below a folder; their content is read when it is needed.

        Raises:
            BadBootTree: it holds something else than files and non-empty folders.
        """
        return cls.of(dict(_walk(folder, "")))

    @classmethod
    def of_tree(cls, tree: Node, pool: "Pool") -> "BootTree":
        """The files of an installed object; their content is read when it is needed.

        Raises:
            BadBootTree: it holds something else than files and non-empty folders.
        """
        found = list(_walk_tree(tree, pool, ""))
        return cls(tuple(sorted(found, key=lambda file: file.path.split("/"))))

    @property
    def size_bytes(self) -> int:
        """The sum of the sizes of all files."""
        return sum(file.size_bytes for file in self.files)

    def write(self, folder: Path) -> None:
        """Make the files below a folder that is empty; the opposite of ``read``."""
        for file in self.files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                for chunk in file.chunks():
                    out.write(chunk)


def casefold(name: str) -> str:
    """What FAT compares when it looks for a name."""
    return name.upper().casefold()


def _check_name(name: str, path: str) -> None:
    if not name or _FORBIDDEN.search(name):
        raise BadBootTree(f"{path!r}: FAT does not allow the name {name!r}")
    try:
        units = len(name.encode("utf-16-le")) // 2
    except UnicodeEncodeError as error:
        raise BadBootTree(f"{path!r}: the name {name!r} is no Unicode text") from error
    if units > MAX_NAME_UNITS:
        raise BadBootTree(f"{path!r}: a name of {units} characters, FAT allows {MAX_NAME_UNITS}")


def _check_collisions(paths: list[str]) -> None:
    spelled: dict[str, str] = {}
    for path in paths:
        names = path.split("/")
        for depth in range(1, len(names)):
            folder = "/".join(names[:depth])
            found = spelled.setdefault(casefold(folder), folder + "/")
            if found != folder + "/":
                raise _collision(path, found)
        if casefold(path) in spelled:
            raise _collision(path, spelled[casefold(path)])
        spelled[casefold(path)] = path


def _collision(path: str, found: str) -> BadBootTree:
    return BadBootTree(
        f"FAT does not tell {path} from {found}",
        hint="names must differ in more than the case of letters",
    )


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if not entries:
        raise BadBootTree(f"{folder} is empty", hint="a boot tree has no empty folders")
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield f"{prefix}{entry.name}", path
        else:
            raise BadBootTree(f"{path} is neither a file nor a folder")


def _walk_tree(tree: Node, pool: "Pool", path: str) -> Iterator[BootFile]:
    if isinstance(tree, ImageFile):
        source = tree.content if tree.is_inline else pool.path(tree.content)
        yield BootFile(path, tree.size_bytes, source)
        return
    if not isinstance(tree, ImageFolder):
        raise BadBootTree(f"{path} is neither a file nor a folder")
    if not tree.entries:
        raise BadBootTree(f"{path or 'it'} is empty", hint="a boot tree has no empty folders")
    for name, below in tree.entries:
        yield from _walk_tree(below, pool, f"{path}/{os.fsdecode(name)}".removeprefix("/"))
