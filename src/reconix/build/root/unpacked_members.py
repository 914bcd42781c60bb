"""Package files without compression, for a root whose programs are emulated.

``dpkg`` unpacks packages with programs of the root. Executed by QEMU, xz alone takes longer than
everything else, and what it does depends on no architecture. So it is done before, here: a package
file is an archive of three members, two of which may be compressed or not.

    !<arch>
    debian-binary   2.0
    control.tar     control file and scripts
    data.tar        the files

Source: deb(5); ar(5): a header of 60 bytes, members padded to an even length.
Tested by ``tests/compat/test_unpacked_members.py``, by the real ``dpkg-deb``.
"""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from reconix.base import process

_VERSION = b"2.0\n"
_MEMBERS = (("control.tar", "--ctrl-tarfile"), ("data.tar", "--fsys-tarfile"))


def repack(package: Path, into: Path) -> None:
    """Write a package file anew, with nothing in it compressed.

    Raises:
        CommandFailed: it is no package file.
    """
    with into.open("xb") as file:
        file.write(b"!<arch>\n" + _header("debian-binary", len(_VERSION)) + _VERSION)
        for name, option in _MEMBERS:
            _add(file, name, ("dpkg-deb", option, str(package)))
    into.chmod(0o644)


def _add(file: BinaryIO, name: str, words: tuple[str, ...]) -> None:
    """Append what a program says as one member."""
    begin = file.tell()
    file.write(_header(name, 0))
    with process.reading(*words) as said:
        shutil.copyfileobj(said, file)
    size = file.tell() - begin - len(_header(name, 0))
    file.write(b"\n" * (size % 2))
    file.seek(begin)
    file.write(_header(name, size))
    file.seek(0, os.SEEK_END)


def _header(name: str, size: int) -> bytes:
    """Name, time, owner, group, mode, size."""
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode()
