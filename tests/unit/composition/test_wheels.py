"""The wheels of a system."""

from pathlib import Path

from tests.wheels import make_wheel

from reconix.base.digests import Digest
from reconix.composition.wheels import InstalledWheel, wheels
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FilePattern


def locked(name: str, origin: str = "index") -> LockedWheel:
    digest = Digest.of(name.encode())
    return LockedWheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", 9, digest, origin)


def found(*listed: LockedWheel, own: tuple[Path, ...] = ()) -> list[InstalledWheel]:
    lock = PythonLock(Digest.of(b""), listed)
    environment = PythonEnvironment(wheels=tuple(map(FilePattern, own)))
    system = System(
        kernel=Kernel(package="linux"), python={"air": environment, "empty": environment}
    )
    return [
        each
        for each in wheels(system, SystemLock((), (), "linux", (), {"air": lock}))
        if each.environment == "air"
    ]


def test_wheels_are_those_of_the_lock_and_of_the_project(tmp_path: Path) -> None:
    own = make_wheel(tmp_path, "air")
    assert [
        (each.name, each.version, each.is_own) for each in found(locked("six"), own=(own,))
    ] == [
        ("air", "1.4", True),
        ("six", "1.0", False),
    ]
    (first, _) = found(locked("six"), own=(own,))
    assert (first.sha256, first.file_name) == (Digest.of_file(own), own.name)


def test_a_wheel_of_the_project_takes_the_place_of_a_locked_one(tmp_path: Path) -> None:
    own = make_wheel(tmp_path, "six")
    assert [(each.name, each.is_own) for each in found(locked("six"), own=(own,))] == [
        ("six", True)
    ]


def test_a_locked_wheel_may_be_a_file_of_the_project() -> None:
    assert [each.is_own for each in found(locked("a", "dist/a-1.0-py3-none-any.whl"))] == [True]
