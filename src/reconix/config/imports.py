"""A file of a project together with all that it imports.

Any file below ``hosts`` may take in others with ``imports``: they are merged in order, each once,
before the file itself, so files that import each other do no harm. Each is read and checked once
for each kind of file that it is part of, and its errors are collected.

Tested by ``tests/unit/config/test_load.py``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from reconix.config.check import check
from reconix.config.file_kinds import MACHINE, PROJECT
from reconix.config.merge import List, Table, merge_tables, settings
from reconix.config.private_files import private_files
from reconix.config.problems import Place, Problem
from reconix.config.schema.project import MOVED
from reconix.config.schema.values import FilePattern, FolderPath
from reconix.config.shapes import TableShape
from reconix.config.toml.reader import InvalidToml, read_toml

_IMPORTS = "imports"
_ELSEWHERE = {
    name: "this is the same for all systems: it belongs in machine.toml" for name in MACHINE.options
}


class Files:
    """Reads the files of a project, and collects what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._folder = folder
        self._read: dict[tuple[Path, type], Table] = {}

    def project(self, file: Path) -> Table:
        """What ``reconix.toml`` says; it imports nothing."""
        return self._table(file, PROJECT)

    def with_imports(self, file: Path, shape: TableShape) -> Table:
        """What a file says together with its imports."""
        table = Table({}, Place(file))
        for each in self._order(file, shape, set()):
            table = merge_tables(table, self._table(each, shape))
        return Table({k: v for k, v in table.entries.items() if k != _IMPORTS}, Place(file))

    def _order(self, file: Path, shape: TableShape, seen: set[Path]) -> Iterator[Path]:
        """A file and all that it imports, each once, what is imported first."""
        seen.add(file.absolute())
        imports = self._table(file, shape).entries.get(_IMPORTS)
        for item in imports.items if isinstance(imports, List) else ():
            if isinstance(item.value, Path) and item.value.is_file() and item.value not in seen:
                yield from self._order(self._as_named(item.value), shape, seen)
        yield file

    def _as_named(self, file: Path) -> Path:
        """A file as seen from where the project's folder was named, for messages."""
        return self._folder / os.path.relpath(file, self._folder.absolute())

    def _table(self, file: Path, shape: TableShape) -> Table:
        key = (file, shape.type)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = self._read_new(file, shape)
        return known

    def _read_new(self, file: Path, shape: TableShape) -> Table:
        try:
            checked = check(read_toml(file), shape, MOVED if shape is PROJECT else _ELSEWHERE)
        except InvalidToml as error:
            self.problems.append(error.problem)
            return Table({}, Place(file))
        self.problems += checked.problems
        self.problems += missing_files(checked.table)
        self.problems += private_files(checked.table, self._folder)
        self.warnings += checked.warnings
        return checked.table


def missing_files(table: Table) -> Iterator[Problem]:
    """Files and folders that are named and do not exist."""
    for key, setting in settings(table):
        if isinstance(setting.value, FolderPath):
            if not setting.value.is_dir():
                fact = f"is no folder: {setting.value}"
                hint = "paths are relative to the file that names them; was it built already?"
                yield Problem(setting.place, key, fact, hint)
        elif isinstance(setting.value, FilePattern):
            if not setting.value.files():
                hint = "patterns are relative to the file that names them; was it built already?"
                yield Problem(setting.place, key, f"no such file: {setting.value}", hint)
        elif isinstance(setting.value, Path) and not setting.value.is_file():
            hint = "paths are relative to the file that names them"
            if setting.value.suffix == ".pub":
                secret = setting.value.with_suffix("")
                hint = f"create a key: ssh-keygen -t ed25519 -f {secret}"
                if key.startswith("trust."):
                    hint = f"create a key: reconix keys generate --file {secret}"
            yield Problem(setting.place, key, f"no such file: {setting.value}", hint)
