"""Why something is in a system: which line asked for it, and who needs it.

The answer for a package is a chain from a line of the configuration, or from an essential package,
which every Debian system has. The answer for a path is the package that owns it, with its chain, or
the option, folder or module that it was made from.

    zlib1g ◄─needs─ dropbear-bin ◄─needs─ dropbear ◄─ hosts/gateway/machine.toml:10:3

A lock says which packages there are, not who needs whom. So what was asked for by name can be
answered before anything is built, and the rest cannot.

Tested by ``tests/unit/composition/test_why.py`` and, with real packages,
``tests/compat/test_build.py``.
"""

import difflib
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base.errors import UsageError
from reconix.base.files import read_bounded
from reconix.build.archive.offers import place_of
from reconix.build.inspect.packages import MAX_STATUS_BYTES, STATUS
from reconix.build.minify import licences
from reconix.build.software.owners import How, Owner, Owners
from reconix.composition import generated, requests
from reconix.composition.dependencies import Chain, Dependencies
from reconix.composition.device_view import DeviceView, Found, Provenance
from reconix.composition.installed import parse_installed
from reconix.composition.minified import Minified
from reconix.composition.requests import Request
from reconix.composition.subject import SystemSubject
from reconix.composition.wheels import wheels
from reconix.config.lock.packages import DEBIAN, LockedPackage

OURS = {
    "usr/bin/reconix-device": "the command of the agent",
    "var/.updated": "nothing has to be updated when it starts",
    licences.FILE: "the licences of the packages of which something stays",
}
"""What a build adds to roots (``build/root/debian.py``, ``build/minify/licences.py``)."""

_NEAR = 3
_WHOSE = {
    Provenance.TREE: "a tree",
    Provenance.ETC: "the configuration",
    Provenance.MODULES: "the kernel",
    Provenance.LAYER: "the project",
    Provenance.ROOT: "packages",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What was asked for, and how that leads to the package."""

    package: str
    """What was asked for, or is essential."""
    requests: tuple[Request, ...]
    """The lines that ask for it; none if it is only essential."""
    chain: Chain
    """From there to the package in question."""
    is_essential: bool = False
    note: str = ""
    """What else is to be said about it."""


@dataclass(frozen=True, slots=True)
class PackageAnswer:
    """Why a package is there."""

    name: str
    version: str
    reasons: tuple[Reason, ...]
    """One for each package that was asked for or is essential; the shortest first."""
    origin: str = ""
    """Where it comes from, if not from Debian: a file of the project, or another archive."""


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """Where a path comes from."""

    path: str
    """The one that was asked about, with no link among the folders above it."""
    facts: tuple[str, ...]
    """What is known about it, a line each."""
    requests: tuple[Request, ...]
    """The lines of the configuration that made it."""
    packages: tuple[PackageAnswer, ...]
    """Those that own it."""


class Inquiry:
    """Answers questions about one system."""

    def __init__(
        self,
        subject: SystemSubject,
        root: Path | None,
        view: Callable[[], DeviceView],
        minified: Callable[[], Minified | None] = lambda: None,
    ) -> None:
        """Prepare to answer.

        Args:
            subject: the system.
            root: its Debian root, if it was built.
            view: gives its files; asked only about paths.
            minified: says why a path stays or went, if the system is minified.
        """
        self._subject, self._root, self._view, self._minified = subject, root, view, minified
        self._asked = subject.asked()
        self._known: Dependencies | None = None

    def package(self, name: str) -> PackageAnswer:
        """Why a package is there.

        Raises:
            UsageError: it is not.
            NotBuilt: only what was built can tell.
        """
        locked = {each.name: each for each in self._subject.locked.packages}
        if name not in locked:
            return self._beside(name) or self._missing(name)
        if self._root is None and name not in self._asked:
            raise self._subject.of.not_built(self._subject.name)
        found = locked[name]
        origin = "" if found.archive in DEBIAN else place_of(found)
        return PackageAnswer(name, found.version, tuple(self._reasons(name)), origin)

    def _reasons(self, name: str) -> list[Reason]:
        if self._root is None:
            return [Reason(name, self._asked[name], ())]
        found = self._dependencies()
        reasons = [
            Reason(
                each,
                self._asked.get(each, ()),
                chain,
                is_essential=found.packages[each].is_essential,
            )
            for each, chain in found.chains(name).items()
            if each in self._asked or found.packages[each].is_essential
        ]
        return sorted(reasons, key=lambda each: (len(each.chain), not each.requests, each.package))

    def _dependencies(self) -> Dependencies:
        if self._known is None:
            assert self._root is not None
            content = read_bounded(self._root / STATUS, MAX_STATUS_BYTES)
            self._known = Dependencies(parse_installed(content))
        return self._known

    def _beside(self, name: str) -> PackageAnswer | None:
        """Why a package is used that is not installed, but has files that a device needs."""
        lock, subject = self._subject.of.lock, self._subject
        kernel = subject.system.kernel.package
        asked = requests.for_option(subject.table, "kernel", "package")
        if name == kernel or name in _names(subject.locked.kernel):
            note = "the kernel; only the images are taken of what it needs"
            return self._answer(name, Reason(kernel, asked, (), note=note), subject.locked.kernel)
        firmware = requests.for_option(subject.of.machine, "boot", "firmware")
        if name in _names(lock.loader):
            return self._answer(
                name, Reason(name, firmware, (), note="the boot loader"), lock.loader
            )
        if name in _names(lock.initrd):
            note = "the program of the initrd, which every device has"
            return self._answer(name, Reason(name, (), (), note=note), lock.initrd)
        return self._wheel(name) or self._in_containers(name)

    def _in_containers(self, name: str) -> PackageAnswer | None:
        """Why a package is in containers and nowhere else: in which ones it is."""
        subject = self._subject
        named = [
            (container, package)
            for container, locked in subject.locked.containers.items()
            for package in locked.packages
            if package.name == name
        ]
        reasons = [
            Reason(
                name,
                requests.for_option(subject.table, "containers", container, "packages"),
                (),
                note=f"a package of the container {container}",
            )
            for container, _ in named
        ]
        return PackageAnswer(name, named[0][1].version, tuple(reasons)) if named else None

    def _wheel(self, name: str) -> PackageAnswer | None:
        """Why a wheel is in a Python environment: the environment was asked for."""
        subject = self._subject
        named = [each for each in wheels(subject.system, subject.locked) if each.name == name]
        reasons = [
            Reason(
                name,
                requests.for_option(subject.table, "python", each.environment),
                (),
                note=f"a wheel of the Python environment {each.environment}",
            )
            for each in named
        ]
        return PackageAnswer(name, named[0].version, tuple(reasons)) if named else None

    def _answer(
        self, name: str, reason: Reason, packages: Iterable[LockedPackage]
    ) -> PackageAnswer:
        versions = {each.name: each.version for each in packages}
        return PackageAnswer(name, versions.get(name, ""), (reason,))

    def _missing(self, name: str) -> PackageAnswer:
        subject = self._subject
        others = [
            f"{subject.of.host.name}:{other}"
            for other, locked in subject.of.lock.systems.items()
            if name in _names(locked.packages)
        ]
        hint = f"it is in {', '.join(others)}" if others else self._near(name)
        raise UsageError(f"{subject} has no package {name}", hint=hint)

    def _near(self, name: str) -> str:
        if self._root is not None:
            providers = self._dependencies().providers(name)
            if providers:
                return f"it is provided by {', '.join(providers)}"
        locked = _names(self._subject.locked.packages)
        near = difflib.get_close_matches(name, sorted(locked), n=_NEAR)
        return f"did you mean {' or '.join(near)}?" if near else "`reconix lock` says what it has"

    def path(self, path: str) -> PathAnswer:
        """Where a path of the device comes from.

        Raises:
            UsageError: there is nothing at that path.
            NotBuilt: only what was built can tell.
        """
        view = self._view()
        real = view.real(path)
        if not real:
            raise UsageError("/ is put together from all parts", hint="ask about what is in it")
        found = list(view.find(real))
        if not found:
            return self._kept(real) or self._gone(real) or self._nothing(view, real)
        answer = self._of(_telling(found))
        kept = map(_kept_by_devices, self._kept_folders(real))
        is_ours = _telling(found).provenance in (Provenance.ROOT, Provenance.MODULES)
        minified = self._minified() if is_ours else None
        reached = minified.reached(real) if minified is not None else ()
        facts = [*answer.facts, *_others(found), *kept, *reached]
        return PathAnswer(f"/{real}", tuple(facts), answer.requests, answer.packages)

    def _of(self, found: Found) -> PathAnswer:
        if found.provenance is Provenance.ROOT:
            return self._of_root(found)
        subject, path = self._subject, f"/{found.path}"
        if found.provenance is Provenance.ETC and found.path != "etc":
            inner = found.path.removeprefix("etc/")
            made = generated.origin(subject.system, subject.of.machine, subject.table, inner)
            return PathAnswer(path, (f"generated: {made.what}",), made.requests, ())
        if found.provenance is Provenance.MODULES:
            kernels = (self.package(each.name) for each in subject.locked.kernel)
            return PathAnswer(path, ("modules of the kernel",), (), tuple(kernels))
        return self._of_project(found)

    def _of_project(self, found: Found) -> PathAnswer:
        """Of what a layer or a tree has: a file, or a folder at this path or above."""
        subject, path = self._subject, f"/{found.path}"
        asked = requests.for_files(subject.table, path)
        if asked:
            return PathAnswer(path, ("files of the configuration",), asked, ())
        for place in (path, *map(str, PurePosixPath(path).parents)):
            for name, environment in subject.system.python.items():
                if environment.place(name) == place:
                    asked = requests.for_option(subject.table, "python", name)
                    return PathAnswer(path, (f"of the Python environment {name}",), asked, ())
            tree = subject.system.trees.get(place)
            if tree is not None:
                fact = f"of the folder {subject.of.path_in_project(tree.source)} of the project"
                asked = requests.for_option(subject.table, "trees", place)
                return PathAnswer(path, (fact,), asked, ())
        return PathAnswer(path, ("of the project",), (), ())

    def _of_root(self, found: Found) -> PathAnswer:
        assert self._root is not None
        owners = Owners.read(self._root)
        owner = owners.of(found.path)
        known = self._dependencies().packages
        packages = [self.package(name) for name in owner.packages if name in known]
        facts = [*_facts(owner), *_made(owners, found, owner)]
        return PathAnswer(f"/{found.path}", tuple(facts), (), tuple(packages))

    def _gone(self, path: str) -> PathAnswer | None:
        """The answer for what was there before the system was minified."""
        minified = self._minified()
        facts = minified.gone(path) if minified is not None else ()
        if minified is None or not facts:
            return None
        whose = Provenance.MODULES if minified.is_module(path) else Provenance.ROOT
        answer = self._of(Found(path, whose, minified.place(path)))
        return PathAnswer(answer.path, (*facts, *answer.facts), (), answer.packages)

    def _kept(self, path: str) -> PathAnswer | None:
        """The answer for what a device makes itself and keeps."""
        folders = self._kept_folders(path)
        facts = tuple(map(_kept_by_devices, folders))
        asked = (
            request
            for folder in folders
            for key in ("shared", "paths")
            for request in requests.for_item(self._subject.table, "persist", key, item=folder)
        )
        return PathAnswer(f"/{path}", facts, requests.distinct(asked), ()) if facts else None

    def _kept_folders(self, path: str) -> list[str]:
        persist = self._subject.system.persist
        folders = (*persist.shared, *persist.paths)
        return [folder for folder in folders if f"/{path}/".startswith(f"{folder}/")]

    def _nothing(self, view: DeviceView, path: str) -> PathAnswer:
        folder, name = posixpath.split(path)
        if path.startswith("nix/store/"):
            hint = "ask about objects of the store: reconix store why"
        else:
            near = difflib.get_close_matches(name, sorted(view.names(folder)), n=_NEAR)
            places = [f"/{posixpath.join(folder, each)}" for each in near]
            hint = f"did you mean {' or '.join(places)}?" if places else ""
        raise UsageError(f"{self._subject} has nothing at /{path}", hint=hint)


def _names(packages: Iterable[LockedPackage]) -> set[str]:
    return {each.name for each in packages}


def _kept_by_devices(folder: str) -> str:
    return f"kept by each device: {folder} persists"


def _facts(owner: Owner) -> Iterator[str]:
    match owner.how:
        case How.DIVERTED:
            yield f"moved out of the way: the package calls it /{owner.through}"
        case How.COMPILED:
            yield f"compiled from /{owner.through} when it was installed"
        case How.RECORDED:
            yield "what dpkg keeps about it"
        case How.LINKED:
            yield f"a link to /{owner.through}, made when packages were installed"
        case How.MADE | How.LISTED:
            pass


def _made(owners: Owners, found: Found, owner: Owner) -> Iterator[str]:
    if found.path in OURS:
        yield f"every system has it: {OURS[found.path]}"
    elif owner.how is How.MADE:
        makers = owners.makers(found.path)
        named = f"; scripts of {', '.join(makers)} name it" if makers else ""
        yield f"no package lists it: it was made when packages were installed{named}"
    elif len(owner.packages) > 1:
        yield f"of {len(owner.packages)} packages"


def _telling(found: Sequence[Found]) -> Found:
    """Which of what is at a path says where it comes from: the root, if it has such a folder."""
    return found[-1] if found[0].is_folder else found[0]


def _others(found: Sequence[Found]) -> Iterator[str]:
    """What else is at a path: a folder is joined with others, a file hides them."""
    for each in found[:-1] if found[0].is_folder else found[1:]:
        whose = _WHOSE[each.provenance]
        yield (
            f"it has files of {whose}, too" if found[0].is_folder else f"it hides one of {whose}"
        )
