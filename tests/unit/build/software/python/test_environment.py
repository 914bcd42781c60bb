import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from tests.heard import Heard
from tests.wheels import make_wheel

from reconix.base import progress
from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.build.software.placed import Bound
from reconix.build.software.python import bytecode
from reconix.build.software.python.environment import Site, make_environments
from reconix.build.software.python.target import Target
from reconix.build.software.python.united import SameFile
from reconix.build.software.python.wanted import BadEnvironment
from reconix.build.software.python.wheel import BadWheel
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FilePattern
from reconix.nix.chroot import ChrootStore
from reconix.store.sidecar import parse_sidecar
from reconix.store.tree import Folder

HERE = (sys.executable, "-I", "-S", "-B", "-W", "ignore")
SITE = "lib/python3.13/site-packages"
VERSIONS = {"python3": "3.13.5-1", "python3.13-minimal": "3.13.5-2", "libc6": "2.41-12"}
PACKAGES = tuple(
    LockedPackage(
        name, version, "amd64", 1, Digest.of(b""), "debian", "pool/a.deb", "20260912T075541Z"
    )
    for name, version in VERSIONS.items()
)


def compile_here(archive: bytes) -> bytes:
    """The root of these tests has no Python; this machine has one."""
    return bytecode.compile_with(HERE, archive)


class Building:
    """A store, wheels, and what was asked for."""

    def __init__(self, store: ChrootStore, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.compiler: bytecode.Compile | None = compile_here
        self.root = store.add_files(Folder(), "root")
        self.locked: dict[LockedWheel, Path] = {}

    def lock(self, path: Path, name: str, version: str = "1.4") -> None:
        """Have a wheel of an index."""
        size_bytes, digest = path.stat().st_size, Digest.of_file(path)
        wheel = LockedWheel(name, version, path.name, size_bytes, digest, INDEX)
        place = self.folder / "cache" / digest.hex()
        place.parent.mkdir(exist_ok=True)
        path.rename(place)
        self.locked[wheel] = place

    def fetch(self, wheels: Iterable[LockedWheel], _: Target) -> Mapping[LockedWheel, Path]:
        return {wheel: self.locked[wheel] for wheel in wheels}

    def make(self, *own: Path, path: str | None = None, exclude: tuple[str, ...] = ()) -> Bound:
        """The environment of the wheels that were locked, and of some of the project."""
        wheels = tuple(map(FilePattern, own))
        wanted = PythonEnvironment(wheels=wheels, path=path, exclude=exclude)
        locked = PythonLock(Digest.of(b""), tuple(sorted(self.locked)))
        packages = SystemLock(("python3",), PACKAGES, "linux", (), {"air": locked})
        site = Site(self.store, self.fetch, self.root, packages, "amd64", lambda *_: self.compiler)
        system = System(kernel=Kernel(package="linux"), python={"air": wanted})
        return make_environments(site, system)["air"]

    def tree(self, bound: Bound) -> Path:
        return self.store.path(bound.path)


@pytest.fixture
def building(tmp_path: Path) -> Iterator[Building]:
    with ChrootStore(tmp_path / "store") as store:
        yield Building(store, tmp_path)


@pytest.fixture
def heard() -> Iterator[Heard]:
    listener = Heard()
    progress.listen(listener)
    yield listener
    progress.listen(progress.Silent())


def names(tree: Path) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not path.is_dir()}


def test_an_environment_is_a_virtual_one_with_all_wheels(building: Building) -> None:
    building.lock(make_wheel(building.folder, "six", tag="py2.py3-none-any"), "six")
    bound = building.make(make_wheel(building.folder, requires=["six"], scripts={"air": "air:x"}))
    tree = building.tree(bound)
    assert bound.place == "/opt/air-venv"
    assert (tree / SITE / "six/__init__.py").exists() and (tree / SITE / "air/__init__.py").exists()
    assert (tree / "bin/air").read_text().startswith("#!/opt/air-venv/bin/python3\n")
    assert str((tree / "bin/python3").readlink()) == "/usr/bin/python3"
    assert (tree / "pyvenv.cfg").read_text().splitlines() == [
        "home = /usr/bin",
        "include-system-site-packages = false",
        "version = 3.13.5",
        "executable = /usr/bin/python3",
    ]
    sidecar = parse_sidecar(building.store.path(bound.sidecar).read_bytes(), source="test")
    assert (sidecar.subject, sidecar.entries) == (bound.path, ())


def test_python_finds_its_home_and_the_packages(building: Building, tmp_path: Path) -> None:
    """A Python that is started through a link asks the file beside it."""
    tree = building.tree(building.make(make_wheel(building.folder, scripts={"air": "air:x"})))
    folder = tmp_path / "environment"
    site = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python3").symlink_to(Path(sys.base_prefix) / "bin/python3")
    home = (tree / "pyvenv.cfg").read_text().replace("/usr/bin", f"{sys.base_prefix}/bin")
    (folder / "pyvenv.cfg").write_text(home)
    site.parent.mkdir(parents=True)
    site.symlink_to(tree / SITE)
    code = (
        "import sys, air, importlib.metadata as m; "
        "print(sys.prefix, air.VERSION, m.version('air'), air.__cached__)"
    )
    said = run(folder / "bin/python3", "-c", code).decode().split()
    assert said[:3] == [str(folder), "1.4", "1.4"]


def test_the_same_wheels_give_the_same_object(building: Building, tmp_path: Path) -> None:
    one, other = (make_wheel(building.folder, name) for name in ("air", "b"))
    first = building.make(one, other)
    with ChrootStore(tmp_path / "elsewhere") as store:
        elsewhere = Building(store, building.folder)
        assert elsewhere.make(other, one) == first


def test_another_place_is_another_object(building: Building) -> None:
    path = make_wheel(building.folder, scripts={"air": "air:x"})
    assert building.make(path).path != building.make(path, path="/srv/air").path


def test_only_the_wheel_that_has_changed_is_unpacked_again(
    building: Building, heard: Heard
) -> None:
    building.lock(make_wheel(building.folder, "six"), "six")
    building.make(make_wheel(building.folder))
    assert heard.stages == {"unpack wheels": (2, 2)}
    heard.stages.clear()
    changed = make_wheel(building.folder, files={"air/__init__.py": "VERSION = 2\n"})
    tree = building.tree(building.make(changed))
    assert heard.stages == {"unpack wheels": (1, 1)}
    assert (tree / SITE / "air/__init__.py").read_text() == "VERSION = 2\n"
    heard.stages.clear()
    building.make(changed)
    assert heard.stages == {}


def test_a_wheel_of_the_project_takes_the_place_of_a_locked_one(building: Building) -> None:
    building.lock(make_wheel(building.folder, files={"air/x": "locked"}), "air")
    tree = building.tree(building.make(make_wheel(building.folder, files={"air/x": "own"})))
    assert (tree / SITE / "air/x").read_text() == "own"


def test_what_a_new_wheel_needs_is_checked_again(building: Building) -> None:
    with pytest.raises(BadEnvironment, match="needs six, which is not in the environment"):
        building.make(make_wheel(building.folder, requires=["six"]))


def test_a_file_that_is_no_wheel_is_told(building: Building) -> None:
    path = building.folder / "air-1.4-py3-none-any.whl"
    path.write_bytes(b"nothing")
    with pytest.raises(BadWheel, match="is not a good wheel: File is not a zip file"):
        building.make(path)


def test_what_is_excluded_is_not_there(building: Building) -> None:
    building.lock(make_wheel(building.folder, "one", files={"one/tests/x.py": ""}), "one")
    path = make_wheel(building.folder, scripts={"air": "air:x"})
    whole, less = building.make(path), building.make(path, exclude=("tests/", "bin/*"))
    assert f"{SITE}/one/tests/x.py" in names(building.tree(whole))
    found = names(building.tree(less))
    assert not [name for name in found if "tests" in name or name == "bin/air"]
    assert {"bin/python3", "bin/python", "pyvenv.cfg"} <= found, "what it has itself stays"


def test_wheels_that_bring_the_same_file_are_refused(building: Building) -> None:
    building.lock(make_wheel(building.folder, "one", files={"x.py": "1"}), "one")
    building.lock(make_wheel(building.folder, "two", files={"x.py": "2"}), "two")
    with pytest.raises(SameFile, match=f"one-1.4-.*whl and two-1.4-.*whl both bring {SITE}/x.py"):
        building.make()
    assert f"{SITE}/x.py" not in names(building.tree(building.make(exclude=("x.py",))))


def test_without_its_python_an_environment_is_not_compiled_and_that_is_told(
    building: Building, heard: Heard
) -> None:
    path = make_wheel(building.folder)
    compiled = building.make(path)
    with ChrootStore(building.folder / "other") as store:
        other = Building(store, building.folder)
        other.compiler = None
        plain = other.make(path)
        assert not [name for name in names(other.tree(plain)) if name.endswith(".pyc")]
        assert len(heard.notes) == 1 and "are not compiled" in heard.notes[0]
        assert plain.path != compiled.path
        other.make(path)
        assert len(heard.notes) == 2, "each time"


def test_the_python_of_no_root_compiles_nothing(tmp_path: Path) -> None:
    assert bytecode.compiler(tmp_path, Architecture.AMD64) is None


def test_modes_follow_from_what_can_be_run(building: Building) -> None:
    files = {"air/tool": "#!/bin/sh\n", "air/data": ""}
    path = make_wheel(building.folder, files=files, modes={"air/tool": 0o100700})
    tree = building.tree(building.make(path))
    modes = {
        name: (tree / SITE / "air" / name).stat().st_mode & 0o7777 for name in ("tool", "data")
    }
    assert modes == {"tool": 0o555, "data": 0o444}
