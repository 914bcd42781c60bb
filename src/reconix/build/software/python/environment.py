"""An environment as one object: what its wheels have, put together.

    lib/ bin/ …      what the wheels have (``unpack.py``)
    bin/python3      → /usr/bin/python3, the Python of the root; so are bin/python, bin/python3.13
    lib64            → lib
    pyvenv.cfg       makes it a virtual environment, and tells Python where it is at home

Each wheel is unpacked once into an object of its own, which stays in the build store. So a wheel of
the team that has changed costs what is in that wheel; the others are only put together again. On
the device there is the environment alone, bound at its path.

Source: PEP 405 (``pyvenv.cfg``). Tested by
``tests/unit/build/software/python/test_environment.py`` and, in a real root,
``tests/compat/test_build.py``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from pathlib import Path

from reconix.base import progress
from reconix.base.architecture import Architecture
from reconix.base.digests import Digest
from reconix.build import recipes
from reconix.build.recipes import Recipe
from reconix.build.software.placed import Bound
from reconix.build.software.python import bytecode, united, unpack
from reconix.build.software.python.bytecode import Compile
from reconix.build.software.python.complete import lacking
from reconix.build.software.python.own_wheels import own_extras, own_wheels
from reconix.build.software.python.target import Target
from reconix.build.software.python.united import Part
from reconix.build.software.python.wanted import BadEnvironment
from reconix.build.software.python.wheel import Wheel
from reconix.config.lock.hosts import SystemLock
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.config.patterns import Patterns
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import System
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath
from reconix.store.sidecar import Sidecar, print_sidecar
from reconix.store.tree import File, Folder, Symlink, folder

FetchWheels = Callable[[Iterable[LockedWheel], Target], Mapping[LockedWheel, Path]]
"""Gives the files of locked wheels, from the cache or from an index, checked."""

_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True, slots=True)
class Site:
    """Where environments are made: for one system."""

    store: ChrootStore
    fetch: FetchWheels
    root: StorePath
    """With the Python of the system."""
    system: SystemLock
    architecture: str
    find_compiler: Callable[[Path, Architecture], Compile | None] = bytecode.compiler
    """Gives what compiles with the Python of a root, if that can be run."""


def make_environments(site: Site, system: System) -> dict[str, Bound]:
    """Make the environments of a system, by name.

    Raises:
        BadEnvironment, BadWheel: a wheel of the project does not fit the others, or is none.
        SameFile: two wheels bring the same file.
    """
    if not system.python:
        return {}
    target = Target.of(site.system.packages, site.architecture)
    maker = _Maker(site, target)
    return {
        name: maker.environment(name, wanted, site.system.python[name])
        for name, wanted in sorted(system.python.items())
    }


class _Maker:
    def __init__(self, site: Site, target: Target) -> None:
        self._site, self._target = site, target
        self._store = site.store
        self._pins = bytecode.pins(site.system.packages, target.short)

    def environment(self, name: str, wanted: PythonEnvironment, lock: PythonLock) -> Bound:
        """Make one environment."""
        own = own_wheels(wanted)
        files = self._site.fetch(lock.wheels, self._target)
        locked = [wheel for wheel in lock.wheels if wheel.name not in {each.name for each in own}]
        digests = {wheel.path: Digest.of_file(wheel.path) for wheel in own}
        digests |= {files[wheel]: wheel.sha256 for wheel in locked}
        wheels = [*own, *(Wheel.read(files[wheel], wheel.file_name) for wheel in locked)]
        problems = [*lacking(wheels, self._target, own_extras(own, wanted.extras))]
        if problems:
            raise BadEnvironment(problems)
        where = wanted.place(name)
        trees = self._unpacked(wheels, digests, where)
        path = self._united(f"python-{name}", trees, wanted.exclude)
        sidecar = Sidecar(path)
        content = File(print_sidecar(sidecar))
        return Bound(where, path, self._store.add_files(content, sidecar.name, [path]))

    def _unpacked(
        self, wheels: list[Wheel], digests: Mapping[Path, Digest], where: str
    ) -> dict[StorePath, str]:
        """The object of each wheel, with the name of the wheel."""
        recipes_of = {self._recipe(wheel, digests[wheel.path], where): wheel for wheel in wheels}
        compile_all: Compile | None = None
        if any(recipes.known(self._store, recipe) is None for recipe in recipes_of):
            compile_all = self._compiler()
            if compile_all is None:
                recipes_of = {_uncompiled(each): wheel for each, wheel in recipes_of.items()}

        def maker(wheel: Wheel) -> recipes.Make:
            def make(into: Path) -> None:
                unpack.unpack(wheel, self._target.short, where, into, compile_all)
                if Digest.of_file(wheel.path) != digests[wheel.path]:
                    raise wheel.bad("it changed while it was read")

            return make

        makers = {recipe: maker(wheel) for recipe, wheel in recipes_of.items()}
        made = recipes.realise_all(self._store, "unpack wheels", makers)
        return {made[recipe]: wheel.file_name for recipe, wheel in recipes_of.items()}

    def _recipe(self, wheel: Wheel, digest: Digest, where: str) -> Recipe:
        inputs = (
            ("wheel", str(digest)),
            ("file name", wheel.file_name),
            ("python", self._target.short),
            ("place", where),
            ("installer", version_of("installer")),
            *self._pins,
        )
        code = (*recipes.sources(unpack), bytecode.SCRIPT)
        return Recipe("wheel", f"wheel-{wheel.name}-{wheel.version}", inputs, code)

    def _compiler(self) -> Compile | None:
        """What compiles modules; looked for only when a wheel is new."""
        found = self._site.find_compiler(
            self._store.path(self._site.root), Architecture(self._site.architecture)
        )
        if found is None:
            progress.note(
                f"warning: the Python of {self._site.architecture} cannot be run here: modules of "
                "wheels are not compiled, and programs start more slowly"
            )
        return found

    def _united(
        self, name: str, trees: Mapping[StorePath, str], exclude: tuple[str, ...]
    ) -> StorePath:
        """One object with all that several have."""
        own = self._store.add_files(_own_files(self._target), f"python-{self._target.short}-venv")
        inputs = tuple((str(path), "") for path in sorted([own, *trees]))
        inputs += tuple(("exclude", pattern) for pattern in exclude)
        recipe = Recipe("environment", name, inputs, recipes.sources(united))
        found = recipes.known(self._store, recipe)
        if found is None:
            parts = [Part(self._store.path(path), whose) for path, whose in trees.items()]
            parts.append(Part(self._store.path(own), "the environment itself", is_wheel=False))
            found = self._store.add_events(united.united(parts, Patterns(exclude)), name)
            recipes.remember(self._store, recipe, found)
        return found


def _uncompiled(recipe: Recipe) -> Recipe:
    return replace(recipe, inputs=(*recipe.inputs, ("compiled", "no")))


def _own_files(target: Target) -> Folder:
    """What makes it a virtual environment."""
    configuration = (
        "home = /usr/bin\n"
        "include-system-site-packages = false\n"
        f"version = {target.full_version}\n"
        f"executable = {_PYTHON}\n"
    )
    return folder(
        {
            "pyvenv.cfg": File(configuration.encode()),
            "lib64": Symlink("lib"),
            f"{unpack.site_packages(target.short)}": Folder(),
            "bin/python3": Symlink(_PYTHON),
            "bin/python": Symlink("python3"),
            f"bin/python{target.short}": Symlink("python3"),
        }
    )
