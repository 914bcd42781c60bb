"""Programs that would not run on a device are found when they are built into a system."""

import contextlib
import os
import platform
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconix.base.process import run
from reconix.build.software.device_files import DeviceFiles, Part
from reconix.build.software.elf import DamagedElf, Elf
from reconix.build.software.programs import BrokenPrograms, Fault, Programs, package_of
from reconix.config.schema.system import Kernel, System

Need = Callable[..., None]
SYSTEM = System(kernel=Kernel(package="linux-image"))
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
TRIPLET = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[ARCHITECTURE]
MAIN = "int main(void) { return 0; }\n"
CALLS = "int f(void);\nint main(void) { return f(); }\n"


class Desk:
    """A folder for a tree, the root of a system, and a compiler."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.root, self._work = folder / "air", folder / "root", folder / "work"
        for each in (self.tree / "bin", self.tree / "lib", self._work):
            each.mkdir(parents=True)
        libraries = self.root / "usr/lib" / TRIPLET
        libraries.mkdir(parents=True)
        (self.root / "usr/lib64").mkdir()
        (self.root / "usr/bin").mkdir()
        for place in (Path("/lib") / TRIPLET).glob("lib[cm].so.6"):
            shutil.copy(place, libraries)
        for loader in ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"):
            if Path("/", loader).exists():
                shutil.copy(Path("/", loader), self.root / "usr" / loader)
        self.program(self.root / "usr/bin/sh")

    def program(self, path: Path, text: str = "#!/bin/sh\n") -> None:
        path.write_text(text)
        path.chmod(0o755)

    def compiled(self, into: str, code: str, *words: str) -> Path:
        source = self._work / "x.c"
        source.write_text(code)
        run("gcc", "-o", self.tree / into, source, *words)
        return self.tree / into

    def library(self, into: str, soname: str, *words: str) -> Path:
        code = "int f(void) { return 0; }\n"
        return self.compiled(into, code, "-shared", "-fPIC", f"-Wl,-soname,{soname}", *words)

    def faults(self, unchecked: str = "", architecture: str = ARCHITECTURE) -> list[Fault]:
        parts = (Part("/opt/air", self.tree, hides=True), Part("", self.root))
        programs = Programs(DeviceFiles.of(SYSTEM, parts), architecture)
        return list(programs.faults(self.tree, "/opt/air", lambda path: path == unchecked))


@pytest.fixture
def desk(tmp_path: Path, need: Need) -> Desk:
    need("gcc")
    return Desk(tmp_path)


def test_a_program_that_finds_all_it_needs_is_fine(desk: Desk) -> None:
    desk.compiled("bin/air", MAIN)
    desk.compiled("bin/static", MAIN, "-static")
    desk.program(desk.tree / "bin/run")
    assert desk.faults() == []


def test_a_program_for_another_processor_is_told(desk: Desk) -> None:
    program = desk.compiled("bin/air", MAIN, "-static")
    other = {"amd64": "arm64", "arm64": "amd64"}[ARCHITECTURE]
    (fault,) = desk.faults(architecture=other)
    assert str(fault) == f"/opt/air/bin/air is for {ARCHITECTURE}, and the host is {other}"
    content = bytearray(program.read_bytes())
    struct.pack_into("<H", content, 18, 40)
    program.write_bytes(content)
    (fault,) = desk.faults()
    assert fault.fact == f"is for armhf, and the host is {ARCHITECTURE}"
    assert desk.faults(unchecked="/opt/air/bin/air") == []


def test_a_missing_interpreter_is_told(desk: Desk) -> None:
    desk.compiled("bin/air", MAIN, "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
    (fault,) = desk.faults()
    assert str(fault) == (
        "/opt/air/bin/air needs the interpreter /lib/ld-musl-x86_64.so.1, which is not there"
    )


def test_a_missing_library_is_told_with_the_package_that_it_probably_is_in(desk: Desk) -> None:
    desk.library("lib/libair.so", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(desk.tree / "lib/libair.so"))
    (fault,) = desk.faults()
    assert str(fault) == "/opt/air/bin/air needs the library libair.so.2, which is not there"
    assert fault.hint == "its package is probably libair2"


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["-Wl,-rpath,$ORIGIN/../lib", "-Wl,--enable-new-dtags"], "lib/libair.so.2"),
        (["-Wl,-rpath,${ORIGIN}/../lib", "-Wl,--disable-new-dtags"], "lib/libair.so.2"),
        (["-Wl,-rpath,/opt/air/lib"], "lib/libair.so.2"),
        (["-Wl,-rpath,/opt/air/$LIB"], f"lib/{TRIPLET}/libair.so.2"),
        ([], "elsewhere/libair.so.2"),
    ],
)
def test_a_library_of_the_tree_is_found_where_the_loader_looks_and_beside(
    desk: Desk, words: list[str], place: str
) -> None:
    library = desk.library("lib/libair.so", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(library), *words)
    (desk.tree / place).parent.mkdir(parents=True, exist_ok=True)
    library.rename(desk.tree / place)
    assert desk.faults() == []


def test_a_library_of_the_tree_may_be_found_by_a_link(desk: Desk) -> None:
    library = desk.library("lib/libair.so.2.1", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(library))
    (desk.tree / "lib/libair.so.2").symlink_to("libair.so.2.1")
    assert desk.faults() == []


def test_libraries_are_found_in_folders_of_ld_so_conf(desk: Desk) -> None:
    library = desk.library("lib/libair.so", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(library))
    own = desk.root / "usr/local/lib"
    own.mkdir(parents=True)
    library.rename(own / "libair.so.2")
    assert [fault.fact for fault in desk.faults()]
    (desk.root / "etc/ld.so.conf.d").mkdir(parents=True)
    (desk.root / "etc/ld.so.conf.d/libc.conf").write_text("# default\n/usr/local/lib\n")
    assert desk.faults() == []


def test_a_library_for_another_processor_is_passed_by_as_the_loader_does(desk: Desk) -> None:
    library = desk.library("lib/libair.so", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(library), "-Wl,-rpath,/usr/lib/foreign")
    content = bytearray(library.read_bytes())
    library.unlink()
    struct.pack_into("<H", content, 18, 40)
    (desk.root / "usr/lib/foreign").mkdir()
    (desk.root / "usr/lib/foreign/libair.so.2").write_bytes(content)
    (fault,) = desk.faults()
    assert "needs the library libair.so.2, which is not there" in str(fault)


def test_a_version_that_the_library_of_the_system_lacks_is_told(desk: Desk) -> None:
    """The most frequent mistake: built on a newer system."""
    script = desk.tree.parent / "versions"
    script.write_text("AIR_1.2 { };\nAIR_1.10 { f; } AIR_1.2;\n")
    newer = desk.library("lib/libair.so", "libair.so.2", f"-Wl,--version-script={script}")
    desk.compiled("bin/air", CALLS, str(newer))
    newer.unlink()
    script.write_text("AIR_1.2 { };\nAIR_1.9 { f; } AIR_1.2;\n")
    older = desk.library("lib/libair.so", "libair.so.2", f"-Wl,--version-script={script}")
    older.rename(desk.root / "usr/lib" / TRIPLET / "libair.so.2")
    (fault,) = desk.faults()
    assert str(fault) == (
        "/opt/air/bin/air needs AIR_1.10 of libair.so.2, whose last one is AIR_1.9"
    )
    assert "the release of Debian that the system has" in fault.hint


def test_a_library_that_is_somewhere_only_a_device_knows_is_not_missing(desk: Desk) -> None:
    library = desk.library("lib/libair.so", "libair.so.2")
    desk.compiled("bin/air", CALLS, str(library), "-Wl,-rpath,/var/lib/air/plugins")
    library.unlink()
    assert desk.faults() == []


def test_what_is_not_run_is_not_checked(desk: Desk, need: Need) -> None:
    need("objcopy")
    desk.compiled("bin/air.o", CALLS, "-c")
    program = desk.compiled("bin/air", MAIN, "-g")
    run("objcopy", "--only-keep-debug", program, desk.tree / "bin/air.debug")
    (desk.tree / "note").write_text("#!/nowhere\n")
    assert desk.faults() == []
    assert desk.faults(architecture={"amd64": "arm64", "arm64": "amd64"}[ARCHITECTURE]) != []


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("#!/usr/bin/perl -w", "needs the interpreter /usr/bin/perl, which is not there"),
        ("#! /bin/sh\t", ""),
        ("#!/usr/bin/env python3", "needs the interpreter python3, which is not there"),
        ("#!/usr/bin/env -S LANG=C sh -e", ""),
        ("#!/bin/sh\r", "needs the interpreter /bin/sh\\x0d, which is not there"),
        ("#!python3", "has no interpreter: python3"),
        ("#!", "has no interpreter: nothing"),
        ("#!/usr/bin", "needs the interpreter /usr/bin, which is a folder"),
        ("#!/opt/air/note", "needs the interpreter /opt/air/note, which is not executable"),
        ("#!/var/lib/air/venv/bin/python", ""),
        ("#!/\x1b[2J", "needs the interpreter /\\x1b[2J, which is not there"),
    ],
)
def test_the_interpreter_of_a_script_is_there(desk: Desk, line: str, fact: str) -> None:
    desk.program(desk.root / "usr/bin/env")
    (desk.tree / "note").write_text("x")
    desk.program(desk.tree / "bin/run", f"{line}\n")
    assert [fault.fact for fault in desk.faults()] == ([fact] if fact else [])


def test_many_faults_are_told_in_short() -> None:
    faults = [Fault(f"/opt/air/{number}\x1b", "is damaged", "copy it") for number in range(30)]
    error = BrokenPrograms("the tree /opt/air", faults, way_out="or name it in unchecked")
    assert str(error).count("\n") == 11
    assert "\x1b" not in str(error)
    assert str(error).endswith("and 20 more")
    assert error.hint == "copy it; or name it in unchecked"


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libssl.so.3", "libssl3"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libglib-2.0.so.0", "libglib-2.0-0"),
        ("libstdc++.so.6", "libstdc++6"),
        ("plugin.so", ""),
        ("../libair.so", ""),
    ],
)
def test_most_packages_of_libraries_are_called_after_them(library: str, package: str) -> None:
    assert package_of(library) == package


def test_a_damaged_program_is_told(desk: Desk) -> None:
    program = desk.compiled("bin/air", MAIN)
    program.write_bytes(program.read_bytes()[:100])
    (fault,) = desk.faults()
    assert str(fault) == "/opt/air/bin/air begins as a program, and is damaged"


def test_whatever_is_in_a_program_it_is_read_or_damaged(desk: Desk, tmp_path: Path) -> None:
    whole = desk.compiled("bin/air", CALLS.replace("return f()", "return 0"), "-s").read_bytes()
    place = tmp_path / "altered"

    @settings(max_examples=200)
    @given(st.lists(st.tuples(st.integers(4, 1200), st.integers(0, 255)), min_size=1, max_size=6))
    def check(changes: list[tuple[int, int]]) -> None:
        content = bytearray(whole)
        for at, value in changes:
            content[at] = value
        place.write_bytes(content)
        with contextlib.suppress(DamagedElf):
            Elf.read(place)

    check()


def test_a_file_of_a_store_is_read_once_and_others_each_time(tmp_path: Path) -> None:
    stored, other = tmp_path / "stored", tmp_path / "other"
    for file in (stored, other):
        shutil.copyfile(sys.executable, file)
    stored.chmod(0o444)
    os.utime(stored, (1, 1))
    (tmp_path / "name").hardlink_to(stored)
    before = Elf.read(stored)
    assert before is not None
    for file in (stored, other):
        file.chmod(0o644)
        file.write_bytes(bytes(file.stat().st_size))
    stored.chmod(0o444)
    os.utime(stored, (1, 1))
    assert Elf.read(tmp_path / "name") is before
    assert Elf.read(other) is None
