"""Boards: hardware as data, and what it means for a configuration.

``machine.board`` names a file in the folder ``boards`` of this package. It is written like
``machine.toml``, and has a table ``about`` besides. What it says is a default: a machine or a
system that says something else is right, and lists add, as those of imported files do.

    boards/qemu-arm64-uefi.toml   architecture = "arm64"
                                  [about] title, evidence, qemu
                                  [kernel] …, [boot] …, whatever the hardware asks for

So nothing after this module knows boards: architecture, kind of firmware, slots and the modules of
the disk are options that anybody may write. A board only saves writing them.

Tested by ``tests/unit/config/test_board.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.config import construct
from reconix.config.check import check
from reconix.config.merge import Priority, Scalar, Table, Value
from reconix.config.problems import BadConfiguration, Place
from reconix.config.schema.board import About, BoardFile
from reconix.config.schema.machine import BOARDS
from reconix.config.shapes import TableShape, shape_of
from reconix.config.toml.reader import InvalidToml, read_toml

_FILE = shape_of(BoardFile)
_NOT_OF_A_BOARD = {
    name: "a board is the same for all that have it: this belongs in machine.toml"
    for name in ("board", "imports", "hostname", "devices")
}


@dataclass(frozen=True, slots=True)
class Board:
    """A board by name.

    Attributes:
        name: as ``machine.toml`` says it.
        about: what it is.
        defaults: what it sets, with lower priority than anything that is written.
    """

    name: str
    about: About
    defaults: Table


def file_of(name: str) -> Path:
    """The file of a board of ours."""
    return BOARDS / f"{name}.toml"


def read_board(file: Path, machine: TableShape) -> Board:
    """Read the file of a board.

    Args:
        file: its name is that of the board.
        machine: what is allowed in ``machine.toml``.

    Raises:
        BadConfiguration: it has errors; all of them are in it.
    """
    try:
        checked = check(read_toml(file), _shape(machine), _NOT_OF_A_BOARD)
    except InvalidToml as error:
        raise BadConfiguration([error.problem]) from error
    made, problems = construct.make(_FILE, checked.table, Place(file))
    if checked.problems or problems:
        raise BadConfiguration([*checked.problems, *problems])
    assert isinstance(made, BoardFile)
    return Board(file.stem, made.about, as_defaults(_without_about(checked.table)))


def _shape(machine: TableShape) -> TableShape:
    """All that a machine may say and a board too."""
    options = {k: v for k, v in machine.options.items() if k not in _NOT_OF_A_BOARD}
    return TableShape(_FILE.type, {**options, **_FILE.options})


def _without_about(table: Table) -> Table:
    return replace(table, entries={k: v for k, v in table.entries.items() if k != "about"})


def as_defaults(table: Table) -> Table:
    """The same table, in which any value gives way to one that was written elsewhere."""
    entries: Mapping[str, Value] = {k: _as_default(v) for k, v in table.entries.items()}
    return replace(table, entries=entries)


def _as_default(value: Value) -> Value:
    if isinstance(value, Table):
        return as_defaults(value)
    return replace(value, priority=Priority.DEFAULT) if isinstance(value, Scalar) else value
