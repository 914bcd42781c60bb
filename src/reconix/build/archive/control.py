"""The control file of a package file: what it says of itself, which need not be true.

Its name becomes the name of a file and a word of a command line, and the control file a paragraph
of an index: so it must be a name, and the control file one paragraph without our own fields.

Source: Debian Policy, sections 5.1 (*Syntax of control files*) and 5.6.7 (*Package*).
Tested by ``tests/unit/build/root/test_new_tree.py`` and ``tests/compat/test_debs.py``.
"""

import re
from pathlib import Path

from reconix.base import process, text
from reconix.base.errors import ReconixError
from reconix.base.process import CommandFailed

_FIELD = re.compile(rb"([!-9;-~]+):(.*)")
_PACKAGE = re.compile(rb"[a-z0-9][a-z0-9+.-]+")
_OURS = {b"filename", b"size", b"sha256"}


class BadPackage(ReconixError):
    """A file is not a package that an archive could hold."""

    exit_code = 60

    def __init__(self, package: Path, what: str, hint: str = "") -> None:
        super().__init__(f"{package} {what}", hint=hint or "is it a .deb from a Debian archive?")


def read_control(package: Path) -> bytes:
    """The control file of a package file.

    Raises:
        BadPackage: it is no package file, or not whole.
    """
    try:
        return process.run("dpkg-deb", "--field", package)
    except CommandFailed as error:
        raise BadPackage(package, f"is no package: {text.last_words(error.output)}") from error


def name_in(control: bytes, package: Path) -> str:
    """The name that a control file gives to a package file.

    Raises:
        BadPackage: it cannot have such a name, or such a control file.
    """
    fields: dict[bytes, bytes] = {}
    for line in control.rstrip(b"\n").split(b"\n"):
        if line.startswith((b" ", b"\t")):
            continue
        found = _FIELD.fullmatch(line)
        key = found[1].lower() if found else b""
        if not found or key in fields or key in _OURS:
            raise BadPackage(package, f"has a control file with {line[:80]!r}")
        fields[key] = found[2].strip()
    name = fields.get(b"package", b"")
    if not _PACKAGE.fullmatch(name):
        raise BadPackage(package, f"is called {name[:80].decode(errors='replace')!r}")
    return name.decode()
