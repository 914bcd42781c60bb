"""An update of one module of a program in Python costs little more than what is new in it."""

import argparse
import sys
from pathlib import Path

import zstandard
from tests.unit.transfer.conftest import Workshop
from tests.wheels import make_wheel

from reconix.base.digests import Digest
from reconix.build.software.python import bytecode
from reconix.build.software.python.environment import Site, make_environments
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.lock.wheels import PythonLock
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import Kernel, System
from reconix.config.schema.values import FilePattern
from reconix.store.paths import StorePath
from reconix.store.tree import Folder

HERE = (sys.executable, "-I", "-S", "-B", "-W", "ignore")
MODULE = Path(argparse.__file__).read_text()
"""Some 100 kB, as a large module of a program."""
NEW = """
def newest(state: dict[str, int]) -> int:
    '''Give what is newest.'''
    return max(state.values(), default=0) + 1

"""
VERSIONS = {"python3": "3.13.5-1", "libc6": "2.41-12"}


def generation(workshop: Workshop, module: str) -> StorePath:
    """One with an environment that has the module."""
    files = {"air/__init__.py": "", "air/main.py": module}
    wheel = make_wheel(workshop.place / "dist", files=files, scripts={"air": "air.main:run"})
    packages = tuple(
        LockedPackage(n, v, "amd64", 1, Digest.of(b""), "debian", "a.deb", "20260912T075541Z")
        for n, v in VERSIONS.items()
    )
    locked = {"air": PythonLock(Digest.of(b""))}
    site = Site(
        workshop.store,
        lambda wheels, target: {},
        workshop.store.add_files(Folder(), "root"),
        SystemLock((), packages, "linux", (), locked),
        "amd64",
        lambda *_: lambda archive: bytecode.compile_with(HERE, archive),
    )
    python = {"air": PythonEnvironment(wheels=(FilePattern(wheel),))}
    made = make_environments(site, System(kernel=Kernel(package="linux"), python=python))["air"]
    return workshop.generation_over({"air": made.path}, {"air": made.sidecar})


def test_a_new_function_is_a_small_stream(workshop: Workshop) -> None:
    at = MODULE.index("\nclass ", len(MODULE) // 2)
    changed = MODULE[:at] + NEW + MODULE[at:]
    base, target = generation(workshop, MODULE), generation(workshop, changed)
    stream = workshop.stream(base, target)
    packed = len(zstandard.compress(changed.encode(), 19))
    print(f"{len(stream)} bytes for a change of a module of {packed} bytes when packed")
    assert len(stream) < 4096
    registry = workshop.device(base)
    workshop.receive(stream, registry)
    workshop.expect_complete(registry, target)


def test_a_module_that_is_new_from_end_to_end_costs_its_compiled_form_too(
    workshop: Workshop,
) -> None:
    """The price of programs that start fast: up to twice what the source costs."""
    base, target = generation(workshop, "X = 1\n"), generation(workshop, MODULE)
    packed = len(zstandard.compress(MODULE.encode(), 19))
    assert len(workshop.stream(base, target)) < 3 * packed + 4096
