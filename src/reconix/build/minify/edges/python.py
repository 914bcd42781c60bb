"""What a module or script in Python reaches: the modules that it imports, wherever it does.

Imports are read from the source; also those within functions, which may never happen. A module is
looked for beside the importing file, and in the standard library and Debian's packages. A package
means its ``__init__.py`` and each folder above it. One of Debian's has data beside its modules, or
in a folder of its name below ``/usr/share`` that one of them names, and its name, version and entry
points in a folder beside it: all stay with it, but for its own tests.

The standard library imports some modules only when it does what the agent never has it do. They
stay as soon as there is any other Python: a script, a module, an environment of the team.

Source: the Python language reference, *The import system*; the Python Packaging User Guide,
*Recording installed projects*.
Tested by ``tests/unit/build/minify/edges/test_python.py``.
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reconix.build.minify.edges import texts
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
_FOR = {
    "shutil": {"tarfile": "archives", "zipfile": "archives", "bz2": "archives"},
    "tarfile": {"bz2": "compressed archives", "gzip": "compressed archives"},
    "email/message": {"email.generator": "texts of messages", "email.policy": "new messages"},
    "email/utils": {"random": "names of messages"},
    "email/_parseaddr": {"calendar": "dates of messages"},
    "http/client": {"ssl": "https"},
    "ssl": {"calendar": "dates of certificates as numbers"},
    "warnings": {"tracemalloc": "where an object was made"},
    "importlib/_bootstrap_external": {
        "importlib.metadata": "distributions",
        "importlib.readers": "data beside modules",
    },
    "zipimport": {"importlib.readers": "data beside modules"},
    "runpy": {"pkgutil": "running a file by its name"},
    "collections/__init__": {"heapq": "the most common of a Counter"},
}
"""What modules of the standard library import only for something that the agent never asks for."""
_OF_INSTALLATION = re.compile(r"etc/python3[\d.]*/.*")
_LINE = re.compile(
    r"(?m)^[ \t]*(?:from[ ]+(\.*)([\w.]*)[ ]+import[ ]+(\([^)]*\)|[^\n;#(]+)|import[ ]+([^\n;#(]+))"
)
_PACKAGE = re.compile(r"(?P<folder>usr/lib/python3/dist-packages)/(?P<name>\w+)/__init__\.py")
_MODULE = re.compile(r"usr/lib/python3/dist-packages/(?P<name>\w+)/.*\.py")
_CODE = re.compile(
    r".*\.(?:py|pyc|pyi|pyx|pxd|c|h|so)|.*/(?:tests?|testing|examples)/.*|.*/py\.typed"
)
_METADATA = re.compile(r"(?P<name>[\w.-]+?)-\d[^/]*\.(?:dist|egg)-info")
_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")
_OF_PROGRAM = re.compile(r"_?_?(?:test\w*|main)|help")


@dataclass(slots=True)
class PythonEdges:
    """Finds what modules import among the files of a device."""

    files: Files
    suggested: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Modules that the agent could reach and does not: by path what for, and who imports it."""
    has_others: bool = False
    """Whether there is Python that is neither the agent's nor of the standard library."""
    _waiting: list[tuple[str, Edge]] = field(default_factory=list)
    _roots: tuple[str, ...] = ()
    _modules: dict[str, dict[str, str]] = field(default_factory=dict)
    _told: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the folders in which modules are looked for."""
        shared = [path for path in self.files.inside("usr/lib") if _SHARED.fullmatch(path)]
        places = [f"{path}{folder}" for path in shared for folder in _FOLDERS]
        self._roots = tuple(place for place in places if place in self.files.nodes)

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that is Python's."""
        if path.endswith(".py") or _SCRIPT.match(content):
            yield from self._of_source(path, content)
            yield from self._shared_data(path, content)
            package = _PACKAGE.fullmatch(path)
            if package is not None:
                yield from self._beside_modules(package["folder"], package["name"])
        elif path.endswith(".so") and path.startswith(self._roots):
            for word in sorted(set(_WORD.findall(content))):
                yield from self.module(word.decode(), path, "names the module")

    def _of_source(self, path: str, content: bytes) -> Iterator[Edge]:
        is_standard = _STANDARD.match(path) is not None
        if not is_standard and not _OF_INSTALLATION.fullmatch(path):
            yield from self._for_others()
        for name, level in _imports(content, is_standard):
            edges = self._near(name, level, path) if level else self.module(name, path)
            if not is_standard:
                yield from edges
            else:
                inner = (each for each in edges if not _TOOL.match(each.target))
                yield from self._of_standard(path, name, inner)

    def _of_standard(self, path: str, name: str, edges: Iterator[Edge]) -> Iterator[Edge]:
        """What a module of the standard library imports, if it is not to wait for others."""
        what = _what_for(path, name)
        if not what or self.has_others:
            yield from edges
        else:
            for each in edges:
                self._waiting.append((path, each))
                self.suggested.setdefault(each.target, (what, path))

    def _for_others(self) -> Iterator[Edge]:
        """What waited for Python that is not the agent's."""
        self.has_others = True
        for path, edge in self._waiting:
            yield Edge(edge.target, f"may use /{path}, which {edge.how}")
        self._waiting.clear()

    def _shared_data(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a package of Debian has in a folder that one of its modules names."""
        module = _MODULE.fullmatch(path)
        if module is None:
            return
        for named in texts.paths(content):
            if f"{named}/".startswith(f"usr/share/{module['name']}/"):
                yield from (Edge(each, f"names the folder /{named}") for each in self._data(named))

    def _beside_modules(self, folder: str, name: str) -> Iterator[Edge]:
        """What a package of Debian has besides modules."""
        for path in self.files.below(f"{folder}/{name}"):
            if not _CODE.fullmatch(path):
                yield from (Edge(each, f"is data of {name}") for each in self._data(path))
        for path in self._metadata(folder).get(name, ()):
            yield Edge(path, f"tells what {name} is")

    def _data(self, path: str) -> Iterator[str]:
        """A file, or a link with all that is in the folder that it leads to."""
        yield path
        place = self.files.find(path)
        if place is not None and self.files.nodes[place].is_folder:
            yield from self.files.below(place)

    def _metadata(self, folder: str) -> dict[str, list[str]]:
        """What tells of the packages in a folder, by their names."""
        if folder not in self._told:
            found: dict[str, list[str]] = {}
            for path in self.files.inside(folder):
                told = _METADATA.fullmatch(path.rpartition("/")[2])
                for name in self._names(path, told["name"]) if told else ():
                    found.setdefault(name, []).extend(self._leaves(path))
            self._told[folder] = found
        return self._told[folder]

    def _names(self, path: str, name: str) -> list[str]:
        """Of the modules that a distribution has: what it says, or else what it is called."""
        listed = f"{path}/top_level.txt"
        node = self.files.nodes.get(listed)
        if node is not None and node.is_file:
            return self.files.content(listed).decode(errors="replace").split()
        return [name, name.lower().replace("-", "_")]

    def _leaves(self, path: str) -> Iterable[str]:
        return self.files.below(path) if self.files.nodes[path].is_folder else (path,)

    def _near(self, name: str, level: int, path: str) -> Iterator[Edge]:
        """The files of a module that is named from where a file is."""
        folder = path
        for _ in range(level):
            folder = folder.rpartition("/")[0]
        return self._in(folder, name, "imports")

    def module(self, name: str, path: str, how: str = "imports") -> Iterator[Edge]:
        """The files of a module, wherever a file at a path could find it."""
        own = () if path.startswith(self._roots or ("/",)) else (path.rpartition("/")[0],)
        for folder in (*own, *self._roots):
            yield from self._in(folder, name, how)

    def _in(self, folder: str, name: str, how: str) -> Iterator[Edge]:
        """The files of a module below a folder: of each package on the way, and its own."""
        for step in name.split("."):
            place = self._listed(folder).get(step)
            folder = f"{folder}/{step}"
            if place is not None:
                yield Edge(place, f"{how} {name}")
            elif folder not in self.files.nodes:
                return

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


@functools.cache
def _imports(content: bytes, is_standard: bool) -> tuple[tuple[str, int], ...]:
    """The modules that a source imports, each with the number of dots before its name.

    To parse is slow, and several systems have the same Python.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        # The Python of a device may be newer than ours, and so may be its grammar.
        return tuple(dict.fromkeys(_by_lines(content.decode(errors="replace"))))
    return tuple(dict.fromkeys(_named(_statements(tree, is_standard=is_standard))))


def _what_for(path: str, name: str) -> str:
    """What a module of the standard library imports another one for, if for one thing only."""
    stem = _STANDARD.sub("", path).removesuffix(".py")
    said = _FOR.get(stem, {})
    parts = name.split(".")
    above = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((said[each] for each in above if each in said), "")


def _by_lines(source: str) -> Iterator[tuple[str, int]]:
    """The same as ``_named``, from lines that look like imports: a few too many."""
    for dots, module, inner, plain in _LINE.findall(source):
        base = [module] if module else []
        if module and not plain:
            yield module, len(dots)
        for listed in (inner or plain).strip("()\n ").split(","):
            words = listed.split("#")[0].split()
            if words:
                yield ".".join((*base, words[0])), len(dots)


def _named(statements: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    for node in statements:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            names = [".".join((*base, alias.name)) for alias in node.names]
            yield from ((name, node.level) for name in (*base, *names))


def _statements(tree: ast.AST, *, is_standard: bool) -> Iterator[ast.AST]:
    """All statements; of a module of the standard library those that count for who imports it.

    Not what it would do as a program or to test itself, and not what it does where a part of it is
    missing or broken: all parts are there.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        inner = [each for part in _PARTS for each in getattr(node, part, ())]
        waiting += reversed([each for each in inner if not (is_standard and _is_other(each))])


def _is_other(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "__main__" in ast.unparse(node.test) or "TYPE_CHECKING" in ast.unparse(node.test)
    if isinstance(node, ast.FunctionDef):
        return _OF_PROGRAM.fullmatch(node.name) is not None
    return isinstance(node, ast.ExceptHandler)
