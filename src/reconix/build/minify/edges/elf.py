"""What a program or library reaches: its loader, libraries, and what its strings name.

* The interpreter, and each library that is ``NEEDED``, where the loader looks: the folders of the
  file itself, those of ``ld.so.conf``, the usual ones; else wherever the library is.
* Libraries that it says it loads by itself (``.note.dlopen``), if they are ``required`` or
  ``recommended``. What is only ``suggested`` does not stay for that, and is told.
* In programs, and in libraries that only some programs use, strings: paths and names of libraries.
  A library that everybody uses names much that hardly anybody needs; what is needed of that stands
  in ``build/minify/knowledge.py``.

Source: ld.so(8); ELF gABI, *Dynamic Linking*; UAPI Group, *ELF Dlopen Metadata*.
Tested by ``tests/unit/build/minify/edges/test_elf.py``, with real programs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reconix.base.architecture import Architecture
from reconix.build.minify.edges import texts
from reconix.build.minify.edges.accounts import pam_names, pam_service
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.software.elf import DamagedElf, Elf

_USUAL = ("usr/local/lib", *(f"usr/lib/{each.triplet}" for each in Architecture), "usr/lib")
_CONF = "etc/ld.so.conf.d"
_SONAME = re.compile(rb"(?<![\w.+/-])lib[\w.+-]+\.so(?:\.\d+)+(?![\w.%-])")
_LIBRARY = re.compile(r"lib[^/]+\.so(\.[^/]*)?|ld-linux[^/]*")
_EXAMPLES = {"usr/bin/basename": "usr/bin/sort"}
"""What the help of a program shows as an example and the program does not touch."""
_FOLLOWED = ("required", "recommended")


@dataclass(slots=True)
class ElfEdges:
    """Finds what ELF files reach among the files of a device."""

    files: Files
    features: frozenset[str] = frozenset()
    """What is only suggested and is to stay."""
    suggested: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Libraries that are there and only suggested: by path the feature and who suggests it."""
    _names: dict[str, list[str]] | None = None
    _folders: tuple[str, ...] | None = None

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that begins as an ELF file.

        Args:
            path: of it.
            content: of it.
        """
        try:
            elf = Elf.read(Path(self.files.nodes[path].place))
        except DamagedElf:
            return
        if elf is None or not elf.is_run:
            return
        if elf.interpreter:
            yield Edge(elf.interpreter.lstrip("/"), f"is loaded by {elf.interpreter}")
        for name in elf.needed:
            yield from self._library(name, path, elf, f"needs the library {name}")
        if "libpam.so.0" in elf.needed:
            yield from self._pam(path)
        yield from self._loaded(path, elf)
        if elf.interpreter or not self._is_public(path):
            yield from self._named(path, content, elf)

    def _loaded(self, path: str, elf: Elf) -> Iterator[Edge]:
        for each in elf.loads:
            for name in each.sonames:
                for edge in self._library(name, path, elf, f"loads {name} for {each.feature}"):
                    if each.priority in _FOLLOWED or each.feature in self.features:
                        yield edge
                    else:
                        self._suggest(edge.target, each.feature, path)

    def _suggest(self, library: str, feature: str, path: str) -> None:
        way = self.files.way(library)
        for each in (*way.links, way.end) if way is not None else ():
            self.suggested.setdefault(each, (feature, path))

    def by_name(self, name: str, how: str) -> Iterator[Edge]:
        """A library that somebody loads by its name, if it is there."""
        return (Edge(path, how) for path in self._by_name.get(name, ()))

    def _named(self, path: str, content: bytes, elf: Elf) -> Iterator[Edge]:
        for named in texts.paths(content):
            if named != _EXAMPLES.get(path):
                yield Edge(named, f"names /{named}")
        told = {name for each in elf.loads for name in each.sonames}
        for name in sorted({found.decode() for found in _SONAME.findall(content)} - told):
            yield from self._library(name, path, elf, f"names the library {name}")

    def _library(self, name: str, path: str, elf: Elf, how: str) -> Iterator[Edge]:
        if "/" in name:
            yield Edge(name.lstrip("/"), how)
            return
        own = (_expanded(folder, path) for folder in elf.folders)
        usual = (*own, *self._usual, path.rpartition("/")[0])
        places = (f"{folder}/{name}" for folder in usual)
        found = next((place for place in places if self.files.find(place)), None)
        elsewhere = self._by_name.get(name, []) if found is None else [found]
        yield from (Edge(each, how) for each in elsewhere)

    def _pam(self, path: str) -> Iterator[Edge]:
        program = path.rpartition("/")[2]
        for name in (*pam_names(program), "other"):
            yield from pam_service(name, f"asks PAM as {name}")

    def _is_public(self, path: str) -> bool:
        return path.rpartition("/")[0] in self._usual

    @property
    def _usual(self) -> tuple[str, ...]:
        if self._folders is None:
            said = (self.files.content(each) for each in self._configurations())
            lines = [
                line.strip() for text in said for line in text.decode(errors="replace").split()
            ]
            configured = [line.strip("/") for line in lines if line.startswith("/")]
            self._folders = tuple(dict.fromkeys((*configured, *_USUAL)))
        return self._folders

    def _configurations(self) -> list[str]:
        return [path for path in self.files.inside(_CONF) if self.files.nodes[path].is_file]

    @property
    def _by_name(self) -> dict[str, list[str]]:
        if self._names is None:
            self._names = {}
            for path, node in sorted(self.files.nodes.items()):
                name = path.rpartition("/")[2]
                if not node.is_folder and _LIBRARY.fullmatch(name):
                    self._names.setdefault(name, []).append(path)
        return self._names


def _expanded(folder: str, path: str) -> str:
    """A folder of ``RUNPATH``, in which tokens stand for others."""
    here = path.rpartition("/")[0]
    return folder.replace("${ORIGIN}", here).replace("$ORIGIN", here).strip("/")
