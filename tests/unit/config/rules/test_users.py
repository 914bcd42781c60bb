"""Users between the systems of a host."""

from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ("users.ann.uid = 1500", "users.ann.uid = 1501", "is 1501 in two"),
        ("users.ann.uid = 1500", "users.bob.uid = 1500", "in one ann has UID 1500"),
        ("users.ann.uid = 1500", "users.ann.uid = 1500", ""),
        ("users.ann.uid = 1500", "users.ann = {}", ""),
    ],
)
def test_a_user_has_one_number_on_all_systems(
    tmp_path: Path, one: str, two: str, told: str
) -> None:
    write(tmp_path, one=one, two=two)
    if told:
        (problem,) = mistakes(tmp_path)
        assert told in problem.fact
        assert problem.place.file.name == "two.toml"
    else:
        load(tmp_path)
