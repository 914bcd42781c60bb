"""A missing program names its package."""

import json

import pytest

from reconix.base.errors import ReconixError, UsageError
from reconix.base.process import ProgramMissing
from reconix.cli import commands, install_hints
from reconix.cli.main import main


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ProgramMissing("no-such-program"), "apt install no-such-program"),
        (ProgramMissing("qemu-img"), "apt install qemu-utils"),
        (ProgramMissing("sops"), "get sops from its makers"),
        (UsageError("x", hint="do y"), "do y"),
        (ReconixError("x"), ""),
    ],
    ids=["of its name", "of another name", "not in Debian", "own hint", "none"],
)
def test_a_missing_program_names_its_package(error: ReconixError, hint: str) -> None:
    assert install_hints.hint(error) == hint


def test_the_package_is_shown_in_text_and_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_name: str) -> None:
        raise ProgramMissing("e2fsck")

    monkeypatch.setattr(commands, "load", missing)
    assert main(["show"]) == ProgramMissing.exit_code
    assert "hint: apt install e2fsprogs\n" in capsys.readouterr().err
    assert main(["show", "--json"]) == ProgramMissing.exit_code
    assert json.loads(capsys.readouterr().out)["error"]["hint"] == "apt install e2fsprogs"
