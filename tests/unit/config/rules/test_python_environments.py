from pathlib import Path

import pytest
from tests.config_projects import mistakes, write

from reconix.config.load import load

PACKAGES = 'packages = ["python3"]\n'


def project(folder: Path, text: str, packages: str = PACKAGES) -> None:
    write(folder, default=f"{packages}{text}")
    (folder / "hosts/gw/systems/pylock.toml").touch()
    (folder / "hosts/gw/systems/a.whl").touch()
    (folder / "hosts/gw/systems/tree").mkdir()


def test_an_environment_is_by_default_below_opt(tmp_path: Path) -> None:
    project(tmp_path, '[python.air]\nlock = "pylock.toml"\nwheels = ["*.whl"]\n')
    system = load(tmp_path).hosts["gw"].systems["default"]
    assert system.python["air"].place("air") == "/opt/air-venv"


WRONG = {
    'path = "/opt/air"': ("python.air", "has neither lock nor wheels"),
    'wheels = ["a.whl"]\nextras = ["plot"]': ("python.air.extras", "has no effect"),
    'wheels = ["a.whl"]\ngroups = ["dev"]': ("python.air.groups", "has no effect"),
    'wheels = ["a.whl"]\npath = "/usr/lib/air"': ("python.air.path", "belongs to the system"),
    'wheels = ["a.whl"]\npath = "/opt"': ("python.air.path", "belongs to the system"),
    'wheels = ["a.whl"]\npath = "/opt/a b"': ("python.air.path", "contains white space"),
    'wheels = ["none-*.whl"]': ("python.air.wheels", "no such file"),
    'lock = "none.toml"': ("python.air.lock", "no such file"),
    'wheels = ["a.whl"]\npath = "/srv/k/air"\n[persist]\npaths = ["/srv/k"]': (
        "python.air.path",
        "/srv/k/air is inside /srv/k of persist, or around it",
    ),
    'wheels = ["a.whl"]\npath = "/srv/v"\n[volumes.v]\npath = "/srv/v/w"': (
        "python.air.path",
        "/srv/v is inside /srv/v/w of volumes.v, or around it",
    ),
    'wheels = ["a.whl"]\n[trees."/opt/air-venv"]\nsource = "tree"': (
        "python.air.path",
        'is inside /opt/air-venv of trees."/opt/air-venv", or around it',
    ),
    'wheels = ["a.whl"]\n[files."/opt/air-venv/x"]\ntext = "x"': (
        "python.air.path",
        'is inside /opt/air-venv/x of files."/opt/air-venv/x", or around it',
    ),
    'wheels = ["a.whl"]\n[python.b]\nwheels = ["a.whl"]\npath = "/opt/air-venv/b"': (
        "python.b.path",
        "is inside /opt/air-venv of python.air",
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_an_environment_that_cannot_be_is_told(tmp_path: Path, text: str) -> None:
    project(tmp_path, f"[python.air]\n{text}\n")
    (problem,) = mistakes(tmp_path)
    key, fact = WRONG[text]
    assert problem.key == key
    assert fact in problem.fact
    assert problem.place.file.name == "default.toml" and problem.place.line


def test_a_system_without_python_has_no_environment(tmp_path: Path) -> None:
    project(tmp_path, '[python.air]\nwheels = ["a.whl"]\n', packages="")
    (problem,) = mistakes(tmp_path)
    assert problem.fact == "needs the package python3"
    assert 'packages = ["python3"]' in problem.hint
