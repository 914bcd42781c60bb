"""Running a project's Python without letting the world in.

A module of a project must give the same for the same options, on any day and any machine, or the
same lock would no longer give the same bytes. So what it may use is a short list: a part of the
standard library that computes, and the words of ``addition.py``. Clock, network, environment and
files are not on it, nor is anything whose order or value differs between two runs: sets, ``hash``,
``id``.

The source is examined before it runs, so that a mistake has a line. This keeps honest people
honest; it is no wall against somebody who wants to break out. Whoever may change the modules of a
project may change everything else in it as well.

Proven by ``tests/unit/config/test_confined.py``.
"""

import ast
import builtins
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from reconix.base.files import BadFile, read_bounded
from reconix.config.problems import Place, Problem

MAX_MODULE_BYTES = 256 << 10
IMPORTS = (
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "ipaddress",
    "itertools",
    "json",
    "re",
    "string",
    "textwrap",
    "typing",
    "reconix.config.addition",
    "reconix.config.options",
    "reconix.config.schema.health",
    "reconix.config.schema.machine",
    "reconix.config.schema.project",
    "reconix.config.schema.system",
    "reconix.config.schema.values",
)
SERVICES = "reconix.config.services."
"""Built-in modules, whose options others may set."""
SIBLINGS = "modules."
"""Modules of the same project."""
_COMPUTING = """
    abs all any bool bytes callable chr classmethod dict divmod enumerate filter float format
    getattr hasattr int isinstance issubclass iter len list map max min next object ord pow property
    range repr reversed round slice sorted staticmethod str sum super tuple type zip
    None True False NotImplemented Ellipsis
    ArithmeticError AssertionError AttributeError IndexError KeyError LookupError RuntimeError
    StopIteration TypeError ValueError ZeroDivisionError
"""
_BUILTINS = frozenset(_COMPUTING.split())
_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""All that a program without side effects can raise."""


class Failed(Exception):
    """A module cannot be used; carries what to tell."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = tuple(problems)


def load(file: Path, sibling: Callable[[str], ModuleType]) -> ModuleType:
    """Run the source of a module.

    Args:
        file: the source.
        sibling: gives another module of the project by its name.

    Raises:
        Failed: it cannot be read, uses what it may not, or fails.
    """
    tree = _parse(file)
    if problems := list(_refused(tree, file)):
        raise Failed(problems)
    module = ModuleType(SIBLINGS + file.stem, ast.get_docstring(tree))
    module.__file__ = str(file)
    module.__dict__["__builtins__"] = _builtins(sibling)
    code = compile(tree, str(file), "exec", dont_inherit=True)
    called(file, lambda: exec(code, module.__dict__))
    return module


def called(file: Path, function: Callable[[], object], line: int = 0) -> object:
    """Call something in a module.

    Args:
        file: the module.
        function: what to call.
        line: of the module, for failures that have none.

    Raises:
        Failed: it failed; the problem names the line.
    """
    try:
        return function()
    except _FAILURES as error:
        raise Failed([_failure(error, file, line)]) from error


def _failure(error: Exception, file: Path, line: int) -> Problem:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    message = str(error)
    fact = f"fails with {type(error).__name__}" + (f": {message}" if message else "")
    return Problem(line_of(file, line), f"module {file.stem}", fact)


def line_of(file: Path, line: int) -> Place:
    """The place of a line of a module; line 0 is the whole file."""
    lines = read_bounded(file, MAX_MODULE_BYTES).decode(errors="replace").splitlines()
    if not 0 < line <= len(lines):
        return Place(file)
    text = lines[line - 1]
    return Place(file, line, len(text) - len(text.lstrip()) + 1, text)


def _parse(file: Path) -> ast.Module:
    key = f"module {file.stem}"
    try:
        return ast.parse(read_bounded(file, MAX_MODULE_BYTES), str(file))
    except SyntaxError as error:
        place = line_of(file, error.lineno or 0)
        raise Failed([Problem(place, key, f"is no Python: {error.msg}")]) from error
    except (OSError, RecursionError, BadFile, ValueError) as error:
        raise Failed([Problem(Place(file), key, f"cannot be read: {error}")]) from error


def _refused(tree: ast.Module, file: Path) -> Iterator[Problem]:
    for node in ast.walk(tree):
        for fact, hint in _complaints(node):
            assert isinstance(node, ast.stmt | ast.expr)
            yield Problem(line_of(file, node.lineno), f"module {file.stem}", fact, hint)


def _complaints(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        names = ", ".join(alias.name for alias in node.names)
        yield f"imports {names}", f"write: from {node.names[0].name} import …"
    elif isinstance(node, ast.ImportFrom):
        name = "." * node.level + (node.module or "")
        if not _may_import(name):
            yield f"may not import {name}", f"it may use {', '.join(IMPORTS)}"
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and _is_hidden(node.id):
        yield f"may not use {node.id}", "a module computes, and nothing else"
    elif isinstance(node, ast.Attribute) and node.attr.startswith("__"):
        yield f"may not use {node.attr}", "a module computes, and nothing else"
    elif isinstance(node, ast.Set | ast.SetComp):
        yield "uses a set, whose order differs from run to run", "use a tuple or a dict"


def _is_hidden(name: str) -> bool:
    return name.startswith("__") or (name not in _BUILTINS and hasattr(builtins, name))


def _may_import(name: str) -> bool:
    return name in IMPORTS or name.startswith((SERVICES, SIBLINGS))


def _builtins(sibling: Callable[[str], ModuleType]) -> Mapping[str, object]:
    def import_module(
        name: str,
        _globals: Mapping[str, object] | None = None,
        _locals: Mapping[str, object] | None = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level or not _may_import(name):
            raise ImportError(f"may not import {name}")
        if name.startswith(SIBLINGS):
            found = sibling(name.removeprefix(SIBLINGS))
        else:
            found = importlib.import_module(name)
        for each in wanted or ():
            if isinstance(getattr(found, each, None), ModuleType):
                raise ImportError(f"may not import {each} from {name}")
        return found

    allowed = {name: getattr(builtins, name) for name in sorted(_BUILTINS)}
    return {**allowed, "__build_class__": builtins.__build_class__, "__import__": import_module}
