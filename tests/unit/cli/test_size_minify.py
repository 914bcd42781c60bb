"""The words of ``reconix size --minify``."""

import json
from pathlib import Path

import pytest
from tests.installed_packages import ASKED, add_generation, install, make_project

from reconix.build.minify.plan import Wanted
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    make_project(tmp_path / "p")
    with ChrootStore(tmp_path / "store") as store:
        install(store)
        minify = {"mail": Wanted(packages=ASKED)}
        Pins(store.root, "test", "gw").add(add_generation(store, minify=minify))
    places = ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store")]
    return [*places, "size", "--minify"]


def test_rules_come_first_then_packages(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "gw"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("gw, generation 1, minified: ")
    assert lines[1:3] == ["not minified: default", ""]
    assert lines[3].split() == ["taken", "files", "rule"]
    assert any("documents: documents are read at a desk" in line for line in lines)
    assert ["before", "after", "package"] in [line.split() for line in lines]
    assert lines[-1].endswith(("server", "tool", "base", "library", "shell", "post", "dpkg"))


def test_a_program_reads_the_same_and_it_adds_up(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "gw:mail", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["system"], said["systems"]) == ("mail", ["mail"])
    taken = sum(rule["size_bytes"] for rule in said["rules"])
    assert said["before_bytes"] - taken + said["made_bytes"] == said["after_bytes"]
    assert {rule["name"]: rule["because"] for rule in said["rules"]}["nothing reaches it"] is None


def test_a_picture_has_rules_and_what_stays(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("a.html", "b.html")]
    for file in files:
        assert main([*words, "gw", "--html", str(file)]) == 0
    page, again = (file.read_text() for file in files)
    assert page == again
    for told in ("stays: ", "documents: ", "tool: ", ", went: documents"):
        assert told in page


def test_what_is_not_minified_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "gw:default"]) == 2
    assert "gw:default is not minified" in capsys.readouterr().err
