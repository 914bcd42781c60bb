from pathlib import Path

import pytest

from reconix.config.load import load
from reconix.config.problems import BadConfiguration, Problem


def mistakes(folder: Path, pattern: str) -> tuple[Problem, ...]:
    project = folder / "project"
    (project / "hosts/gw/systems").mkdir(parents=True)
    (project / "reconix.toml").write_text('name = "test"\n')
    (project / "hosts/gw/machine.toml").write_text(
        f'kernel.package = "linux-image-amd64"\ndebs = ["{pattern}"]\n'
    )
    (project / "hosts/gw/systems/default.toml").touch()
    try:
        load(project)
    except BadConfiguration as error:
        return error.problems
    return ()


@pytest.mark.parametrize(
    ("file", "fact"),
    [
        ("elsewhere/air.deb", "is outside of the project"),
        ("project/dist/air.txt", "does not end in .deb"),
        ("project/dist/air 1.deb", "has a name that no lock can hold"),
        ("project/dist/lüfter.deb", "has a name that no lock can hold"),
    ],
)
def test_what_cannot_be_locked_is_told(tmp_path: Path, file: str, fact: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    (problem,) = mistakes(tmp_path, f"../../../{Path(file).parent}/*")
    assert problem.fact == f"{tmp_path / file} {fact}"
    assert (problem.place.file.name, problem.place.line, problem.key) == ("machine.toml", 2, "debs")


def test_a_file_of_the_project_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / "project/dist").mkdir(parents=True)
    (tmp_path / "project/dist/air_1.4+b1~rc_all.deb").touch()
    assert mistakes(tmp_path, "../../dist/*.deb") == ()
