"""One file out of a package: the rest is not unpacked.

Source: deb(5).
Tested by ``tests/compat/test_firmware_files.py`` and ``tests/compat/test_device_tree.py``.
"""

import tarfile
from collections.abc import Callable
from pathlib import Path

from reconix.base import process
from reconix.base.errors import ReconixError


class UnreadablePackage(ReconixError):
    """A package cannot be unpacked."""

    exit_code = 61


class _Found(Exception):
    """The rest of a package need not be unpacked."""

    content = b""


def first_file(package: Path, is_wanted: Callable[[str], bool], most_bytes: int) -> bytes | None:
    """The content of the first file that is wanted, or nothing.

    Args:
        package: a package file.
        is_wanted: asked of each file by its name, ``./usr/…``, until it says yes.
        most_bytes: of the content; a larger file is none.

    Raises:
        UnreadablePackage: it cannot be unpacked.
    """
    found = _Found()
    try:
        with (
            process.reading("dpkg-deb", "--fsys-tarfile", package) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for each in archive:
                if each.isreg() and is_wanted(each.name) and each.size <= most_bytes:
                    content = archive.extractfile(each)
                    assert content is not None
                    found.content = content.read()
                    raise found
    except _Found:
        return found.content
    except tarfile.TarError as error:
        raise UnreadablePackage(f"{package.name} cannot be unpacked: {error}") from error
    return None
