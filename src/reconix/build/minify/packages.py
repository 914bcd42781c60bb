"""What a package that stays in part brings besides: its settings, and the folders it expects.

A package stays when one of its files does. Then whatever it has below ``/etc`` stays, the empty
folders that it expects, and what it hands to others: rules for udev, settings of the kernel,
policies of the bus. A package that somebody asked for stays with the programs that it has; one
without programs stays as a whole, for then it is asked for because of its data.

What nobody brought, because scripts of packages made it, is settings and data that somebody reads:
it stays with the package whose scripts name it; always, where none does. So do empty folders.

Tested by ``tests/unit/build/minify/test_packages.py``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconix.build.minify.edges.accounts import PAM_FOLDERS, pam_program
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.minify.knowledge import PROGRAMS, SHARED
from reconix.build.software.owners import How, Owner, Owners

_HANDED = re.compile(
    r"etc/(?!alternatives/|systemd/|pam\.d/|ssl/|security/namespace\.init).*"
    r"|usr/lib/(?:tmpfiles|sysctl|modules-load|modprobe|environment|binfmt)\.d/.*"
    r"|usr/lib/systemd/(?:system|user|journald|resolved|networkd|logind|timesyncd)\.conf\.d/.*"
    r"|etc/systemd/[^/]*\.conf|usr/lib/udev/rules\.d/.*|usr/share/dbus-1/system\.d/.*"
)
_BROUGHT = (How.LISTED, How.DIVERTED)
_MADE = (How.MADE, How.LINKED)
_READ = re.compile(
    r"etc/(?!alternatives/|systemd/|pam\.d/|ssl/|ld\.so\.cache|\.).*"
    r"|(?:var/lib/(?!systemd/)|srv/|opt/).*"
)
"""What scripts make that somebody else reads; the rest is about the installation itself."""
_EXPECTED = re.compile(r"(?:etc|var|srv|opt|home|root|media|mnt|usr/local)(?:/.*)?")
_PROGRAM = re.compile(r"usr/(?:local/)?s?bin/[^/]+|usr/games/[^/]+")
_PROGRAMS = ("usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
_FOLDER = re.compile(r"usr/(?:share|lib|libexec)/[^/]+(?:/[^/]+)*")


@dataclass(slots=True)
class PackageEdges:
    """Finds what belongs together because one package has it."""

    files: Files
    owners: Owners
    _told: set[str] = field(default_factory=set)
    _of: dict[str, list[str]] = field(default_factory=dict)
    _pam: dict[str, list[str]] = field(default_factory=dict)
    _made_by: dict[str, list[str]] = field(default_factory=dict)
    _made_by_nobody: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """List the files of each package, and what its scripts made."""
        for path in sorted(path for path, node in self.files.nodes.items() if node.is_of_root):
            owner = self.owners.of(path)
            if owner.how in _BROUGHT:
                for package in owner.packages:
                    self._of.setdefault(package, []).append(path)
                    if path.rpartition("/")[0] in PAM_FOLDERS:
                        self._pam.setdefault(package, []).append(path)
            elif self._is_made(path, owner):
                self._list_made(path, owner)

    def _is_made(self, path: str, owner: Owner) -> bool:
        is_folder = self.files.nodes[path].is_folder
        return owner.how in _MADE and not is_folder and _READ.fullmatch(path) is not None

    def _list_made(self, path: str, owner: Owner) -> None:
        """A link is of what it leads to, the rest of those whose scripts name it."""
        makers = owner.packages or self.owners.makers(path)
        for package in makers:
            self._made_by.setdefault(package, []).append(path)
        if not makers:
            self._made_by_nobody.append(path)

    def _packages(self, path: str) -> tuple[str, ...]:
        owner = self.owners.of(path)
        return owner.packages if owner.how in _BROUGHT else ()

    def package_of(self, path: str) -> str:
        """The package of a file; nothing if none has it."""
        packages = self._packages(path)
        return packages[0] if packages else ""

    def of(self, path: str) -> Iterator[Edge]:
        """What a file reaches because its package stays with it."""
        if self.files.nodes[path].is_folder or not self.files.nodes[path].is_of_root:
            return
        for package in self._packages(path):
            if _PROGRAM.fullmatch(path):
                yield from self._known_to_pam(path, package)
            if package not in self._told:
                self._told.add(package)
                yield from self._of_package(package)

    def _known_to_pam(self, path: str, package: str) -> Iterator[Edge]:
        """The PAM services that are named like a program: a plugin or a helper of it may ask."""
        name = path.rpartition("/")[2]
        for service in self._pam.get(package, ()):
            if pam_program(service) == name:
                yield Edge(service, f"is what /{path} is known to PAM as")

    def asked_of_pam(self, path: str) -> Iterator[Edge]:
        """The services of its package that a file which uses PAM may ask for.

        Those that are named like a program are the program's; those of systemd are its units'.
        """
        package = self.package_of(path)
        for service in () if package in SHARED else self._pam.get(package, ()):
            name = pam_program(service)
            if not any(self.files.find(f"{folder}/{name}") for folder in _PROGRAMS):
                yield Edge(service, f"is of a package of which /{path} uses PAM")

    def _of_package(self, package: str) -> Iterator[Edge]:
        for path in self._of.get(package, ()):
            if self.files.nodes[path].is_folder:
                if not self.files.inside(path) and _EXPECTED.fullmatch(path):
                    yield Edge(path, f"is of {package} as it is, which expects the folder")
            elif _HANDED.fullmatch(path):
                yield Edge(path, f"is of {package}, which this belongs to")
        for path in self._made_by.get(package, ()):
            yield Edge(path, f"is of {package}, whose installation made this")

    def made(self) -> Iterator[Edge]:
        """What no package lists and no script names; of folders those in which nothing is yet."""
        for path in self._made_by_nobody:
            yield Edge(path, "was made when packages were installed, nothing tells for whom")
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
