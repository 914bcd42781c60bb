"""What devices call themselves, and which modules of a kernel that means.

    modules.alias    alias virtio:d00000001v* virtio_net        ``depmod`` has it from the modules

Source: depmod(8); modprobe(8), *alias*.
Tested by ``tests/unit/build/minify/test_module_edges.py``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from reconix.base.files import read_text
from reconix.build.boot.linux import module_name

_MAX_INDEX_BYTES = 64 << 20
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class ModuleAliases:
    """The aliases of the modules of one kernel.

    Attributes:
        by_kind: pattern and module, by what the pattern begins with, up to a colon.
    """

    by_kind: Mapping[str, list[tuple[str, str]]]

    @classmethod
    def read(cls, folder: Path) -> "ModuleAliases":
        """Read the index of ``…/modules/<version>``."""
        found: dict[str, list[tuple[str, str]]] = {}
        for pattern, name in index_lines(folder / "modules.alias", "alias"):
            found.setdefault(_kind(pattern), []).append((pattern, module_name(name)))
        return cls(found)

    def means(self, alias: str) -> Iterator[str]:
        """The names of modules that an alias means, as of a device."""
        for kind in dict.fromkeys((_kind(alias), "")):  # of some patterns even that is one
            for pattern, name in self.by_kind.get(kind, ()):
                if _matches(alias, pattern):
                    yield name


def index_lines(file: Path, key: str) -> Iterator[tuple[str, str]]:
    """The lines with a key of an index file, which older programs do not write all of."""
    text = read_text(file, _MAX_INDEX_BYTES) if file.is_file() else ""
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        first, _, others = rest.strip().partition(" ")
        if word == key and others:
            yield first, others.strip()


def _kind(alias: str) -> str:
    """What an alias begins with, ``pci:`` for one; nothing if that is a pattern."""
    kind = alias.partition(":")[0]
    return "" if _PATTERN.search(kind) or kind == alias else kind


def _matches(alias: str, pattern: str) -> bool:
    found = _PATTERN.search(pattern)
    begin = pattern[: found.start()] if found else pattern
    return alias.startswith(begin) and fnmatchcase(alias, pattern)
