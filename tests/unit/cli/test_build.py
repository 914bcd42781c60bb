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


def test_a_build_does_not_wait_for_what_an_unchanged_one_does_not_need() -> None:
    """It is mostly imports: what reads wheels, programs, packages, streams was a third of them."""
    loaded = run(
        *(sys.executable, "-c", "import reconix.cli.build, sys; print(*sorted(sys.modules))"),
        environment={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert b" reconix.build.host " in loaded
    late = {b"packaging", b"installer", b"elftools", b"debian", b"cryptography"}
    assert not {*late, b"reconix.transfer.format.plan"} & set(loaded.split())
