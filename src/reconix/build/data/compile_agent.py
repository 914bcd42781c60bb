"""Compile the modules of a zip application; runs on the Python of a device's root.

Reads the application from standard input and writes it to standard output, with every module but
``__main__.py`` compiled. A compiled file carries an unchecked hash: it is valid at any time.
Standard library only, and only what `python3 -I -S` has.
"""

import io
import sys
import zipfile
from hashlib import sha256
from importlib import util
from marshal import dumps

_UNCHECKED_HASH = (1).to_bytes(4, "little")


def _compiled(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    return util.MAGIC_NUMBER + _UNCHECKED_HASH + sha256(source).digest()[:8] + dumps(code)


def _main() -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())) as packed,
        zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive,
    ):
        for entry in packed.infolist():
            content = packed.read(entry)
            if entry.filename.endswith(".py") and entry.filename != "__main__.py":
                content = _compiled(entry.filename, content)
                entry.filename += "c"
            archive.writestr(entry, content)
    sys.stdout.buffer.write(made.getvalue())


_main()
