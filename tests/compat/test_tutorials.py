"""What the tutorials say can be typed, and is answered as they say."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.project_files import ROOT, enough

from reconix.base.process import run

TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.M | re.S)
END = "== the end of block "


def blocks(tutorial: Path) -> list[tuple[str, str]]:
    """What is typed (``sh``) and what is then said (``text``), in their order."""
    return enough(BLOCK.findall(tutorial.read_text()), at_least=5, what="blocks")


@pytest.mark.archive
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_says(
    tutorial: Path, tmp_path: Path, need: Callable[..., None]
) -> None:
    need("bash", "apt-get", "dpkg-deb", "apt-ftparchive", "gpg", "ssh-keygen")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    typed = [text + f"echo '{END}'\n" for kind, text in blocks(tutorial) if kind == "sh"]
    said = run("bash", "-euc", "".join(typed), folder=tmp_path, environment={"PATH": path})
    answers = iter(said.decode().split(END))
    answer = ""
    for kind, text in blocks(tutorial):
        if kind == "sh":
            answer = next(answers)
        else:
            missing = [line for line in text.splitlines() if line not in answer]
            assert not missing, f"{tutorial.name}: {missing} was not said, but {answer}"
