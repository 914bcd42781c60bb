"""Run the modules of a project as restricted Python.

A module of a project must give the same for the same options, on any day and any machine, or the
same lock would no longer give the same bytes. So what it may use is a short list: a part of the
standard library that computes, and the words of ``fragment.py``. Clock, network, environment and
files are not on it, nor is anything whose order or value differs between two runs: sets, ``hash``,
``id``.

The source is examined before it runs, so that an error has a line. This prevents accidents; **it is
not a sandbox** against a module that wants to break out: Python has too many ways from one
object to all others, and only those are closed that are known and cheap to close. Whoever may
change the modules of a project runs programs as whoever checks or builds it, and may change
everything else in it as well. A project of a stranger is a program of a stranger.

Tested by ``tests/unit/config/modules/test_restricted.py``.
"""

import ast
import builtins
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType

from reconix.base.files import BadFile, read_bounded
from reconix.config.problems import Place, Problem

MAX_MODULE_BYTES = 256 << 10
_EXPORTED = {
    "collections.abc": """Callable Collection Generator Hashable Iterable Iterator Mapping
        MutableMapping MutableSequence Reversible Sequence Sized""",
    "dataclasses": "KW_ONLY asdict astuple dataclass field fields is_dataclass replace",
    "enum": "Enum Flag IntEnum IntFlag StrEnum auto unique",
    "functools": "cache cached_property cmp_to_key lru_cache partial reduce total_ordering",
    "ipaddress": """IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network
        collapse_addresses ip_address ip_interface ip_network summarize_address_range""",
    "itertools": """accumulate chain combinations combinations_with_replacement compress count cycle
        dropwhile filterfalse groupby islice pairwise permutations product repeat starmap takewhile
        zip_longest""",
    "json": "JSONDecodeError dumps loads",
    "re": """ASCII DOTALL I IGNORECASE M MULTILINE Match Pattern S VERBOSE X compile error escape
        findall finditer fullmatch match search split sub subn""",
    "string": """Template ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits
        octdigits printable punctuation whitespace""",
    "textwrap": "dedent fill indent shorten wrap",
    "typing": """Annotated Any ClassVar Final Generic Literal NamedTuple NewType Never Optional
        Protocol Self TypeAlias TypeVar Union assert_never cast overload""",
}
"""What may be imported of the standard library: names that only compute.

Others of the same modules do more: ``get_type_hints`` evaluates a text, ``string.Formatter`` and
``functools.wraps`` look up what they are told to, ``make_dataclass`` and the names of others' own
imports lead anywhere.
"""
_RENAMED = {"reconix.config.addition": "reconix.config.modules.fragment"}
"""Modules that may still be imported under the name that they had before."""
_OURS = (
    *_RENAMED,
    "reconix.config.modules.fragment",
    "reconix.config.options",
    "reconix.config.schema.containers",
    "reconix.config.schema.content",
    "reconix.config.schema.health",
    "reconix.config.schema.machine",
    "reconix.config.schema.project",
    "reconix.config.schema.system",
    "reconix.config.schema.values",
)
IMPORTS = (*_EXPORTED, *_OURS)
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
_OF_FRAMES = """
    ag_code ag_frame cr_code cr_frame f_back f_builtins f_code f_globals f_locals gi_code gi_frame
    gi_yieldfrom tb_frame tb_next
"""
_OF_FILES = """
    chmod cwd expanduser glob hardlink_to iterdir lchmod lstat mkdir read_bytes read_text readlink
    rglob rmdir samefile symlink_to touch unlink write_bytes write_text
"""
"""What a path can do; a module gets paths among its options."""
_HIDDEN = frozenset((*_OF_FRAMES.split(), *_OF_FILES.split(), "format_map"))
_MAY_BE_SET = ("__all__", "__slots__")
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


class ModuleError(Exception):
    """A module cannot be used; carries the problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(str(problems[0]))
        self.problems = tuple(problems)


def load(file: Path, sibling: Callable[[str], ModuleType]) -> ModuleType:
    """Run the source of a module.

    Args:
        file: the source.
        sibling: gives another module of the project by its name.

    Raises:
        ModuleError: it cannot be read, uses what it may not, or fails.
    """
    tree = _parse(file)
    if problems := list(_refused(tree, file)):
        raise ModuleError(problems)
    module = ModuleType(SIBLINGS + file.stem, ast.get_docstring(tree))
    module.__file__ = str(file)
    module.__dict__["__builtins__"] = _builtins(sibling)
    code = compile(tree, str(file), "exec", dont_inherit=True)
    called(file, lambda: exec(code, module.__dict__))
    return module


def renamed_imports(file: Path) -> Iterator[Problem]:
    """What a module imports by a former name, as warnings.

    Raises:
        ModuleError: it cannot be read.
    """
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.ImportFrom) and node.module in _RENAMED:
            fact = f"{node.module} was renamed to {_RENAMED[node.module]}"
            hint = "use the new names, see docs/modules.md; the old ones will be removed"
            yield Problem(line_of(file, node.lineno), f"module {file.stem}", fact, hint)


def called(file: Path, function: Callable[[], object], line: int = 0) -> object:
    """Call something in a module.

    Args:
        file: the module.
        function: what to call.
        line: of the module, for failures that have none.

    Raises:
        ModuleError: it failed; the problem names the line.
    """
    try:
        return function()
    except _FAILURES as error:
        raise ModuleError([_failure(error, file, line)]) from error


def _failure(error: Exception, file: Path, line: int) -> Problem:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    message = str(error)
    fact = f"raised {type(error).__name__}" + (f": {message}" if message else "")
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
        raise ModuleError([Problem(place, key, f"invalid Python: {error.msg}")]) from error
    except (OSError, RecursionError, BadFile, ValueError) as error:
        raise ModuleError([Problem(Place(file), key, f"cannot be read: {error}")]) from error


def _refused(tree: ast.Module, file: Path) -> Iterator[Problem]:
    for node in ast.walk(tree):
        for fact, hint in _complaints(node):
            assert isinstance(node, ast.stmt | ast.expr)
            yield Problem(line_of(file, node.lineno), f"module {file.stem}", fact, hint)


def _complaints(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        names = ", ".join(alias.name for alias in node.names)
        yield f"imports {names} as a whole", f"write: from {node.names[0].name} import …"
    elif isinstance(node, ast.ImportFrom):
        name = "." * node.level + (node.module or "")
        yield from _complaints_of_import(name, [alias.name for alias in node.names])
    elif isinstance(node, ast.Name) and _is_hidden(node.id, read=isinstance(node.ctx, ast.Load)):
        yield f"may not use {node.id}", _COMPUTES
    elif isinstance(node, ast.Attribute) and _is_hidden_attribute(node.attr):
        yield f"may not use {node.attr}", _COMPUTES
    elif isinstance(node, ast.Call) and _is_format(node.func):
        yield "may not use format", "use an f-string"
    elif isinstance(node, ast.Set | ast.SetComp):
        yield "uses a set, whose order differs between runs", "use a tuple or a dict"
    elif isinstance(node, ast.ClassDef) and node.keywords:
        yield "may not use a metaclass", _COMPUTES
    elif isinstance(node, ast.Match):
        yield from _complaints_of_patterns(node)


_COMPUTES = "modules may only compute"


def _complaints_of_import(name: str, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not _may_import(name):
        yield f"may not import {name}", f"allowed: {', '.join(IMPORTS)}"
        return
    for each in wanted:
        known = _EXPORTED.get(name)
        if each == "*" or each.startswith("_") or (known and each not in known.split()):
            hint = f"allowed: {' '.join(known.split())}" if known else "import names one by one"
            yield f"may not import {each} from {name}", hint


def _complaints_of_patterns(node: ast.Match) -> Iterator[tuple[str, str]]:
    for part in ast.walk(node):
        if isinstance(part, ast.MatchClass):
            for name in filter(_is_hidden_attribute, part.kwd_attrs):
                yield f"may not use {name}", _COMPUTES


def _is_hidden(name: str, *, read: bool) -> bool:
    if name.startswith("__"):
        return name not in _MAY_BE_SET
    return read and name not in _BUILTINS and hasattr(builtins, name)


def _is_hidden_attribute(name: str) -> bool:
    return name.startswith("__") or name in _HIDDEN


def _is_format(called: ast.expr) -> bool:
    """Whether this is ``text.format``, which can look up anything by a name in the text."""
    return isinstance(called, ast.Attribute) and called.attr == "format"


def _may_import(name: str) -> bool:
    return name in IMPORTS or name.startswith((SERVICES, SIBLINGS))


def _get(value: object, name: str, *default: object) -> object:
    """``getattr``, for what could be written with a dot as well."""
    _expect_attribute(name)
    return getattr(value, name, *default)


def _has(value: object, name: str) -> bool:
    _expect_attribute(name)
    return hasattr(value, name)


def _expect_attribute(name: object) -> None:
    if type(name) is not str or _is_hidden_attribute(name) or name == "format":
        raise AttributeError(f"may not use {name}")


def _type_of(value: object) -> type:
    """``type``, without the other thing that it can do: make one."""
    return type(value)


_INSTEAD = {"getattr": _get, "hasattr": _has, "type": _type_of}


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
            if _is_elsewhere(found, getattr(found, each, None)):
                raise ImportError(f"may not import {each} from {name}")
        return found

    allowed = {name: getattr(builtins, name) for name in sorted(_BUILTINS)}
    ways = {"__build_class__": builtins.__build_class__, "__import__": import_module}
    return {**allowed, **_INSTEAD, **ways}


def _is_elsewhere(module: ModuleType, value: object) -> bool:
    """Whether a module of ours has something only because it imports it itself."""
    if isinstance(value, ModuleType):
        return True
    is_ours = module.__name__.startswith("reconix.")
    is_code = isinstance(value, type | FunctionType)
    return is_ours and is_code and not str(value.__module__).startswith("reconix.config.")
