"""What a module or script in Perl reaches: the modules that it uses, wherever it does.

``use``, ``no`` and ``require`` name a module, or a file; ``parent`` and ``base`` name some behind
them. Paths count as in any script. A module is looked for where Debian's Perl looks, in each of
the folders. A module in C has a library of its name below ``auto``.

Source: perlfunc(1), *use*, *require*; perlmod(1); Debian Perl Policy 2.3, *Module Path*.
Tested by ``tests/unit/build/minify/edges/test_perl.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.build.minify.edges import texts
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge

_SCRIPT = re.compile(rb"#![^\n]*\bperl\b")
_MODULE = re.compile(r".+\.p[ml]")
_END = re.compile(rb"(?m)^__(?:END|DATA)__\s*$")
_DOCUMENT = re.compile(rb"(?ms)^=[a-z]\w*.*?(?:^=cut\s*?$|\Z)")
_USES = re.compile(
    rb"(?m)(?:^|[;{}(\s])(?:use|no|require)\s+(?P<name>[A-Za-z_]\w*(?:::\w+)*)(?P<rest>[^;\n]*)"
)
_REQUIRES = re.compile(rb"\brequire\s*\(?\s*['\"](?P<path>[\w./-]+)['\"]")
_HOW_IT_WAS_BUILT = ("/Config.pm", "/Config_heavy.pl", "/Config_git.pl")
_PARENTS = (b"parent", b"base")
_NAME = re.compile(rb"(?<![\w:-])[A-Za-z_]\w*(?:::\w+)*")
_FOLDERS = (
    "etc/perl",
    "usr/local/share/perl/*",
    "usr/lib/*/perl5/*",
    "usr/share/perl5",
    "usr/lib/*/perl-base",
    "usr/lib/*/perl/*",
    "usr/share/perl/*",
)


@dataclass(slots=True)
class PerlEdges:
    """Finds what modules use among the files of a device."""

    files: Files
    _known: tuple[str, ...] | None = None

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that is Perl's."""
        if path.endswith(_HOW_IT_WAS_BUILT):
            return
        if not _SCRIPT.match(content) and not self._is_module(path):
            return
        text = _DOCUMENT.sub(b"", _END.split(content, maxsplit=1)[0])
        for name in sorted(set(_used(text))):
            yield from self._module(name.decode().replace("::", "/"), f"uses {name.decode()}")
        for found in sorted({each["path"].decode() for each in _REQUIRES.finditer(text)}):
            yield from self._file(found, f"requires {found}")
        yield from (Edge(named, f"names /{named}") for named in texts.paths(text))

    def _is_module(self, path: str) -> bool:
        is_there = any(path.startswith(f"{folder}/") for folder in self._folders)
        return is_there and _MODULE.fullmatch(path) is not None

    def _module(self, stem: str, how: str) -> Iterator[Edge]:
        yield from self._file(f"{stem}.pm", how)
        yield from self._file(f"auto/{stem}/{stem.rpartition('/')[2]}.so", how)

    def _file(self, name: str, how: str) -> Iterator[Edge]:
        for folder in self._folders:
            if self.files.find(f"{folder}/{name}") is not None:
                yield Edge(f"{folder}/{name}", how)

    @property
    def _folders(self) -> tuple[str, ...]:
        if self._known is None:
            found = (place for each in _FOLDERS for place in self._matching(each.split("/")))
            self._known = tuple(found)
        return self._known

    def _matching(self, steps: list[str]) -> list[str]:
        """The folders that a pattern means, links to them as well."""
        places = [""]
        for step in steps:
            inner = (each for place in places for each in self.files.inside(place))
            places = [each for each in inner if step in ("*", each.rpartition("/")[2])]
        return places


def _used(text: bytes) -> Iterator[bytes]:
    """The names of the modules that a text uses."""
    for found in _USES.finditer(text):
        yield found["name"]
        if found["name"] in _PARENTS:
            yield from _NAME.findall(found["rest"])
