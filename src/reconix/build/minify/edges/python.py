"""What a module or script in Python reaches: the modules that it imports, wherever it does.

Imports are read from the source; also those within functions, which may never happen. A module is
looked for beside the importing file, and in the standard library and Debian's packages. A package
means its ``__init__.py`` and each folder above it.

Source: the Python language reference, *The import system*.
Tested by ``tests/unit/build/minify/edges/test_python.py``.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge

_SHARED = re.compile(r"usr/lib/python3(?:\.\d+)?")
_FOLDERS = ("", "/lib-dynload", "/dist-packages")
_EXTENSION = re.compile(r"(?P<name>\w+)(?:\.[\w-]+)?\.so")
_SCRIPT = re.compile(rb"#!.*\bpython3?[\d.]*\b")
_WORD = re.compile(rb"(?<=\0)(?:_[a-z][a-z_]{2,40}|[a-z_]+\.[a-z_]+)(?=\0)")
_STANDARD = re.compile(r"usr/lib/python3\.\d+/(?!dist-packages/)")
_TOOL = re.compile(
    rf"{_STANDARD.pattern}(?:pdb|bdb|doctest|pydoc|unittest|test|_pyrepl|rlcompleter|cProfile|profile"
    r"|pstats|trace|turtle|readline|lib-dynload/readline|idlelib|venv|ensurepip|code|codeop|_aix_support|_osx_support"
    r"|_ios_support|_android_support|_apple_support|ctypes/_aix|ctypes/wintypes|ctypes/macholib"
    r"|asyncio/windows_\w+|asyncio/proactor_events|multiprocessing/popen_spawn_win32)\b"
)
"""What the standard library itself imports only for people who write programs, and for other
systems. A program of a team that imports it has it."""
_OF_PROGRAM = re.compile(r"_?_?(?:test\w*|main)|help")


@dataclass(slots=True)
class PythonEdges:
    """Finds what modules import among the files of a device."""

    files: Files
    _roots: tuple[str, ...] = ()
    _modules: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the folders in which modules are looked for."""
        shared = [path for path in self.files.inside("usr/lib") if _SHARED.fullmatch(path)]
        places = [f"{path}{folder}" for path in shared for folder in _FOLDERS]
        self._roots = tuple(place for place in places if place in self.files.nodes)

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that is Python's."""
        if path.endswith(".py") or _SCRIPT.match(content):
            yield from self._of_source(path, content)
        elif path.endswith(".so") and path.startswith(self._roots):
            for word in sorted(set(_WORD.findall(content))):
                yield from self.module(word.decode(), path, "names the module")

    def _of_source(self, path: str, content: bytes) -> Iterator[Edge]:
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError):
            return
        is_shared = _STANDARD.match(path) is not None
        for node in (_library if is_shared else _program)(tree):
            if isinstance(node, ast.Import):
                edges = [edge for alias in node.names for edge in self.module(alias.name, path)]
            elif isinstance(node, ast.ImportFrom):
                edges = list(self._imported(node, path))
            else:
                continue
            yield from (each for each in edges if not is_shared or not _TOOL.match(each.target))

    def _imported(self, node: ast.ImportFrom, path: str) -> Iterator[Edge]:
        base = path.rpartition("/")[0]
        for _ in range(node.level - 1):
            base = base.rpartition("/")[0]
        names = [node.module] if node.module else []
        names += [f"{node.module}.{each.name}" if node.module else each.name for each in node.names]
        for name in names:
            if node.level:
                yield from self._in(base, name, "imports")
            else:
                yield from self.module(name, path)

    def module(self, name: str, path: str, how: str = "imports") -> Iterator[Edge]:
        """The files of a module, as a file at a path would find it."""
        for folder in (path.rpartition("/")[0], *self._roots):
            found = list(self._in(folder, name, how))
            if found:
                yield from found
                return

    def _in(self, folder: str, name: str, how: str) -> Iterator[Edge]:
        """The files of a module below a folder: of each package on the way, and its own."""
        for step in name.split("."):
            place = self._listed(folder).get(step)
            if place is None:
                return
            yield Edge(place, f"{how} {name}")
            folder = f"{folder}/{step}"

    def _listed(self, folder: str) -> dict[str, str]:
        """The modules directly in a folder."""
        if folder not in self._modules:
            self._modules[folder] = dict(self._list(folder))
        return self._modules[folder]

    def _list(self, folder: str) -> Iterator[tuple[str, str]]:
        for path in self.files.inside(folder):
            name = path.rpartition("/")[2]
            extension = _EXTENSION.fullmatch(name)
            if self.files.nodes[path].is_folder and f"{path}/__init__.py" in self.files.nodes:
                yield name, f"{path}/__init__.py"
            elif name.endswith(".py"):
                yield name.removesuffix(".py"), path
            elif extension:
                yield extension["name"], path


def _program(tree: ast.Module) -> Iterator[ast.AST]:
    """All that the program of a team does, wherever it stands."""
    return ast.walk(tree)


def _library(tree: ast.AST) -> Iterator[ast.AST]:
    """What a module of the standard library does for those who import it.

    Not what it would do as a program or to test itself, and not what it does where a part of it is
    missing: all parts are there.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(
            reversed([each for each in ast.iter_child_nodes(node) if not _is_other(each)])
        )


def _is_other(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "__main__" in ast.unparse(node.test) or "TYPE_CHECKING" in ast.unparse(node.test)
    if isinstance(node, ast.FunctionDef):
        return _OF_PROGRAM.fullmatch(node.name) is not None
    return isinstance(node, ast.ExceptHandler) and "ImportError" in ast.unparse(node.type or node)
