"""How long it takes to make a Python environment, and how much an update of one module is.

Takes numpy, pandas and what they need (about 100 MB unpacked) as wheels for the Python that runs
this, fetched once by pip, and a small program of its own. Measured is processor time, of programs
that are started, too; the modules are compiled by this Python in place of that of a root.

1. make the environment in an empty store, from the cache of downloads
2. make it again, unchanged
3. make it with another version of one module of the program

    python bench/python_environment.py [FOLDER]
"""

import base64
import hashlib
import os
import platform
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.process import run
from reconix.build.software.placed import Bound
from reconix.build.software.python import bytecode
from reconix.build.software.python.environment import Site, make_environments
from reconix.build.software.python.target import Target
from reconix.build.software.python.wheel import Wheel
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import INDEX, LockedWheel, PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FilePattern
from reconix.nix.chroot import ChrootStore
from reconix.store.tree import Folder

CACHE = Path.home() / ".cache/reconix/bench-python"
WANTED = ("numpy", "pandas")
BARS = {"make it from the cache": 15.0, "make it again, unchanged": 1.0, "one changed module": 3.0}
HERE = (sys.executable, "-I", "-S", "-B", "-W", "ignore")
MODULES = 40


def wheels() -> list[Path]:
    """What is measured, fetched if it is not there."""
    if not [*CACHE.glob("*.whl")]:
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ("-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={CACHE}")
        run(sys.executable, *words, *WANTED)
    return sorted(CACHE.glob("*.whl"))


def program(folder: Path, number: int) -> Path:
    """A wheel of a program; one of its modules differs from number to number."""
    modules = {f"air/m{each}.py": _module(each) for each in range(MODULES)}
    modules["air/m7.py"] += f"\n\ndef newest() -> int:\n    return {number}\n"
    about = "air-1.4.dist-info"
    files = {
        **modules,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: air\nVersion: 1.4\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_record(text)},{len(text)}" for name, text in files.items()]
    path = folder / str(number) / "air-1.4-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {
            **files,
            f"{about}/RECORD": "\n".join([*rows, f"{about}/RECORD,,"]),
        }.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return path


def _module(number: int) -> str:
    functions = (
        f"def step_{number}_{each}(state: dict[str, int]) -> int:\n"
        f'    """Give what is known after step {each}."""\n'
        f"    return state.get('{number * each}', 0) + {each}\n\n\n"
        for each in range(30)
    )
    return "".join(functions)


def _record(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def maker(store: ChrootStore, found: Iterable[Path]) -> Callable[[Path], Bound]:
    """Makes the environment with a wheel of the program."""
    major, minor = sys.version_info[:2]
    versions = {
        "python3": f"{major}.{minor}",
        "libc6": (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2],
    }
    packages = tuple(
        LockedPackage(n, v, "amd64", 1, Digest.of(b""), "debian", "a.deb", "20260912T075541Z")
        for n, v in versions.items()
    )
    files = {_locked(path): path for path in found}

    def fetch(wanted: Iterable[LockedWheel], _: Target) -> Mapping[LockedWheel, Path]:
        return {wheel: files[wheel] for wheel in wanted}

    locked = {"air": PythonLock(Digest.of(b""), tuple(sorted(files)))}
    pinned = SystemLock(("python3",), packages, "linux", (), locked)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    root = store.add_files(Folder(), "root")
    site = Site(
        store,
        fetch,
        root,
        pinned,
        architecture,
        lambda *_: lambda archive: bytecode.compile_with(HERE, archive),
    )

    def make(own: Path) -> Bound:
        wanted = PythonEnvironment(wheels=(FilePattern(own),))
        system = System(kernel=Kernel(package="linux"), python={"air": wanted})
        return make_environments(site, system)["air"]

    return make


def _locked(path: Path) -> LockedWheel:
    wheel = Wheel.read(path)
    size, digest = path.stat().st_size, Digest.of_file(path)
    return LockedWheel(wheel.name, str(wheel.version), path.name, size, digest, INDEX)


def processor_seconds() -> float:
    """Of this process and of all that it has started."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(each) for each in who]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> int:
    """Print the table; how many bars are missed."""
    parent = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    missed = 0
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        with ChrootStore(folder / "store") as store:
            make = maker(store, wheels())
            one, other = program(folder, 1), program(folder, 2)
            for (what, bar), own in zip(BARS.items(), (one, one, other), strict=True):
                began, used = time.perf_counter(), processor_seconds()
                bound = make(own)
                seconds = processor_seconds() - used
                missed += seconds > bar
                verdict = "met" if seconds <= bar else "MISSED"
                times = f"{seconds:6.2f} s of CPU, {time.perf_counter() - began:6.2f} s"
                print(f"{what:<28} {times}  (bar {bar:4.1f} s) {verdict}")
            tree = store.path(bound.path)
            sizes = [path.stat().st_size for path in tree.rglob("*") if path.is_file()]
            print(f"{len(sizes)} files, {sum(sizes) >> 20} MiB")
    return missed


if __name__ == "__main__":
    sys.exit(main())
