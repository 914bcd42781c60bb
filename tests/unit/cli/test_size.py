"""The words of ``reconix size``."""

import json
from pathlib import Path

import pytest
from tests.installed_packages import add_generation, install, make_project
from tests.projects import in_other_circumstances

from reconix.build.measured import Measured
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    make_project(tmp_path / "p")
    with ChrootStore(tmp_path / "store") as store:
        install(store)
        Pins(store.root, "test", "gw").add(add_generation(store))
    return ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "size"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_table_has_the_largest_parts_first(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "gw"]) == 0
    lines = said(capsys).splitlines()
    assert lines[0].startswith("gw, generation 1: ")
    assert lines[2].split() == ["size", "systems", "part"]
    assert lines[3].split() == ["3.1", "KiB", "all", "kernel", "6.12"]
    assert any(line.split()[2:] == ["mail", "server", "2-1"] for line in lines)
    assert lines[-1].endswith("names and metadata, in images")


def test_of_a_system_it_is_told_what_no_other_has(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "gw:mail"]) == 0
    lines = said(capsys).splitlines()
    assert lines[1].endswith("in no other system")
    assert lines[3].split() == ["size", "alone", "part"]
    rows = {line.split()[-2]: line.split()[:4] for line in lines[4:] if "2-1" in line}
    assert rows["tool"][2:] == ["0", "B"]
    assert rows["server"][:2] == rows["server"][2:]
    assert main([*words, "gw:default"]) == 0
    assert "server" not in said(capsys)


def test_a_program_reads_sizes_that_add_up(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 0
    document = json.loads(said(capsys))
    listed = sum(part["size_bytes"] for part in document["parts"])
    assert listed == document["contents_size_bytes"]
    with ChrootStore(tmp_path / "store") as store:
        pin = Pins(store.root, "test", "gw").find("latest")
        whole = Measured(store).generation(pin.path).size.total_bytes
    assert document["installed_size_bytes"] == whole
    assert {part["kind"] for part in document["parts"]} >= {"package", "kernel", "generated"}


def test_pictures_are_written_and_the_same_each_time(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("a.svg", "a.html", "b.svg", "b.html")]
    for svg, html in ((files[0], files[1]), (files[2], files[3])):
        assert main([*words, "gw", "--svg", str(svg), "--html", str(html)]) == 0
    first, page, *again = (file.read_bytes() for file in files)
    assert again == [first, page]
    assert first in page, "the page has the picture in it"
    for label in (b"all systems: ", b"mail: ", b"names: ", b"boot: "):
        assert label in first


def test_no_circumstance_shows_in_a_page(words: list[str], tmp_path: Path) -> None:
    pages = set()
    for seed in ("1", "4711"):
        in_other_circumstances(*words, "--html", str(tmp_path / seed), seed=seed)
        pages.add((tmp_path / seed).read_bytes())
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("asked", "fact"),
    [
        (["gw:none"], "there is no system 'none'"),
        (["none"], "there is no host 'none'"),
        (["gw", "--generation", "7"], "gw has no generation '7'; there are: 1"),
        (["gw", "--svg", "/nowhere/x.svg"], "No such file or directory"),
    ],
)
def test_what_cannot_be_shown_is_an_error(
    words: list[str], asked: list[str], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *asked]) != 0
    assert fact in capsys.readouterr().err


def test_before_a_build_there_is_nothing_to_measure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "p")
    assert main(["--project", str(project), "--store", str(tmp_path / "s"), "size", "gw"]) == 2
    assert "build one: reconix build gw" in capsys.readouterr().err
