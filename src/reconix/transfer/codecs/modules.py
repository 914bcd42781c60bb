"""Compiled modules of Python, made from their sources.

A Debian system with Python has each module twice: as a source, and compiled beside it. Of a module
that is new both would have to be sent, though the one follows from the other. So the *compiled*
form of a source is something that a part of a file may be copied from
(``transfer/format/plan.py``), like what is packed in an old file. Where the copy is not exact (a
few flags, a hash) the rest is a difference as ever.

What a compiler makes depends on its version, and what Python writes down also on what it has
compiled before: equal texts are one object or two. So both ends

* run *the very same program*, which has loaded the very same modules of its own. A stream names the
  SHA-256 of all of that, the *identity*, and a device that runs on another one refuses. The sender
  runs the Python of the base, as it lies there;
* compile each module in a process of its own, a copy of one that has compiled nothing yet.

The process that is copied imports nothing but built-in modules. It is asked through its standard
input, for one module after the other; numbers are of four bytes, little-endian::

    answer first   the magic number of compiled files; size of a text, and it: the files of the
                   modules that were loaded to start, one in a line
    asked          size of the name, size of the source; both
    answered       size, then the code as ``marshal`` has it; size 0: it cannot be compiled

A source may be anything, so its size is bounded, and memory and time of the process.

Source: PEP 552; Python, ``Lib/py_compile.py`` and ``Python/marshal.c``.
Tested by ``tests/unit/transfer/codecs/test_modules.py``.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.memory import give_back
from reconix.base.process import Answering, ProgramMissing, Word
from reconix.base.records import dataclass

MAX_SOURCE_BYTES = 1 << 18
MAX_MADE_BYTES = 1 << 23

MEMORY_BYTES = 20 << 20
"""What compiling a module may take on a device, in memory of its own."""
PROVED_MEMORY_BYTES = 16 << 20
"""What it may take where a stream is made: another kernel may count otherwise."""

_SECONDS = 60  # for one module
_MOST_RESTS = 16
_LARGE_BYTES = 48 << 10  # of a source that takes MiB to compile
_CPU, _DATA = 0, 2  # of setrlimit(2)
_HEADER_BYTES = 16  # of a compiled file: how its source is recognised, which changes nothing
_MAGIC_BYTES, _NUMBER_BYTES, _HASH_BYTES = 4, 4, 8
_UNCHECKED_HASH = (1).to_bytes(4, "little")
_OPTIONS = ("-s", "-S", "-B", "-X", "utf8")
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONPATH": "", "PYTHONMALLOC": "", "LC_ALL": "C.UTF-8"}

_SERVER = """
import _warnings, marshal, posix, sys
from _frozen_importlib_external import MAGIC_NUMBER

def number(value):
    return value.to_bytes(4, "little")

def take(size):
    taken = b""
    while len(taken) < size:
        more = posix.read(0, size - len(taken))
        if not more:
            posix._exit(0)
        taken += more
    return taken

def give(data):
    while data:
        data = data[posix.write(1, data):]

def made(name, source):
    # A name for it: what nobody else refers to is written down without a number.
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    return marshal.dumps(code)

def answer(name, source):
    try:
        code = made(name, source)
    except BaseException:
        posix._exit(1)
    give(number(len(code)) + code)
    posix._exit(0)

LOADERS = ("SourceFileLoader", "SourcelessFileLoader")

def files():
    for _, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if spec is not None and type(spec.loader).__name__ in LOADERS:
            yield spec.cached if is_there(spec.cached) else spec.origin

def is_there(path):
    try:
        return bool(path and posix.stat(path))
    except OSError:
        return False

_warnings.filters[:] = [("ignore", None, Warning, None, 0)]
loaded = "\\n".join(files()).encode("utf-8", "surrogateescape")
give(MAGIC_NUMBER + number(len(loaded)) + loaded)
while True:
    sizes = take(8)
    name = take(int.from_bytes(sizes[:4], "little")).decode("utf-8", "surrogateescape")
    source = take(int.from_bytes(sizes[4:], "little"))
    child = posix.fork()
    if not child:
        answer(name, source)
    if posix.waitpid(child, 0)[1]:
        give(number(0))
"""


class CannotCompile(ValueError):
    """A module does not compile, or takes too much."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """How a Python is started.

    Attributes:
        program: its file.
        words: the program, and what starts it.
        environment: what it needs besides.
        memory_bytes: what compiling a module may take.
        most_bytes: of a source.
    """

    program: Path
    words: tuple[Word, ...]
    environment: tuple[tuple[str, str], ...] = ()
    memory_bytes: int = MEMORY_BYTES
    most_bytes: int = MAX_SOURCE_BYTES


@functools.cache
def own() -> Interpreter:
    """The one that we run on."""
    program = Path(sys.executable).resolve()
    return Interpreter(program, (program,))


class Compiler:
    """Compiles modules, with one process for all of them; it is started by the first.

    Args:
        interpreter: what compiles.
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._python: Answering | None = None
        self._rested = 0
        self._magic = b""
        self._identity = Digest.of(b"")

    def identity(self) -> Digest:
        """What tells it from other interpreters: the program, and what it loads to start.

        Raises:
            CannotCompile: it does not work.
        """
        with self._working():
            self._begin()
        return self._identity

    def compiled(self, name: bytes, source: bytes) -> bytes:
        """The compiled file of a module, with an unchecked hash: that of its code.

        Args:
            name: of the source, as it is where the module will be run.
            source: the module.

        Raises:
            CannotCompile: it is no module, or takes too much.
        """
        if len(source) > self._interpreter.most_bytes:
            raise CannotCompile(f"{os.fsdecode(name)} has {len(source)} bytes")
        if len(source) >= _LARGE_BYTES or self._python is None:
            give_back()
        self._rested = 0
        with self._working():
            code = self._code(name, source)
        return self._magic + _UNCHECKED_HASH + sha256(code).digest()[:_HASH_BYTES] + code

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, ProgramMissing) as error:
            self.close()
            raise CannotCompile(f"Python does not work: {error}") from error

    def _code(self, name: bytes, source: bytes) -> bytes:
        python = self._begin()
        python.ask(_number(len(name)) + _number(len(source)) + name + source)
        size = int.from_bytes(python.hear(_NUMBER_BYTES), "little")
        if size > MAX_MADE_BYTES:
            raise EOFError(f"an answer of {size} bytes")
        if size == 0:
            raise CannotCompile(f"{os.fsdecode(name)} does not compile")
        return python.hear(size)

    def _begin(self) -> Answering:
        if self._python is not None:
            return self._python
        words = (*self._interpreter.words, *_OPTIONS, "-c", _SERVER)
        environment = {**dict(self._interpreter.environment), **_ENVIRONMENT}
        python = self._python = Answering(*words, environment=environment)
        _limit(python.process_id, _DATA, self._interpreter.memory_bytes)
        _limit(python.process_id, _CPU, _SECONDS)
        self._magic = python.hear(_MAGIC_BYTES)
        loaded = python.hear(int.from_bytes(python.hear(_NUMBER_BYTES), "little"))
        files = [Path(os.fsdecode(line)) for line in loaded.splitlines()]
        self._identity = _identity_of(self._interpreter.program, files)
        return python

    @property
    def is_running(self) -> bool:
        """Whether there is a process that waits."""
        return self._python is not None

    def rest(self) -> None:
        """Something else is done; the process ends when that was so for a while."""
        self._rested += 1
        if self._rested == _MOST_RESTS:
            self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        python, self._python = self._python, None
        if python is not None:
            python.close()


def _identity_of(program: Path, files: Iterable[Path]) -> Digest:
    state = sha256(Digest.of_file(program).value)
    for path in files:
        content = path.read_bytes()
        state.update(sha256(content[_HEADER_BYTES * (path.suffix == ".pyc") :]).digest())
    return Digest(state.digest())


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "little")


def _limit(process_id: int, what: int, most: int) -> None:
    """Bound what a process may take; a kernel without this call bounds nothing."""
    limits = (ctypes.c_uint64 * 2)(most, most)
    ctypes.CDLL(None, use_errno=True).prlimit64(process_id, what, limits, None)
