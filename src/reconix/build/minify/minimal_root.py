"""The root with only what stays, and with one of the two forms of each Python module.

Debian has modules as source and, made when they are installed, as bytecode. Python needs one of
them. Bytecode starts faster, so it is what stays, unless somebody asks for the source; but Python
finds it without the source only where the source would be. So
``json/__pycache__/decoder.cpython-313.pyc`` becomes ``json/decoder.pyc``. Of some files only some
lines stay (``rewritten.py``).

Source: PEP 3147, *Case 4: legacy pyc files and source-less imports*.
Tested by ``tests/unit/build/minify/test_minimal_root.py``.
"""

import os
import re
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.build.minify import rewritten
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

    def write(self, root: Path, into: Path) -> None:
        """Write it into a new folder.

        Args:
            root: the full root.
            into: a folder that does not exist yet.
        """
        into.mkdir()
        made = self._made_anew(root)
        for path, origin in self.origins.items():
            _copy(root / origin, into / path)
            if path in made:
                (into / path).write_bytes(made[path])
        _copy(root / losses.FILE, into / losses.FILE)
        (into / LISTS).mkdir()
        for name, lines in print_lists(Owners.read(root), self.origins).items():
            (into / LISTS / name).write_bytes(lines)

    def _made_anew(self, root: Path) -> Mapping[str, bytes]:
        """The contents of what has another one than in the full root."""
        there = [path for path in rewritten.ALL if path in self.origins and (root / path).is_file()]
        return {p: rewritten.ALL[p]((root / p).read_bytes(), self.origins) for p in there}

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


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))  # noqa: PTH115 - Path would normalise it
    elif source.is_dir():
        target.mkdir()
    elif source.exists():
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
