"""Show what takes how much room on a device: packages, kernel, project files.

    reconix size gateway                     all systems together, and who shares what
    reconix size gateway:web                 one system, and what no other one has
    reconix size gateway --minify            what minify took: by which rule, of which package
    reconix size gateway --html size.html    a page with a picture and a table

The size of a part is what a device needs for it: each content once, however many files and systems
have it. Names, owners and files of a few bytes are in images, which are told apart. The generation
that was built last is shown, or the one with --generation.

With --minify the roots of minified systems are shown before and after, each file once.

--html and --svg write a treemap into a file: one that asks for nothing else and has no script. Each
group in it is what the same systems have; whoever points at a part is told its folders.

Exit status: 0 success, 2 there is no such host, system or generation, or it is not minified.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconix.base.documents import JsonInput
from reconix.base.files import write_durably
from reconix.base.sizes import human
from reconix.base.text import one_line
from reconix.build.measured import Measured
from reconix.build.pins import Pin
from reconix.cli import generations, places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.size_minify import MinifyReport
from reconix.cli.sizes import table
from reconix.composition import breakdown, parts
from reconix.composition.breakdown import Row, Share
from reconix.composition.parts import Content
from reconix.nix.chroot import ChrootStore
from reconix.nix.installed_size import InstalledSize
from reconix.pictures import size_page, treemap
from reconix.pictures.treemap import Group, Tile
from reconix.project.files import ProjectFiles
from reconix.store.generation import Generation, read_generation

_SHOWN = 25
_FOLDERS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument("what", metavar="HOST[:SYSTEM]", nargs="?", help="(default: the only host)")
    generations.add_generation(parser)
    parser.add_argument("--all", action="store_true", help="also the small ones")
    parser.add_argument(
        "--minify", action="store_true", help="what minify took, by rule and by package"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with a treemap")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="write the treemap alone")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show it."""
    name, _, system = (arguments.what or "").partition(":")
    files = ProjectFiles.read(places.project(arguments))
    host = files.host(name or None)
    with ChrootStore(places.store(arguments)) as store:
        pin = generations.finder(arguments, files, store, host)(arguments.generation)
        kind = MinifyReport if arguments.minify else _Report
        report = kind.make(store, pin, system)
    for path, content in ((arguments.svg, report.svg), (arguments.html, report.page)):
        if path is not None:
            write_durably(path.absolute(), content().encode())
    lines = report.lines(None if arguments.all else _SHOWN)
    answer(arguments, text="\n".join(map(one_line, lines)), document=report.document())
    return 0


@dataclass(frozen=True, slots=True)
class _Report:
    """What is told about a generation, or one system of it."""

    generation: Generation
    number: int
    system: str
    """Empty if it is about all of them."""
    size: InstalledSize
    contents: list[Content]
    rows: list[Row]

    @classmethod
    def make(cls, store: ChrootStore, pin: Pin, system: str) -> "_Report":
        generation = read_generation(store.store_dir, pin.path)
        measured = Measured(store)
        found = parts.contents(store, generation)
        if not system:
            size = measured.generation(pin.path).size
        else:
            size = measured.system(generation.system(system).toplevel).size
            found = breakdown.of_system(found, system)
        return cls(generation, pin.number, system, size, found, breakdown.rows(found))

    @property
    def title(self) -> str:
        name = f"{self.generation.host}:{self.system}" if self.system else self.generation.host
        return f"{name}, generation {self.number}: {human(self.size.total_bytes)} on a device"

    def lines(self, most: int | None) -> Iterator[str]:
        rows = self.rows
        yield self.title
        if self.system:
            alone = sum(row.alone_bytes for row in rows)
            yield f"of these {human(alone)} in no other system"
        yield ""
        listed = [self._head(), *map(self._cells, rows[:most])]
        width = max(len(cells[0]) for cells in listed)
        yield from table(listed)
        small = rows[most:] if most is not None else []
        if small:
            size = human(sum(row.size_bytes for row in small))
            yield f"{size.rjust(width)}  smaller ones: {len(small)}, with --all"
        yield f"{human(self.size.images_bytes).rjust(width)}  names and metadata, in images"

    def _head(self) -> tuple[str, ...]:
        return ("size", "alone", "part") if self.system else ("size", "systems", "part")

    def _cells(self, row: Row) -> tuple[str, ...]:
        other = human(row.alone_bytes) if self.system else self._whose(row.systems)
        return (human(row.size_bytes), other, str(row.part))

    def _whose(self, systems: Sequence[str]) -> str:
        """Systems in short."""
        if len(systems) == len(self.generation.systems) > 1:
            return "all"
        return ", ".join(systems) or "none"

    def _groups(self) -> Iterator[Group]:
        for names, shares in breakdown.groups(self.contents).items():
            size = human(sum(share.size_bytes for share in shares))
            label = "all systems" if self._whose(names) == "all" else ", ".join(names)
            told = f"in {label}" if names else "only for the boot partition"
            yield Group(label or "boot", size, told, tuple(map(_tile, shares)))

    def svg(self) -> str:
        images = self.size.images_bytes
        tile = Tile("images", human(images), f"images: {human(images)}", images)
        metadata = Group("names", human(images), "names and metadata of files", (tile,))
        groups = sorted([*self._groups(), metadata], key=lambda group: -group.size_bytes)
        return treemap.picture(self.title, groups)

    def page(self) -> str:
        rows = [*map(self._cells, self.rows)]
        return size_page.page(self.title, self.svg(), self._head(), rows)

    def document(self) -> JsonInput:
        return {
            "host": self.generation.host,
            "system": self.system or None,
            "number": self.number,
            "generation": str(self.generation.path),
            "installed_size_bytes": self.size.total_bytes,
            "contents_size_bytes": self.size.contents_bytes,
            "images_size_bytes": self.size.images_bytes,
            "parts": [
                {
                    "name": row.part.name,
                    "version": row.part.version or None,
                    "kind": row.part.kind.name.lower(),
                    "size_bytes": row.size_bytes,
                    "alone_bytes": row.alone_bytes,
                    "systems": [*row.systems],
                }
                for row in self.rows
            ],
        }


def _tile(share: Share) -> Tile:
    size = human(share.size_bytes)
    parts = tuple(_folders(share))
    told = f"{share.part}: {size}; {', '.join(part.told for part in parts)}"
    return Tile(share.part.name, size, told, share.size_bytes, parts)


def _folders(share: Share) -> Iterator[Tile]:
    """The largest folders of a part, and all others together."""
    for area, size in share.areas[:_FOLDERS]:
        yield _folder(f"/{area}", size)
    others = share.areas[_FOLDERS:]
    if others:
        yield _folder("elsewhere", sum(size for _, size in others))


def _folder(name: str, size: int) -> Tile:
    return Tile(name, human(size), f"{name} {human(size)}", size)
