"""Nix is asked to build an attribute; its answer names the path, or is refused."""

from pathlib import Path

import pytest

from reconix.base.documents import BadDocument
from reconix.base.process import CommandFailed
from reconix.nix import flake

PATH = "/nix/store/" + "1" * 32 + "-system"
OTHER = "/nix/store/" + "2" * 32 + "-system-dev"
NIX = """\
#!/bin/sh
printf '%s\\n' "$@" > '{folder}/words'
. '{folder}/does'
"""


@pytest.fixture
def nix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `nix` that writes down its words and answers what is in a file."""
    program = tmp_path / "nix"
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{tmp_path}/words'\n. '{tmp_path}/does'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def answers(nix: Path, text: str) -> None:
    (nix / "does").write_text(f"cat <<'END'\n{text}\nEND\n")


def test_an_attribute_is_built_without_a_link_and_with_what_flakes_need(nix: Path) -> None:
    answers(nix, f'[{{"drvPath": "x", "outputs": {{"dev": "{OTHER}", "out": "{PATH}"}}}}]')
    assert str(flake.build("/home/ann/my flake", "nixos.toplevel")) == PATH
    assert (nix / "words").read_text().splitlines() == [
        "--extra-experimental-features",
        "nix-command flakes",
        "build",
        "--no-link",
        "--json",
        "/home/ann/my flake#nixos.toplevel",
    ]


def test_without_an_output_named_out_the_first_is_taken(nix: Path) -> None:
    answers(nix, f'[{{"outputs": {{"dev": "{OTHER}"}}}}]')
    assert str(flake.build(".", "x")) == OTHER


@pytest.mark.parametrize("text", ["[]", "{}", "nothing", '[{"outputs": []}]'])
def test_an_answer_of_another_form_is_refused(nix: Path, text: str) -> None:
    answers(nix, text)
    with pytest.raises(BadDocument):
        flake.build(".", "x")


def test_what_cannot_be_built_is_told_with_the_words_of_nix(nix: Path) -> None:
    (nix / "does").write_text("echo 'error: attribute missing' >&2; exit 1\n")
    with pytest.raises(CommandFailed, match="attribute missing"):
        flake.build(".", "x")
