"""What a script reaches: its interpreter, and of a shell script the programs that it names.

Every word of a shell script that is the name of a program counts, wherever it stands: behind
``exec``, ``xargs`` or ``sh -c`` as well. That keeps a little too much, never too little.

Source: execve(2); env(1).
Tested by ``tests/unit/build/minify/edges/test_scripts.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconix.build.minify.edges import texts
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.software.programs import SEARCH_PATH

_MAX_LINE_BYTES = 256  # of the kernel, for #!
_SHELL = re.compile(r"(?:ba|da|k|z)?sh")
_SOURCED = re.compile(
    r"etc/(profile|bash\.bashrc|profile\.d/[^/]+\.sh)|root/\.(profile|bashrc)"
    r"|nix/store/[^/]+-reconix-device/[^/.]+(\.sh)?|etc/reconix/secrets/[^/]+"
)
"""Scripts that other scripts and shells read, and that need not begin with ``#!``."""


@dataclass(frozen=True, slots=True)
class ScriptEdges:
    """Finds what scripts reach among the files of a device."""

    files: Files

    def of(self, path: str, content: bytes) -> Iterator[Edge]:
        """What a file reaches that is a script.

        Args:
            path: of it.
            content: of it.
        """
        interpreter = ""
        if content.startswith(b"#!"):
            line = content[2:_MAX_LINE_BYTES].partition(b"\n")[0].decode(errors="replace")
            for interpreter in filter(None, _interpreters(line)):
                yield from self.program(interpreter, f"is run by {interpreter}")
        if _SOURCED.fullmatch(path) or _SHELL.fullmatch(interpreter.rpartition("/")[2]):
            yield from self.of_shell(content.decode(errors="replace"))
        elif interpreter:
            yield from (Edge(each, f"names /{each}") for each in texts.paths(content))

    def of_shell(self, script: str) -> Iterator[Edge]:
        """What a text reaches that a shell would run."""
        for path in texts.paths(script.encode()):
            yield Edge(path, f"names /{path}")
        for word in texts.words(script):
            yield from self.program(word, f"runs {word}")

    def program(self, name: str, how: str) -> Iterator[Edge]:
        """A program by its path, or by a name that is looked for where systemd and shells look."""
        if "/" in name:
            yield Edge(name.lstrip("/"), how)
            return
        places = (f"{folder}/{name}".lstrip("/") for folder in SEARCH_PATH)
        found = next((place for place in places if place in self.files.nodes), None)
        if found is not None:
            yield Edge(found, how)


def _interpreters(line: str) -> Iterator[str]:
    """The programs of a line ``#!``; behind ``env`` stands another one."""
    program, *words = line.split() or [""]
    yield program
    if program.rpartition("/")[2] == "env":
        yield from (word for word in words[:2] if not word.startswith("-") and "=" not in word)
