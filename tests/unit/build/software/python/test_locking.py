from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.config_projects import write
from tests.wheel_index import WheelIndex, wheel_index
from tests.wheels import make_wheel

from reconix.base.digests import Digest
from reconix.build.archive.fetch import WrongContent
from reconix.build.software.python.index import Index
from reconix.build.software.python.locking import (
    digest_of_question,
    lock_environments,
    wheel_files,
)
from reconix.build.software.python.target import NoPython, Target
from reconix.build.software.python.wanted import BadEnvironment
from reconix.config.load import load
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.values import FilePattern

VERSIONS = {"python3": "3.13.5-1", "python3.13-minimal": "3.13.5-2", "libc6": "2.41-12"}


def locked(**versions: str) -> Lock:
    packages = tuple(
        LockedPackage(
            name.replace("_", "-"),
            version,
            "amd64",
            1,
            Digest.of(b""),
            "debian",
            "pool/a.deb",
            "20260912T075541Z",
        )
        for name, version in (versions or VERSIONS).items()
    )
    system = SystemLock(("python3",), packages, "linux-image-cloud-amd64", ())
    return Lock({"gw": HostLock("amd64", ("trixie",), ("main",), (), (), {"default": system})})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:
    with wheel_index(monkeypatch) as index:
        yield index


class Project:
    """A project with one environment, and a folder of wheels."""

    def __init__(self, folder: Path, server: WheelIndex) -> None:
        self.folder, self.server = folder, server
        self.index = Index(folder / "cache")

    def requires(self, *names: str) -> str:
        """Requirements of wheels that the index then has."""
        lines = []
        for name in names:
            digest = self.server.add(name, make_wheel(self.folder / "index", name))
            lines.append(f"{name}==1.4 --hash=sha256:{digest.hex()}\n")
        return "".join(lines)

    def lock(self, text: str, requirements: str = "", lock: Lock | None = None) -> PythonLock:
        """What is locked for ``[python.air]`` with this text."""
        if not (self.folder / "hosts").exists():
            write(self.folder, default=f'packages = ["python3"]\n[python.air]\n{text}\n')
        (self.folder / "requirements.txt").write_text(requirements)
        found = lock_environments(load(self.folder), lock or locked(), self.index)
        return found.hosts["gw"].systems["default"].python["air"]


@pytest.fixture
def project(tmp_path: Path, server: WheelIndex) -> Project:
    return Project(tmp_path, server)


OF_INDEX = 'lock = "../../../requirements.txt"'
OWN = f'{OF_INDEX}\nwheels = ["../../../dist/*.whl"]'
TARGET = Target((3, 13), "3.13.5", 41, "x86_64")


def test_what_the_lock_file_pins_is_fetched_and_recorded(project: Project) -> None:
    found = project.lock(OF_INDEX, project.requires("six", "idna"))
    assert [(each.name, each.version, each.origin) for each in found.wheels] == [
        ("idna", "1.4", INDEX),
        ("six", "1.4", INDEX),
    ]
    assert found.asked == digest_of_question(
        PythonEnvironment(lock=project.folder / "requirements.txt")
    )
    files = wheel_files(found.wheels, TARGET, project.index, project.folder)
    assert {Digest.of_file(path) for path in files.values()} == {
        each.sha256 for each in found.wheels
    }


def test_wheels_of_the_project_are_looked_at_and_not_recorded(project: Project) -> None:
    make_wheel(project.folder / "dist", requires=["six"])
    requirements = project.requires("six", "air")
    found = project.lock(OWN, requirements)
    assert [each.name for each in found.wheels] == ["six"]
    assert not [path for path in project.server.asked if "air" in path]


def test_what_is_missing_is_told_when_it_is_locked(project: Project) -> None:
    make_wheel(project.folder / "dist", requires=["six", "idna>=2"])
    with pytest.raises(BadEnvironment, match="2 errors") as failure:
        project.lock(OWN, project.requires("idna"))
    facts = [problem.fact for problem in failure.value.problems]
    assert facts == [
        "air 1.4 needs idna>=2, but there is 1.4",
        "air 1.4 needs six, which is not in the environment",
    ]


def test_what_a_wheel_of_the_index_lacks_is_told_by_its_name(project: Project) -> None:
    path = make_wheel(project.folder / "index", "b", requires=["c"])
    digest = project.server.add("b", path)
    with pytest.raises(BadEnvironment) as failure:
        project.lock(OF_INDEX, f"b==1.4 --hash=sha256:{digest.hex()}\n")
    (problem,) = failure.value.problems
    assert (str(problem.place), problem.fact[:13]) == (path.name, "b 1.4 needs c")


def test_an_environment_may_consist_of_own_wheels_alone(project: Project) -> None:
    make_wheel(project.folder / "dist")
    assert project.lock('wheels = ["../../../dist/*.whl"]').wheels == ()


def test_a_wheel_that_the_lock_file_finds_in_the_project_is_pinned(project: Project) -> None:
    path = make_wheel(project.folder / "vendor", "b")
    entry = (
        f'{{ path = "vendor/{path.name}", hashes = {{ sha256 = "{Digest.of_file(path).hex()}" }} }}'
    )
    (project.folder / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n'
        f'[[packages]]\nname = "b"\nversion = "1.4"\nwheels = [{entry}]\n'
    )
    (wheel,) = project.lock('lock = "../../../pylock.toml"').wheels
    assert wheel.origin == f"vendor/{path.name}"
    assert wheel_files([wheel], TARGET, project.index, project.folder) == {wheel: path}
    path.write_bytes(b"changed")
    with pytest.raises(WrongContent, match="is not the file that was locked"):
        wheel_files([wheel], TARGET, project.index, project.folder)
    with pytest.raises(BadEnvironment, match="not the hash that is pinned"):
        project.lock("")
    path.unlink()
    with pytest.raises(BadEnvironment, match="no such file"):
        project.lock("")


def test_a_system_without_python_is_told(project: Project) -> None:
    with pytest.raises(NoPython):
        project.lock(OF_INDEX, lock=locked(libc6="2.41-1"))


def test_a_missing_wheel_is_fetched_again_when_it_is_built(project: Project) -> None:
    found = project.lock(OF_INDEX, project.requires("six"))
    elsewhere = Index(project.folder / "another cache")
    (path,) = wheel_files(found.wheels, TARGET, elsewhere, project.folder).values()
    assert Digest.of_file(path) == found.wheels[0].sha256
    assert path.is_relative_to(elsewhere.cache)


@pytest.mark.parametrize(
    "other",
    [
        PythonEnvironment(lock=Path(__file__), extras=("plot",)),
        PythonEnvironment(lock=Path(__file__), groups=("plot",)),
        PythonEnvironment(lock=Path(make_wheel.__code__.co_filename)),
        PythonEnvironment(),
    ],
)
def test_what_is_asked_is_told_from_anything_else(other: PythonEnvironment) -> None:
    asked = PythonEnvironment(lock=Path(__file__))
    assert digest_of_question(asked) != digest_of_question(other)
    own = PythonEnvironment(lock=Path(__file__), wheels=(FilePattern("x"),), path="/opt/x")
    assert digest_of_question(asked) == digest_of_question(own), "no question to an index"
