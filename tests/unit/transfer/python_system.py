"""A system with the Python that runs the tests, and modules with their compiled forms."""

import encodings
import os
import py_compile
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reconix.base.process import run
from reconix.build.agent import zipapp
from reconix.build.root import normalise
from reconix.store.tree import File, Folder, Symlink, folder
from reconix.transfer.format.stream import AGENT

PROGRAM = Path(sys.executable).resolve()
PACKAGES = "usr/lib/python3/dist-packages"
TAG = sys.implementation.cache_tag


def python() -> dict[str, File | Symlink]:
    """The program with all that it loads to compile a module, as Debian has it."""
    name = f"python3.{sys.version_info.minor}"
    found: dict[str, File | Symlink] = {
        f"usr/bin/{name}": File(PROGRAM.read_bytes(), executable=True),
        "usr/bin/python3": Symlink(name),
        "usr/lib/systemd/systemd": File(b"the system\n" * 9, executable=True),
    }
    for library in re.findall(r"(/\S+) \(0x", run("ldd", PROGRAM).decode()):
        place = f"usr/lib/{os.uname().machine}-linux-gnu"
        content = Path(library).read_bytes()
        found[f"{place}/{Path(library).name}"] = File(content, executable=True)
    home = Path(encodings.__file__).parent
    for path in (*home.glob("*.py"), *home.glob("__pycache__/*.pyc")):
        content = normalise.content(path.name, path.read_bytes())
        found[f"usr/lib/{name}/encodings/{path.relative_to(home)}"] = File(content)
    return found


def packages(modules: Mapping[str, bytes]) -> dict[str, File | Symlink]:
    """Modules by path below those of packages, each with its compiled form beside it."""
    found: dict[str, File | Symlink] = {}
    for name, source in modules.items():
        place = Path(PACKAGES, name)
        beside = place.parent / "__pycache__" / f"{place.stem}.{TAG}.pyc"
        found |= {str(place): File(source), str(beside): File(compiled(f"/{place}", source))}
    return found


def compiled(name: str, source: bytes) -> bytes:
    """As the package manager compiles a module, and as it is in a root that was normalised."""
    with tempfile.TemporaryDirectory() as place:
        module = Path(place, "module.py")
        module.write_bytes(source)
        made = py_compile.compile(str(module), cfile=f"{place}/module.pyc", dfile=name)
        return normalise.content("module.pyc", Path(made or module).read_bytes())


def system(files: Mapping[str, File | Symlink], *, agent: bytes | None = None) -> Folder:
    """A root with an agent, that of today if no other is given."""
    program = zipapp.pack() if agent is None else agent
    return folder({**files, f"etc/{AGENT}": File(program)})
