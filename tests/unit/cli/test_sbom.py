"""The words of ``reconix sbom``."""

import json
from pathlib import Path

import pytest
from tests.installed_packages import COPYRIGHT, install, make_project
from tests.projects import in_other_circumstances

from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    make_project(tmp_path / "p")
    return ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "sbom"]


def build(tmp_path: Path) -> None:
    with ChrootStore(tmp_path / "store") as store:
        install(store)


def test_a_bill_is_printed_or_written_the_same_each_time(
    words: list[str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    build(tmp_path)
    assert main(words) == 0
    printed = capsysbinary.readouterr().out
    file = tmp_path / "bill.json"
    assert main([*words, "gw", "--output", str(file)]) == 0
    assert file.read_bytes() == printed
    assert json.loads(printed)["metadata"]["component"]["name"] == "gw"


def test_words_of_others_are_spelt_out(
    words: list[str], capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    licence = "a\x9b\u202eb"
    written = COPYRIGHT.replace("own words", licence)
    monkeypatch.setattr("tests.installed_packages.COPYRIGHT", written)
    build(Path(words[3]).parent)
    assert main([*words, "gw"]) == 0
    printed = capsysbinary.readouterr().out.decode()
    assert "\\u009b\\u202e" in printed
    assert "\u202e" not in printed and "\x9b" not in printed
    parts = json.loads(printed)["components"]
    named = [each for part in parts for each in part.get("licenses", [])]
    assert {"license": {"name": licence}} in named


def test_no_circumstance_shows_in_a_bill(words: list[str], tmp_path: Path) -> None:
    build(tmp_path)
    made = {
        in_other_circumstances(*words, "--format", each, seed=seed)
        for each in ("cyclonedx", "spdx")
        for seed in ("1", "4711")
    }
    assert len(made) == 2


def test_the_other_format_and_one_system_can_be_asked_for(
    words: list[str], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    build(tmp_path)
    assert main([*words, "gw:default", "--format", "spdx"]) == 0
    document = json.loads(capsysbinary.readouterr().out)
    assert (document["spdxVersion"], document["name"]) == ("SPDX-2.3", "gw:default")
    assert "server" not in [each["name"] for each in document["packages"]]


@pytest.mark.parametrize(
    ("asked", "fact"),
    [
        (["gw:none"], "gw has no system 'none'"),
        (["none"], "there is no host 'none'"),
        (["gw"], "gw:default has not been built"),
        (["gw:mail"], "gw:mail has not been built"),
    ],
)
def test_what_cannot_be_told_is_an_error(
    words: list[str],
    tmp_path: Path,
    asked: list[str],
    fact: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*words, *asked]) == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
    ChrootStore(tmp_path / "store").close()
    assert main([*words, *asked]) == 2
