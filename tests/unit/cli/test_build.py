"""The words of ``reconix build``."""

import pytest

from reconix.cli.main import main


@pytest.mark.parametrize("word", ["ann", "=5", "ann=", "ann=x", "ann=-1", "ann=99", "ann=60000"])
def test_a_number_must_be_one_that_can_be_given(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--number", word]) == 2
    assert "--number" in capsys.readouterr().err
