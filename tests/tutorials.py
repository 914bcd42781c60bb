"""Following a tutorial: its blocks are run one after the other, as a reader would.

What a block is, is said behind its three back-quotes:

    sh                 commands, one shell after another; each goes on in the folder of the last
    sh background      a command in a second terminal; it is ended when the tutorial is over
    text               what the commands before print, among other things; … stands for anything
    toml PATH          a file, below the folder of the project; so with any other language
    toml PATH append   lines to add to it

Blocks of other kinds have no words behind the language, and are only read.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.project_files import ROOT, enough

_FOLDER = ROOT / "docs/tutorials"
TUTORIALS = enough(
    sorted({*_FOLDER.glob("*.md")} - {_FOLDER / "index.md"}), at_least=4, what="tutorials"
)
_BLOCK = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP_SECONDS = 1200
_END_SECONDS = 30


@dataclass(frozen=True)
class Block:
    """One block of a tutorial.

    Attributes:
        kind: its language.
        words: what stands behind it.
        text: its lines.
        line: where it begins.
    """

    kind: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def is_file(self) -> bool:
        return self.kind not in ("sh", "text") and bool(self.words)


def blocks(tutorial: str) -> Iterator[Block]:
    """The blocks of a tutorial, in order."""
    for found in _BLOCK.finditer(tutorial):
        kind, words, text = found.groups()
        yield Block(kind, tuple(words.split()), text, tutorial[: found.start()].count("\n") + 1)


class WrongTutorial(AssertionError):
    """A reader would be stuck here."""


@dataclass
class Reader:
    """Somebody who does what a tutorial says.

    Attributes:
        place: the folder in which it begins.
        environment: of all commands.
    """

    place: Path
    environment: Mapping[str, str]
    _folder: Path = field(init=False)
    _said: str = field(default="", init=False)
    _terminals: list["subprocess.Popen[bytes]"] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._folder = self.place

    def follow(self, tutorial: Path) -> None:
        """Do all of it.

        Raises:
            WrongTutorial: with the line of the block that is wrong.
        """
        try:
            for block in blocks(tutorial.read_text()):
                with _told(tutorial, block):
                    self._do(block)
        finally:
            self._end()

    def _do(self, block: Block) -> None:
        if block.is_file:
            self._write(block)
        elif block.kind == "sh" and block.words == ("background",):
            self._begin(block)
        elif block.kind == "sh":
            self._run(block)
        elif block.kind == "text":
            expect(block.text, self._said)

    def _write(self, block: Block) -> None:
        path = self._folder / block.words[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if block.words[1:] == ("append",) else "w") as file:
            file.write(block.text)

    def _run(self, block: Block) -> None:
        state = self.place / ".folder"
        script = f"set -eu -o pipefail\n{block.text}\npwd > '{state}'\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_STEP_SECONDS,
            check=False,
        )
        self._said = done.stdout.decode(errors="replace")
        if done.returncode:
            raise WrongTutorial(f"it exited with {done.returncode}: {self._said[-4000:]}")
        self._folder = Path(state.read_text().strip())

    def _begin(self, block: Block) -> None:
        log = (self.place / f"terminal-{len(self._terminals)}.log").open("wb")
        with log:
            self._terminals.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {block.text}"],
                    cwd=self._folder,
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _end(self) -> None:
        for terminal in self._terminals:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(terminal.pid, signal.SIGTERM)
            try:
                terminal.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(terminal.pid, signal.SIGKILL)
                terminal.wait()


@contextlib.contextmanager
def _told(tutorial: Path, block: Block) -> Iterator[None]:
    """An error says in which block it is."""
    try:
        yield
    except (WrongTutorial, subprocess.TimeoutExpired) as error:
        raise WrongTutorial(f"{tutorial.name}:{block.line}: {error}") from error


def expect(promised: str, said: str) -> None:
    """Find the promised lines in what was said, in their order."""
    rest = iter(said.splitlines())
    for line in filter(None, (line.strip() for line in promised.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, each.strip()) for each in rest):
            raise WrongTutorial(f"nothing like {line!r} in: {said[-4000:]}")
