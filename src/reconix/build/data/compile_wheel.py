"""Compile the modules of a wheel; runs on the Python of a device's root.

Reads an archive of modules from standard input, named as they are below the folder that its comment
names, and writes one with what they are compiled to, as ``__pycache__`` has it. A compiled file
carries an unchecked hash: it is valid at any time, whatever the times of files. What cannot be
compiled is left out, as other installers do: it may be a template, or for another Python.

Standard library only, and only what `python3 -I -S` has.
"""

import io
import sys
import zipfile
from importlib import util
from marshal import dumps
from types import CodeType

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def _has_sets(code: CodeType) -> bool:
    constants = list(code.co_consts)
    while constants:
        constant = constants.pop()
        if isinstance(constant, frozenset):
            return True
        if isinstance(constant, tuple):
            constants += constant
        elif isinstance(constant, CodeType):
            constants += constant.co_consts
    return False


def _code(source: bytes, path: str) -> CodeType:
    """What a module is compiled to, whatever was compiled before.

    Of equal sets of texts in one module, Python 3.13 makes one constant or two, which depends on
    the texts that it knows already. The second time it knows all of this module.
    """
    code = compile(source, path, "exec", dont_inherit=True)
    return compile(source, path, "exec", dont_inherit=True) if _has_sets(code) else code


def _compiled(source: bytes, path: str) -> bytes:
    code = dumps(_code(source, path))
    return util.MAGIC_NUMBER + _UNCHECKED_HASH + util.source_hash(source) + code


def _main() -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as sources,
        zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name in sorted(sources.namelist()):
            try:
                content = _compiled(sources.read(name), f"{sources.comment.decode()}/{name}")
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            archive.writestr(zipfile.ZipInfo(util.cache_from_source(name)), content)
    sys.stdout.buffer.write(made.getvalue())


_main()
