"""Compiled modules that devices make themselves: the sender of ``transfer/codecs/modules.py``.

A device compiles with the Python that runs its agent, ``/usr/bin/python3`` of a system of its base.
The sender runs that very program, as it lies in the build store, by the loader that lies beside it;
for another processor, by QEMU's emulation of one program, where that is installed. So what comes
out here comes out there. If the bases have several, or none that runs here, nothing is compiled.

Tested by ``tests/unit/transfer/sending/test_compiling.py``.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reconix.base import process
from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.transfer.codecs.modules import (
    PROVED_MEMORY_BYTES,
    CannotCompile,
    Compiler,
    Interpreter,
)
from reconix.transfer.format.plan import COMPILED, Location
from reconix.transfer.sending.trees import FileNode, FolderNode, Node

_PYTHON = "usr/bin/python3"
_PROGRAM = re.compile(r"python3\.[0-9]{1,3}")
_COMPILED_NAME = re.compile(rb"(?P<module>.+)\.cpython-[0-9]{1,4}\.pyc")
_EMULATED_MEMORY = 1 << 30  # that of the emulator counts, too
_EMULATED_BYTES = 1 << 15  # so sources that cannot take more than a device gives, whatever they are
_SYSTEM = "usr/lib/systemd/systemd"


@dataclass(frozen=True, slots=True)
class Module:
    """The source of a compiled file.

    Attributes:
        file: the source.
        location: where it is.
        prefix: what stands before its path where it is run.
        interpreter: what compiles it.
    """

    file: FileNode
    location: Location
    prefix: bytes
    interpreter: Interpreter

    def compiled(self) -> bytes | None:
        """What a device makes of it, if that is to be had."""
        name = self.prefix + b"/".join(self.location.path)
        try:
            return _compiler(self.interpreter).compiled(name, self.file.read())
        except CannotCompile:
            return None


@functools.cache
def _compiler(interpreter: Interpreter) -> Compiler:
    return Compiler(interpreter)


def interpreter_of(roots: Iterable[Path], architecture: str) -> Interpreter | None:
    """The one Python that all agents run on.

    Args:
        roots: objects; those of systems have systemd.
        architecture: of the devices.

    Returns:
        None if there are several, or none that runs here.
    """
    known = next((each for each in Architecture if each.value == architecture), None)
    found = {Digest.of_file(program): program for program in _programs(roots)}
    if known is None or len(found) != 1:
        return None
    (program,) = found.values()
    return next(filter(_runs, _ways(program, known)), None)


def _programs(roots: Iterable[Path]) -> Iterator[Path]:
    """The Python of each system: the link to the one that is used, and where that leads."""
    for link in (root / _PYTHON for root in roots if (root / _SYSTEM).exists()):
        name = link.readlink().name if link.is_symlink() else ""
        program = link.with_name(name or link.name)
        if _PROGRAM.fullmatch(name) and program.is_file() and not program.is_symlink():
            yield program


def _ways(program: Path, architecture: Architecture) -> Iterator[Interpreter]:
    """As a program of this machine, and emulated."""
    root = program.parents[2]
    libraries = (
        root / "usr/lib" / architecture.triplet
    )  # the link in lib64 may lead to this machine
    words = (libraries / Path(architecture.loader).name, "--library-path", libraries, program)
    environment = (("PYTHONHOME", str(root / "usr")),)
    yield Interpreter(program, words, environment, PROVED_MEMORY_BYTES)
    emulator = f"qemu-{architecture.qemu}"
    for each in (emulator, f"{emulator}-static"):
        emulated = (each, *words)
        yield Interpreter(program, emulated, environment, _EMULATED_MEMORY, _EMULATED_BYTES)


def _runs(interpreter: Interpreter) -> bool:
    if isinstance(interpreter.words[0], str) and process.find(interpreter.words[0]) is None:
        return False
    try:
        return bool(identity(interpreter))
    except CannotCompile:
        return False


def identity(interpreter: Interpreter) -> Digest:
    """What a device has to have."""
    return _compiler(interpreter).identity()


def source_path(path: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
    """Where the source of a compiled file is, by where that is."""
    if len(path) < 2 or path[-2] != COMPILED:
        return None
    found = _COMPILED_NAME.fullmatch(path[-1])
    return (*path[:-2], found["module"] + b".py") if found else None


def find_node(tree: Node, path: tuple[bytes, ...]) -> Node | None:
    """What is at a place of a tree."""
    node: Node | None = tree
    for name in path:
        node = node.get(name) if isinstance(node, FolderNode) else None
    return node


@dataclass(frozen=True, slots=True)
class Modules:
    """Finds the sources of the compiled files of an object.

    Attributes:
        tree: the object.
        number: of it, as a stream counts.
        interpreter: what compiles them; None: nothing does.
    """

    tree: Node
    number: int
    interpreter: Interpreter | None = None

    def of(self, path: tuple[bytes, ...], file: FileNode) -> Module | None:
        """The source of a file, if it is a compiled module that a device can make."""
        place = source_path(path)
        if self.interpreter is None or place is None or file.size_bytes <= _LEAST_BYTES:
            return None
        source = find_node(self.tree, place)
        if not isinstance(source, FileNode) or source.size_bytes > self.interpreter.most_bytes:
            return None
        prefix = prefix_in(file.read(), b"/".join(place))
        return Module(source, Location(self.number, place), prefix, self.interpreter)


_LEAST_BYTES = 64
_SHORT_TEXT = frozenset(b"zZ\xfa\xda")  # of ``marshal``: what follows is a byte, then so many


def prefix_in(compiled: bytes, path: bytes) -> bytes:
    """What stands before the path of its source in a compiled file, which says where it is run.

    A name is written as its kind, its size and its bytes; only those of up to 255 bytes are found.
    """
    end = compiled.find(path)
    for begin in range(end - 1, max(end - 256, 1), -1):
        size = end + len(path) - begin
        if compiled[begin - 1] == size and compiled[begin - 2] in _SHORT_TEXT:
            return compiled[begin:end]
    return b"/"
