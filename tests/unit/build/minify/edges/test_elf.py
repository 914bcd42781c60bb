"""What programs and libraries reach: real ones, compiled here."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.device_trees import write

from reconix.base.process import run
from reconix.build.minify.edges.elf import ElfEdges
from reconix.build.minify.files import Files
from reconix.build.software.device_files import Part

USUAL = "usr/lib/x86_64-linux-gnu"
NAMES = """\
int f(void);
const char *names[] = {"/usr/bin/tool", "libplugin.so.2", "/etc/%s/x"};
int main(void) { return f() + names[0][0]; }
"""


class Desk:
    """A root, and a compiler that puts things into it."""

    def __init__(self, folder: Path) -> None:
        self.root = write(folder / "root", {f"{USUAL}/x": "", "usr/bin/tool": ""})
        self._work = folder

    def library(self, into: str, *words: str) -> None:
        place = self.root / into
        place.parent.mkdir(parents=True, exist_ok=True)
        source = self._work / "library.c"
        source.write_text("int f(void) { return 1; }\n")
        soname = f"-Wl,-soname,{place.name}"
        run("gcc", "-shared", "-fPIC", soname, "-o", place, source, *words)

    def program(self, into: str, code: str, *words: str | Path) -> None:
        place = self.root / into
        place.parent.mkdir(parents=True, exist_ok=True)
        (self._work / "program.c").write_text(code)
        run("gcc", "-o", place, self._work / "program.c", *words)

    def edges(self, path: str, *features: str) -> tuple[dict[str, str], ElfEdges]:
        """What a file reaches, target by reason; and who found it."""
        files = Files.read([Part("", self.root)])
        finder = ElfEdges(files, frozenset(features))
        return {edge.how: edge.target for edge in finder.of(path, files.content(path))}, finder


@pytest.fixture
def desk(tmp_path: Path, need: Callable[..., None]) -> Desk:
    need("gcc")
    return Desk(tmp_path)


def test_a_program_reaches_its_loader_its_libraries_and_what_it_names(desk: Desk) -> None:
    desk.library(f"{USUAL}/libf.so.1")
    desk.library("usr/lib/plugins/libplugin.so.2")
    desk.program("usr/bin/air", NAMES, desk.root / USUAL / "libf.so.1")
    found, _ = desk.edges("usr/bin/air")
    assert found["needs the library libf.so.1"] == f"{USUAL}/libf.so.1"
    assert found["names /usr/bin/tool"] == "usr/bin/tool"
    assert found["names the library libplugin.so.2"] == "usr/lib/plugins/libplugin.so.2"
    assert any(how.startswith("is loaded by /lib") for how in found)
    assert "needs the library libc.so.6" not in found  # it is not there


def test_an_example_in_the_help_of_a_program_is_not_reached(desk: Desk) -> None:
    code = 'const char *help = "for example /usr/bin/sort"; int main(void) { return !help; }'
    for name in ("air", "basename"):
        desk.program(f"usr/bin/{name}", code)
    assert "names /usr/bin/sort" in desk.edges("usr/bin/air")[0]
    assert "names /usr/bin/sort" not in desk.edges("usr/bin/basename")[0]


def test_a_library_is_looked_for_where_the_program_says(desk: Desk) -> None:
    desk.library("opt/air/lib/libf.so.1")
    desk.library(f"{USUAL}/libf.so.1")
    words = (desk.root / "opt/air/lib/libf.so.1", "-Wl,-rpath,$ORIGIN/../lib")
    desk.program("opt/air/bin/air", NAMES, *words)
    found, _ = desk.edges("opt/air/bin/air")
    assert found["needs the library libf.so.1"] == "opt/air/bin/../lib/libf.so.1"


def test_folders_of_the_loaders_settings_count(desk: Desk) -> None:
    write(desk.root, {"etc/ld.so.conf.d/x.conf": "# a comment\n/opt/lib\n"})
    desk.library("opt/lib/libf.so.1")
    desk.program("usr/bin/air", NAMES, desk.root / "opt/lib/libf.so.1")
    found, _ = desk.edges("usr/bin/air")
    assert found["needs the library libf.so.1"] == "opt/lib/libf.so.1"


def test_a_library_for_everybody_reaches_nothing_by_its_strings(desk: Desk) -> None:
    code = 'const char *x = "/usr/bin/tool"; int f(void) { return x[0]; }\n'
    for into in (f"{USUAL}/libf.so.1", f"{USUAL}/air/libf.so.1"):
        desk.program(into, code, "-shared", "-fPIC")
    assert "names /usr/bin/tool" not in desk.edges(f"{USUAL}/libf.so.1")[0]
    assert "names /usr/bin/tool" in desk.edges(f"{USUAL}/air/libf.so.1")[0]


def note(desk: Desk, priority: str) -> str:
    """A program that says which library it loads by itself."""
    said = json.dumps([{"feature": "pack", "priority": priority, "soname": ["libf.so.1"]}])
    text = said.encode() + b"\0"
    body = struct.pack("<III4s", 4, len(text), 0x407C0C0A, b"FDO\0") + text
    body += bytes(-len(body) % 4)
    values = ",".join(map(str, body))
    section = '__attribute__((section(".note.dlopen"), aligned(4), used))'
    desk.library(f"{USUAL}/libf.so.1")
    desk.program(
        "usr/bin/air", f"{section} static const unsigned char n[] = {{{values}}};\n"
        "int main(void) { return 0; }\n",
    )  # fmt: skip
    return "usr/bin/air"


@pytest.mark.parametrize("priority", ["required", "recommended"])
def test_a_library_that_a_program_wants_is_reached(priority: str, desk: Desk) -> None:
    found, _ = desk.edges(note(desk, priority))
    assert found["loads libf.so.1 for pack"] == f"{USUAL}/libf.so.1"


def test_a_library_that_a_program_only_suggests_is_told(desk: Desk) -> None:
    found, finder = desk.edges(note(desk, "suggested"))
    assert not any("libf.so.1" in how for how in found)
    assert finder.suggested == {f"{USUAL}/libf.so.1": ("pack", "usr/bin/air")}
    assert "loads libf.so.1 for pack" in desk.edges("usr/bin/air", "pack")[0]


def test_a_program_that_asks_pam_reaches_its_settings(desk: Desk) -> None:
    desk.library(f"{USUAL}/libpam.so.0")
    desk.program("usr/bin/air", NAMES, desk.root / USUAL / "libpam.so.0")
    _, finder = desk.edges("usr/bin/air")
    reached = {
        edge.target for edge in finder.of("usr/bin/air", finder.files.content("usr/bin/air"))
    }
    assert {"etc/pam.d/air", "etc/pam.d/other", "usr/lib/pam.d/air"} <= reached


def test_a_library_is_found_by_its_name_wherever_it_is(desk: Desk) -> None:
    desk.library("opt/odd/libf.so.1")
    _, finder = desk.edges("usr/bin/tool")
    assert [edge.target for edge in finder.by_name("libf.so.1", "x")] == ["opt/odd/libf.so.1"]


@pytest.mark.parametrize(
    "content", [b"\x7fELF", b"\x7fELF" + bytes(60), b"\x7fELF\2\1\1" + b"\xff" * 90]
)
def test_a_damaged_program_reaches_nothing(content: bytes, desk: Desk) -> None:
    write(desk.root, {"usr/bin/bad": content})
    assert desk.edges("usr/bin/bad")[0] == {}
