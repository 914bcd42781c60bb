"""`reconix diff` tells what minify does differently."""

import json
from pathlib import Path

import pytest
from tests.installed_packages import add_generation, install, make_project

from reconix.build.minify.plan import Wanted
from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A project whose second generation has other programs of a minified system."""
    make_project(tmp_path / "p")
    with ChrootStore(tmp_path / "store") as store:
        install(store)
        for package in ("tool", "server"):
            made = add_generation(store, minify={"mail": Wanted(packages=(package,))})
            Pins(store.root, "test", "gw").add(made)
    return ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "diff", "1", "2"]


def test_generations_are_compared_rule_by_rule(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "minify" in line]
    assert len(lines) == 2
    assert lines[0].startswith("system mail: minify puts back ")
    assert ", nothing reaches it (/" in lines[0]
    assert lines[1].startswith("system mail: minify takes ")


def test_a_program_reads_every_path(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 0
    back, taken = json.loads(capsys.readouterr().out)["minify"]["mail"]
    assert (back["change"], taken["change"]) == ("back", "taken")
    assert "usr/sbin/server" in back["paths"]
    assert "usr/bin/tool" in taken["paths"]
