from collections.abc import Callable

import pytest
from tests.project_files import ROOT

from reconix.build.software.python import lock_files
from reconix.build.software.python.wanted import BadEnvironment, Question

Ask = Callable[..., Question]
DATA = ROOT / "tests" / "data" / "python"
OWN = frozenset({"air"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("locked.toml", (DATA / "pylock.uv.toml").read_text()),
        ("locked.lock", (DATA / "uv.lock").read_text()),
        ("locked.txt", f"tzdata==1 --hash=sha256:{'0' * 64}\n"),
        ("requirements.in", f"tzdata==1 --hash=sha256:{'0' * 64}\n"),
    ],
)
def test_a_format_is_recognised_whatever_its_file_is_called(
    question: Ask, name: str, content: str
) -> None:
    assert lock_files.read(question(name, content, own=OWN))[-1].name == "tzdata"


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("poetry.lock", "", "poetry.lock is not read"),
        ("Pipfile.lock", "{}", "Pipfile.lock is not read"),
        ("pyproject.toml", "[project]\n", "neither a pylock.toml nor a uv.lock"),
        ("pylock.toml", "x = ", "it is not TOML"),
    ],
)
def test_another_format_is_told(question: Ask, name: str, content: str, fact: str) -> None:
    with pytest.raises(BadEnvironment, match=fact):
        lock_files.read(question(name, content))


def test_what_is_no_text_is_told(question: Ask) -> None:
    asked = question("uv.lock", "")
    asked.file.write_bytes(b"\xff")
    with pytest.raises(BadEnvironment, match="not text in UTF-8"):
        lock_files.read(asked)
