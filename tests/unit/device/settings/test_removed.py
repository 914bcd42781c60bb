"""The list of what went rides with a system, and a shell can read it as well as the agent."""

import subprocess
from pathlib import Path

import pytest
from tests.device_model import Machine

from reconix.base.documents import BadDocument
from reconix.build.templates import fill
from reconix.device.settings.removed import Removed, parse_removed, print_removed, read_removed
from reconix.store.tree import File

SS = Removed(131240)
MAN = Removed(119200, "nobody reads manuals on a device")
LIST = {"/usr/bin/ss": SS, "/usr/bin/man": MAN, "/usr/lib/x y/ä": Removed(0), "/first": Removed(1)}


def test_it_has_a_line_for_each_folder_and_each_file() -> None:
    assert print_removed(LIST).decode().splitlines() == [
        "/",
        "first\t1",
        "/usr/bin",
        "man\t119200\tnobody reads manuals on a device",
        "ss\t131240",
        "/usr/lib/x y",
        "ä\t0",
    ]


def test_what_is_printed_is_read_again() -> None:
    assert parse_removed(print_removed(LIST), source="test") == LIST
    assert [each.is_expected for each in (SS, MAN)] == [False, True]


def test_names_that_would_break_a_line_are_left_out() -> None:
    odd = dict.fromkeys(("/a\tb", "/a\nb", "/\udcff", "/\x1b[2J"), SS)
    assert print_removed(odd) == b""


@pytest.mark.parametrize("line", [b"ss", b"ss\tmany", b"ss\t-1", "ss\t٣".encode()])
def test_a_file_without_a_size_is_refused(line: bytes) -> None:
    with pytest.raises(BadDocument, match="has no size"):
        parse_removed(b"/usr/bin\n" + line + b"\n", source="test")


def test_a_system_has_it_or_not(machine: Machine) -> None:
    machine.boot()
    machine.generation("two", extra={"removed": File(print_removed(LIST))})
    machine.install("two")
    one, two = (
        machine.device.generation(machine.generations[each]).system("default").toplevel
        for each in ("one", "two")
    )
    assert read_removed(machine.registry, one) == {}
    assert read_removed(machine.registry, two) == LIST


def test_bash_tells_it_of_a_command_and_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "removed"
    path.write_bytes(print_removed(LIST | {"/usr/share/ss": SS}))
    script = tmp_path / "script.sh"
    script.write_text(fill("removed.sh").replace("/nix/system/removed", str(path)))
    said = subprocess.run(
        ["bash", "-c", f". {script}; PATH=/none; ss -t; man; never; echo $?"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert said.stdout == "127\n"
    assert said.stderr.splitlines() == [
        "bash: ss: command not found",
        '/usr/bin/ss was removed because nothing reaches it; minify.keep = ["/usr/bin/ss"], '
        "131240 bytes",
        "bash: man: command not found",
        "/usr/bin/man was removed because nobody reads manuals on a device; "
        'minify.keep = ["/usr/bin/man"], 119200 bytes',
        "bash: never: command not found",
    ]


def test_other_shells_read_over_it(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text(fill("removed.sh"))
    said = subprocess.run(
        ["dash", "-c", f". {script}; PATH=/none; ss"], capture_output=True, check=False
    )
    assert said.returncode == 127
    assert b"removed" not in said.stderr
