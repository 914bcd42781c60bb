"""The licences of what stays, as one packed file: most ask that they go with every copy.

Debian has them as ``/usr/share/doc/PACKAGE/copyright``. They name long texts that many share, which
lie beside them. A minified root has no documents but this file, which ``xz -dc`` reads::

    === apt, libapt-pkg7.0
    Apt is copyright …

    === /usr/share/common-licenses/GPL-2
                        GNU GENERAL PUBLIC LICENSE …

Equal texts stand once, under the packages that have them; packages of which no file stays are not
named.

Tested by ``tests/unit/build/minify/test_licences.py``.
"""

import lzma
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.build.software.links import follow, link_target

FOLDER = "usr/share/doc"
FILE = f"{FOLDER}/copyright.xz"
_MAX_BYTES = 8 << 20
_SHARED = re.compile(rb"/usr/share/common-licenses/([A-Z][\w.+-]*\w)")
_FILTERS = ({"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 8 << 20},)


def pack(root: Path, packages: Iterable[str]) -> bytes:
    """The file; nothing if none of the packages says anything.

    Args:
        root: the full one.
        packages: of which something stays.
    """
    texts = "".join(f"=== {head}\n{text.rstrip()}\n\n" for head, text in _texts(root, packages))
    content = texts.encode(errors="surrogateescape")
    return lzma.compress(content, check=lzma.CHECK_CRC32, filters=_FILTERS) if content else b""


def _texts(root: Path, packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each text under its heading."""
    said: dict[bytes, list[str]] = {}
    for package in sorted(set(packages)):
        text = _read(root, f"{FOLDER}/{package}/copyright")
        if text:
            said.setdefault(text, []).append(package)
    for text, names in said.items():
        yield ", ".join(names), _plain(text)
    for name in sorted({found for text in said for found in _SHARED.findall(text)}):
        path = f"usr/share/common-licenses/{name.decode()}"
        yield f"/{path}", _plain(_read(root, path))


def _read(root: Path, path: str) -> bytes:
    place = follow(lambda each: link_target(root / each), path)
    is_there = place is not None and (root / place).is_file()
    return read_bounded(root / str(place), _MAX_BYTES) if is_there else b""


def _plain(text: bytes) -> str:
    return text.decode(errors="surrogateescape")
