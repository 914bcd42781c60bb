"""What a package that stays in part brings besides: its settings, and the folders it expects.

A package stays when one of its files does. Then whatever it has below ``/etc`` stays, the empty
folders that it expects, and what it hands to others: rules for udev, settings of the kernel,
policies of the bus. A package that somebody asked for stays with the programs that it has; one
without programs stays as a whole, for then it is asked for because of its data. Empty folders that
scripts of packages made stay, whoever made them.

Tested by ``tests/unit/build/minify/test_packages.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.minify.knowledge import PROGRAMS, SHARED
from reconix.build.software.owners import How, Owners

_HANDED = re.compile(
    r"etc/(?!alternatives/|systemd/|pam\.d/|ssl/|security/namespace\.init).*"
    r"|usr/lib/(?:tmpfiles|sysctl|modules-load|modprobe|environment|binfmt)\.d/.*"
    r"|usr/lib/systemd/(?:system|user|journald|resolved|networkd|logind|timesyncd)\.conf\.d/.*"
    r"|etc/systemd/[^/]*\.conf|usr/lib/udev/rules\.d/.*|usr/share/dbus-1/system\.d/.*"
)
_EXPECTED = re.compile(r"(?:etc|var|srv|opt|home|root|media|mnt|usr/local)(?:/.*)?")
_PROGRAM = re.compile(r"usr/(?:local/)?s?bin/[^/]+|usr/games/[^/]+")
_FOLDER = re.compile(r"usr/(?:share|lib|libexec)/[^/]+(?:/[^/]+)*")


@dataclass(slots=True)
class PackageEdges:
    """Finds what belongs together because one package has it."""

    files: Files
    owners: Owners
    _told: set[str] = field(default_factory=set)
    _of: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """List the files of each package."""
        for path in sorted(path for path, node in self.files.nodes.items() if node.is_of_root):
            for package in self._packages(path):
                self._of.setdefault(package, []).append(path)

    def _packages(self, path: str) -> tuple[str, ...]:
        owner = self.owners.of(path)
        return owner.packages if owner.how in (How.LISTED, How.DIVERTED) else ()

    def package_of(self, path: str) -> str:
        """The package of a file; nothing if none has it."""
        packages = self._packages(path)
        return packages[0] if packages else ""

    def of(self, path: str) -> Iterator[Edge]:
        """What a file reaches because its package stays with it."""
        if self.files.nodes[path].is_folder or not self.files.nodes[path].is_of_root:
            return
        for package in self._packages(path):
            if package not in self._told:
                self._told.add(package)
                yield from self._of_package(package)

    def _of_package(self, package: str) -> Iterator[Edge]:
        for path in self._of.get(package, ()):
            if self.files.nodes[path].is_folder:
                if not self.files.inside(path) and _EXPECTED.fullmatch(path):
                    yield Edge(path, f"is of {package} as it is, which expects the folder")
            elif _HANDED.fullmatch(path):
                yield Edge(path, f"is of {package}, which this belongs to")

    def made(self) -> Iterator[Edge]:
        """The folders in which nothing is yet, and that no package lists: scripts made them."""
        for path, node in sorted(self.files.nodes.items()):
            is_empty = node.is_of_root and node.is_folder and not self.files.inside(path)
            if is_empty and _EXPECTED.fullmatch(path) and not self._packages(path):
                yield Edge(path, "was made when packages were installed, for what comes later")

    def asked(self, package: str, chosen: frozenset[str]) -> Iterator[Edge]:
        """What stays of a package that somebody asked for.

        Args:
            package: its name.
            chosen: names of programs that are wanted, if not all of their packages are.
        """
        paths = [path for path in self._of.get(package, ()) if not self.files.nodes[path].is_folder]
        programs = [path for path in paths if _PROGRAM.fullmatch(path)]
        wanted = [path for path in programs if path.rpartition("/")[2] in chosen]
        wanted = wanted or [f"usr/bin/{name}" for name in PROGRAMS.get(package, ())]
        how = f"is a program of {package}, which was asked for"
        if programs:
            yield from (Edge(path, how) for path in wanted or programs)
        else:
            yield from (Edge(path, f"is of {package}, which was asked for") for path in paths)

    def all_of(self, package: str) -> Iterator[str]:
        """All files of a package."""
        return (path for path in self._of.get(package, ()) if not self.files.nodes[path].is_folder)

    def folder(self, path: str, by: str) -> Iterator[Edge]:
        """What is in a folder that a program names, if that is only its package's own."""
        package = self.package_of(by)
        if package in SHARED or not package or not _FOLDER.fullmatch(path):
            return
        below = list(self.files.below(path))
        if below and all(self._packages(each) == (package,) for each in below):
            yield from (Edge(each, f"names the folder /{path}") for each in below)
