"""Licences of packages, as far as their copyright files say them to a machine.

Debian's copyright files in the machine-readable format name a licence for each part of a package.
What they name is told as it stands there, and in the words of SPDX where both mean the same; nobody
weighs which part of a source ends up in which file. A file in free words tells nothing.

Source: Debian, *Machine-readable debian/copyright file*, version 1.0; SPDX License List.
Tested by ``tests/unit/composition/test_licences.py``.
"""

import re
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.software.links import follow, link_target

_MAX_COPYRIGHT_BYTES = 8 << 20
_FORMAT = re.compile(rb"Format(-Specification)?:[^\n]*copyright-format/1\.0")
_LICENCE = re.compile(rb"^License:[ \t]*([^\n]+)$", re.MULTILINE)
_MAX_NAME = 120

SPDX = {
    "0BSD": "0BSD",
    "AGPL-3": "AGPL-3.0-only",
    "AGPL-3+": "AGPL-3.0-or-later",
    "Apache-2.0": "Apache-2.0",
    "Artistic": "Artistic-1.0-Perl",
    "Artistic-2.0": "Artistic-2.0",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "BSD-4-clause": "BSD-4-Clause",
    "BSL-1.0": "BSL-1.0",
    "CC0-1.0": "CC0-1.0",
    "Expat": "MIT",
    "FSFAP": "FSFAP",
    "FSFULLR": "FSFULLR",
    "GFDL-1.3": "GFDL-1.3-only",
    "GFDL-1.3+": "GFDL-1.3-or-later",
    "GPL-1": "GPL-1.0-only",
    "GPL-1+": "GPL-1.0-or-later",
    "GPL-2": "GPL-2.0-only",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-3": "GPL-3.0-only",
    "GPL-3+": "GPL-3.0-or-later",
    "ISC": "ISC",
    "LGPL-2": "LGPL-2.0-only",
    "LGPL-2+": "LGPL-2.0-or-later",
    "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-2.1+": "LGPL-2.1-or-later",
    "LGPL-3": "LGPL-3.0-only",
    "LGPL-3+": "LGPL-3.0-or-later",
    "MPL-2.0": "MPL-2.0",
    "Unlicense": "Unlicense",
    "X11": "X11",
    "Zlib": "Zlib",
}
"""What SPDX calls a licence that Debian's format has a short name for, letter for letter."""

_BY_SMALL_LETTERS = {name.lower(): spdx for name, spdx in SPDX.items()}


class Licences:
    """The licences of the packages of one root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, package: str) -> tuple[str, ...]:
        """The licences that the copyright file of a package names, sorted."""
        path = follow(self._target, f"usr/share/doc/{package}/copyright")
        if path is None or not (self._root / path).is_file():
            return ()
        return parse_copyright(read_bounded(self._root / path, _MAX_COPYRIGHT_BYTES))

    def _target(self, path: str) -> str | None:
        return link_target(self._root / path)


def parse_copyright(content: bytes) -> tuple[str, ...]:
    """The licences that a copyright file names, sorted; none if it is written in free words."""
    if not _FORMAT.match(content):
        return ()
    names = (found.decode(errors="replace").strip() for found in _LICENCE.findall(content))
    return tuple(sorted({name[:_MAX_NAME] for name in names if name}))


def spdx(name: str) -> str | None:
    """What SPDX calls a licence, if it has a name for it."""
    return _BY_SMALL_LETTERS.get(name.lower())
