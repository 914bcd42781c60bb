from pathlib import Path

from tests.config_projects import write
from tests.wheels import make_wheel

from reconix.base.digests import Digest
from reconix.build.inspect.own_wheels import unfit
from reconix.build.software.python.locking import digest_of_question
from reconix.config.load import load_with_places
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock
from reconix.config.problems import Place, Problem

SIX = LockedWheel("six", "1.17.0", "six-1.17.0-py3-none-any.whl", 1, Digest.of(b""), INDEX)
VERSIONS = {"python3": "3.13.5-1", "python3.13-minimal": "3.13.5-2", "libc6": "2.41-12"}
PACKAGES = tuple(
    LockedPackage(
        name, version, "amd64", 1, Digest.of(b""), "debian", "pool/a.deb", "20260912T075541Z"
    )
    for name, version in VERSIONS.items()
)


def problems(folder: Path, *, asked: Digest | None = None) -> list[Problem]:
    """What is told of the wheels of a project whose lock has six."""
    text = '[python.air]\nwheels = ["../../../dist/*.whl"]\nlock = "../../../requirements.txt"\n'
    (folder / "requirements.txt").touch()
    write(folder, default=f'packages = ["python3"]\n{text}')
    loaded = load_with_places(folder)
    system = loaded.configuration.hosts["gw"].systems["default"]
    python = {"air": PythonLock(asked or digest_of_question(system.python["air"]), (SIX,))}
    locked = SystemLock(("python3",), PACKAGES, "linux", (), python)
    table = loaded.systems["gw"]["default"]
    return [*unfit(system, locked, "amd64", table, Place(folder))]


def test_a_wheel_that_has_what_it_needs_is_fine(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist", requires=["six>=1.17", "own"])
    make_wheel(tmp_path / "dist", "own")
    assert problems(tmp_path) == []


def test_what_is_not_locked_is_told_at_the_option(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist", requires=["six>=2", "numpy"])
    found = problems(tmp_path)
    assert [problem.fact for problem in found] == [
        "air 1.4 needs six>=2, but there is 1.17.0",
        "air 1.4 needs numpy, which is not in the environment",
    ]
    assert {(problem.key, problem.place.line) for problem in found} == {("python.air.wheels", 3)}


def test_a_wheel_for_another_python_and_a_file_that_is_none_are_told(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist", tag="cp312-cp312-linux_x86_64")
    (problem,) = problems(tmp_path)
    assert problem.fact.startswith("air-1.4-cp312-cp312-linux_x86_64.whl is not for Python 3.13")
    other = tmp_path / "other"
    (other / "dist").mkdir(parents=True)
    (other / "dist/air-1.4-py3-none-any.whl").touch()
    (problem,) = problems(other)
    assert "is not a good wheel" in problem.fact and problem.hint


def test_a_wheel_whose_needs_cannot_be_told_is_told(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist", requires=["six; sys_platform ~= 'linux'"])
    (problem,) = problems(tmp_path)
    assert "compares what cannot be compared" in problem.fact


def test_an_environment_that_asks_for_something_else_is_left_to_the_lock(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist", requires=["numpy"])
    assert problems(tmp_path, asked=Digest.of(b"before")) == []
