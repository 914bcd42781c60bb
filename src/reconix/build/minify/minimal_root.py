"""The root with only what stays, and with one of the two forms of each Python module.

Debian has modules as source and, made when they are installed, as bytecode. Python needs one of
them. Bytecode starts faster, so it is what stays, unless somebody asks for the source; but Python
finds it without the source only where the source would be. So
``json/__pycache__/decoder.cpython-313.pyc`` becomes ``json/decoder.pyc``. That of the standard
library may be made without docstrings (``undescribed.py``). Of some files only some lines stay
(``rewritten.py``), and of the licences all, in one file (``licences.py``).

Source: PEP 3147, *Case 4: legacy pyc files and source-less imports*.
Tested by ``tests/unit/build/minify/test_minimal_root.py``.
"""

import os
import re
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.build.minify import licences, rewritten, undescribed
from reconix.build.root import losses
from reconix.build.software.owners import LISTS, Owners, print_lists
from reconix.store.sidecar import Entries

_SOURCE = re.compile(r"(?P<folder>usr/lib/python3.*/)(?P<name>[^/]+)\.py")
_COMPILED = re.compile(r"(?P<name>.+)\.cpython-\d+\.pyc")


OMITTED = tuple(sorted((losses.FILE.encode(), LISTS.encode())))
"""Beside the folders of a minimal root; no device sees them."""


@dataclass(frozen=True, slots=True)
class Minimal:
    """What a minimal root consists of: for each of its paths the path in the full root."""

    origins: Mapping[str, str]

    @classmethod
    def of(cls, root: Path, stays: Iterable[str], sources: Container[str] = ()) -> "Minimal":
        """Decide the form of each file, and add the folders above.

        Args:
            root: the full root.
            stays: paths of it that stay; those of other objects are passed over.
            sources: modules of Python among them that stay as they are.
        """
        there = [path for path in stays if os.path.lexists(root / path)]
        compiled = dict(_compiled(root, {path.rpartition("/")[0] for path in there}))
        found: dict[str, str] = {}
        for path in there:
            bytecode = compiled.get(path) if path not in sources else None
            found[f"{path}c" if bytecode else path] = bytecode or path
        folders = {str(above) for path in found for above in Path(path).parents} - {"."}
        return cls(dict(sorted((found | {path: path for path in folders}).items())))

    def write(self, root: Path, into: Path, undescribed_for: Architecture | None = None) -> None:
        """Write it into a new folder.

        Args:
            root: the full root.
            into: a folder that does not exist yet.
            undescribed_for: the architecture of the root, if modules of Python's own shall have no
                docstrings.
        """
        into.mkdir()
        owners = Owners.read(root)
        for path, origin in self.origins.items():
            _copy(root / origin, into / path)
        _copy(root / losses.FILE, into / losses.FILE)
        (into / LISTS).mkdir()
        modules = self._undescribed(root, undescribed_for) if undescribed_for else {}
        anew = (*self._made_anew(root), *self._told(root, owners), *modules.items())
        for path, content in anew:
            (into / path).write_bytes(content)

    def _undescribed(self, root: Path, architecture: Architecture) -> Mapping[str, bytes]:
        """The bytecode of Python's own modules."""
        moved = (path for path, origin in self.origins.items() if path != origin)
        sources = [path.removesuffix("c") for path in moved]
        made = undescribed.compiled(root, sources, architecture)
        return {f"{path}c": content for path, content in made.items()}

    def _told(self, root: Path, owners: Owners) -> Iterator[tuple[str, bytes]]:
        """What is told of the packages of which something stays: what it is, and its licences."""
        for name, lines in print_lists(owners, self.origins).items():
            yield f"{LISTS}/{name}", lines
        files = (each for each in self.origins.values() if _is_file(root / each))
        packed = licences.pack(root, {name for each in files for name in owners.of(each).packages})
        if packed and licences.FOLDER in self.origins:
            yield licences.FILE, packed

    def _made_anew(self, root: Path) -> Iterator[tuple[str, bytes]]:
        """What has another content than in the full root."""
        for path, shorten in rewritten.ALL.items():
            if path in self.origins and (root / path).is_file():
                yield path, shorten((root / path).read_bytes(), self.origins)

    def entries(self, entries: Entries) -> Entries:
        """What a sidecar of the full root says, for this one."""
        said = dict(entries)
        itself = [(path, each) for path, each in entries if path == b"."]
        found = [
            (path.encode(), said[origin.encode()])
            for path, origin in self.origins.items()
            if origin.encode() in said
        ]
        return tuple(sorted([*itself, *found]))


def _compiled(root: Path, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The sources in some folders that have bytecode, and where that is."""
    for folder in sorted(folders):
        cache = root / folder / "__pycache__"
        for file in sorted(cache.iterdir()) if cache.is_dir() else ():
            named = _COMPILED.fullmatch(file.name)
            source = f"{folder}/{named['name']}.py" if named else ""
            if _SOURCE.fullmatch(source):
                yield source, f"{folder}/__pycache__/{file.name}"


def _is_file(place: Path) -> bool:
    return place.is_file() and not place.is_symlink()


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))  # noqa: PTH115 - Path would normalise it
    elif source.is_dir():
        target.mkdir()
    elif source.exists():
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
