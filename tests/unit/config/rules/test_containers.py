"""One test for each rule about containers; each names the line."""

from pathlib import Path

import pytest
from tests.unit.config.rules.test_assertions import mistakes

IMAGE = 'image = "registry.example.com/apps/broker:2"\n'

WRONG = {
    f'[containers.a]\n{IMAGE}packages = ["nginx"]\n': (
        "containers.a.packages",
        "has an image and packages",
        3,
    ),
    "[containers.a]\nread_only = true\n": ("containers.a", "has neither image nor packages", 1),
    '[containers.a]\nimage = "nginx:1.27"\n': (
        "containers.a.image",
        "it does not begin with the host of a registry",
        2,
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_container_that_cannot_be_is_told_at_its_line(tmp_path: Path, text: str) -> None:
    key, fact, line = WRONG[text]
    (problem,) = mistakes(tmp_path, system=text)
    assert problem.key == key
    assert fact in problem.fact
    assert (problem.place.file.name, problem.place.line) == ("default.toml", line)
