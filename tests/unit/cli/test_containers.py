"""The words of ``reconix containers``, and of commands that know containers."""

import json
from pathlib import Path

import pytest
from tests.containers_of_devices import BROKER, containers_with_files
from tests.installed_packages import add_generation, install, make_project

from reconix.build.pins import Pins
from reconix.cli.main import main
from reconix.nix.chroot import ChrootStore

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    make_project(tmp_path / "p")
    with ChrootStore(tmp_path / "store") as store:
        install(store)
        made = containers_with_files(store)
        Pins(store.root, "test", "gw").add(add_generation(store, {"mail": made}))
    return ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "containers"]


def test_containers_are_listed_with_what_they_take(words: list[str], capsys: Capture) -> None:
    assert main([*words, "gw"]) == 0
    header, broker, logger = capsys.readouterr().out.splitlines()
    assert header.split() == ["size", "alone", "shared", "container", "digest", "made", "of"]
    assert broker.split() == [
        *("8.8", "KiB", "2.0", "KiB", "6.8", "KiB", "mail:broker"),
        str(BROKER.digest)[: len("sha256:") + 12],
        BROKER.image,
    ]
    assert logger.split()[-3:] == ["mail:logger", "-", "python3-flask"]


def test_of_a_system_only_its_own_are_listed(words: list[str], capsys: Capture) -> None:
    assert main([*words, "gw:mail"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main([*words, "gw:default"]) == 0
    assert capsys.readouterr().out == "there are no containers\n"
    assert main([*words, "gw:web"]) == 2
    assert "there are: default, mail" in capsys.readouterr().err


def test_a_program_gets_numbers(words: list[str], capsys: Capture) -> None:
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["host"], document["number"]) == ("gw", 1)
    broker, _ = document["containers"]
    assert broker == {
        "system": "mail",
        "name": "broker",
        "image": BROKER.image,
        "digest": str(BROKER.digest),
        "packages": [],
        "network": "private",
        "size_bytes": 9000,
        "alone_bytes": 2000,
        "shared_bytes": 7000,
    }


def test_before_a_build_there_is_nothing_to_list(tmp_path: Path, capsys: Capture) -> None:
    make_project(tmp_path / "p")
    words = ["--project", str(tmp_path / "p"), "--store", str(tmp_path / "store"), "containers"]
    assert main(words) != 0
    assert "error:" in capsys.readouterr().err
