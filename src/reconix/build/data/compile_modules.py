"""Compile the modules of a zip archive; runs on the Python of a device's root.

Reads the archive from standard input and writes it to standard output, with every module but a
``__main__.py`` at its top compiled. A compiled file carries an unchecked hash: it is valid at any
time. Docstrings go, for nobody reads them on a device; those of a program stay, which may be its
help, and those of decorated classes: a dataclass without one makes one, slowly. Where the
archive has a comment that says so, these go, too, as with ``-OO``. Assertions stay. Standard
library only, and only what `python3 -I -S` has.
"""

import ast
import io
import sys
import zipfile
from hashlib import sha256
from importlib import util
from marshal import dumps

_UNCHECKED_HASH = (1).to_bytes(4, "little")
_DESCRIBED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_PROGRAM = "__main__.py"
_ALL = b"without any docstring"
"""The comment of an archive in which decorated classes lose theirs, too."""


def _compiled(name: str, source: bytes, *, takes_all: bool) -> bytes:
    tree = ast.parse(source)
    if not name.endswith(f"/{_PROGRAM}"):
        _take_docstrings(tree, takes_all=takes_all)
    code = compile(tree, name, "exec", dont_inherit=True)
    return util.MAGIC_NUMBER + _UNCHECKED_HASH + sha256(source).digest()[:8] + dumps(code)


def _take_docstrings(tree: ast.Module, *, takes_all: bool) -> None:
    for node in ast.walk(tree):
        is_decorated = isinstance(node, ast.ClassDef) and node.decorator_list and not takes_all
        if isinstance(node, _DESCRIBED) and not is_decorated:
            while ast.get_docstring(node, clean=False) is not None:  # the next text would be one
                text = node.body.pop(0)
                if not node.body and not isinstance(node, ast.Module):
                    node.body.append(ast.copy_location(ast.Pass(), text))


def _main() -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as packed,
        zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive,
    ):
        for entry in packed.infolist():
            content = packed.read(entry)
            if entry.filename.endswith(".py") and entry.filename != _PROGRAM:
                content = _compiled(entry.filename, content, takes_all=packed.comment == _ALL)
                entry.filename += "c"
            archive.writestr(entry, content)
    sys.stdout.buffer.write(made.getvalue())


_main()
