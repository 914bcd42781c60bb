"""The words of ``reconix build``."""

import sys

import pytest

from reconix.base.process import run
from reconix.cli.main import main


@pytest.mark.parametrize("word", ["ann", "=5", "ann=", "ann=x", "ann=-1", "ann=99", "ann=60000"])
def test_a_number_must_be_one_that_can_be_given(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--number", word]) == 2
    assert "--number" in capsys.readouterr().err


def test_a_build_without_wheels_does_not_wait_for_what_reads_them() -> None:
    """An unchanged build is mostly imports, and ``packaging`` was a tenth of them."""
    loaded = run(
        *(sys.executable, "-c", "import reconix.cli.build, sys; print(*sorted(sys.modules))"),
        environment={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert b" reconix.build.host " in loaded
    assert not {b"packaging", b"installer"} & set(loaded.split())
