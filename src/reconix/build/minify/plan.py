"""What of a root stays and what goes, each path with its reason.

    1. never     rules take what no device needs                                 rules.py
    2. reached   what is left stays only if something reaches it                 graph.py, edges/
    3. named     facts about programs, and what the configuration wants to keep   knowledge.py

It begins with what is known to be used: the first program, the agent, all that the team brings, the
files and units of the configuration, and the programs of packages that somebody asked for.

Tested by ``tests/unit/build/minify/test_plan.py``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconix.build.agent.needs import CONTAINER_SCRIPT
from reconix.build.minify import graph, licences, rules
from reconix.build.minify.edges import texts
from reconix.build.minify.edges.accounts import AccountEdges
from reconix.build.minify.edges.bus import BusEdges
from reconix.build.minify.edges.elf import ElfEdges
from reconix.build.minify.edges.perl import PerlEdges
from reconix.build.minify.edges.python import PythonEdges
from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.edges.udev import UdevEdges
from reconix.build.minify.edges.units import UnitEdges, is_drop_in
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Because, Edge
from reconix.build.minify.knowledge import KnownEdges
from reconix.build.minify.packages import PackageEdges
from reconix.build.minify.reasons import Reasons
from reconix.build.software.elf import MAGIC
from reconix.build.software.owners import Owners

_MAX_SETTINGS_BYTES = 1 << 18
_INIT = "usr/lib/systemd/systemd"
_ANY_PAM_SERVICE = "etc/pam.d/other"
"""What every program reaches that uses PAM."""
_UNITS = re.compile(r"etc/systemd/(?:system|user|system-generators)/.*")
_OF_CONTAINERS = re.compile(rf"nix/store/[^/]+-reconix-device/{CONTAINER_SCRIPT}")
_PYTHON_LIBRARY = re.compile(r".*/libpython3[^/]*\.so[^/]*")
"""With it a program runs Python that has no file of Python itself."""
KEPT = "is named in minify.keep"
"""How a path is reached that the configuration names, whatever else reaches it."""
_KEPT_WITH_PACKAGE = "is of a package that is named in minify.keep"
_ALWAYS = {
    "usr/bin/reconix-device": "is the command of the agent",
    licences.FOLDER: "is where the licences are",
    "usr/lib/modules": "is where the modules of the kernel appear",
    "usr/lib/os-release": "says which Debian this is",
    "var/run": "is where older programs look for what runs",
    "var/lock": "is where older programs look for locks",
    "var/.updated": "says that nothing has to be updated when the system starts",
    "var/lib/dpkg/status": "says which packages are installed, for bills of materials",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration says.

    Attributes:
        packages: names of packages that somebody asked for.
        keep: paths, packages as ``package:NAME`` and features as ``suggested:NAME`` that stay; of
            a package not what is only for readers, which has to be named by its path.
        programs: names of programs that are meant where only some of a package are.
        parameters: of the kernel.
    """

    packages: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    """Programs that somebody starts, and who: the agent, a health check."""
    modules: tuple[str, ...] = ()
    """Of Python: what the agent imports."""
    libraries: tuple[str, ...] = ()
    """What the agent loads."""
    without: tuple[str, ...] = ()
    """Paths of which somebody says that nothing needs them, whatever names them."""
    containers: bool = False
    """Whether there are any."""
    drivers: tuple[str, ...] | None = None
    """The modules that the kernel has or consists of; nothing if any device may be connected."""


@dataclass(slots=True)
class _Edges:
    """All kinds of edges together."""

    files: Files
    owners: Owners
    parameters: tuple[str, ...]
    features: frozenset[str]
    scripts: ScriptEdges = field(init=False)
    units: UnitEdges = field(init=False)
    udev: UdevEdges = field(init=False)
    elf: ElfEdges = field(init=False)
    python: PythonEdges = field(init=False)
    perl: PerlEdges = field(init=False)
    bus: BusEdges = field(init=False)
    accounts: AccountEdges = field(init=False)
    known: KnownEdges = field(init=False)
    packages: PackageEdges = field(init=False)

    def __post_init__(self) -> None:
        """Make those that need others."""
        self.scripts = ScriptEdges(self.files)
        self.units = UnitEdges(self.files, self.scripts, self.parameters)
        self.udev = UdevEdges(self.scripts, self.units)
        self.elf = ElfEdges(self.files, self.features)
        self.python = PythonEdges(self.files)
        self.perl = PerlEdges(self.files)
        self.bus = BusEdges(self.units)
        self.accounts = AccountEdges(self.files)
        self.known = KnownEdges(self.files, self.units)
        self.packages = PackageEdges(self.files, self.owners)

    def of(self, path: str) -> Iterator[Edge]:
        """What a path reaches."""
        yield from self.known.of(path)
        yield from self.packages.of(path)
        unit = self.units.of(path)
        if unit is not None:
            yield from unit
        elif self.files.nodes[path].is_file:
            yield from self._of_content(path)

    def _of_content(self, path: str) -> Iterator[Edge]:
        content = self.files.content(path)
        if content.startswith(MAGIC):
            for edge in self.elf.of(path, content):
                yield from self._with_folder(edge, path)
                if edge.target == _ANY_PAM_SERVICE:
                    yield from self.packages.asked_of_pam(path)
        elif is_drop_in(path):
            yield from self.units.of_drop_in(path)
        else:
            yield from self.scripts.of(path, content)
            yield from self.accounts.of(path, content)
            yield from self.udev.of(path, content)
            yield from self.perl.of(path, content)
            yield from self.bus.of(path, content)
            yield from self._of_settings(path, content)
        yield from self.python.of(path, content)

    def _with_folder(self, edge: Edge, path: str) -> Iterator[Edge]:
        way = self.files.way(edge.target)
        node = self.files.nodes.get(way.end) if way is not None else None
        if way is None or node is None or not node.is_folder:
            yield edge
            return
        if way.links:
            yield edge  # whoever looks into the folder by this name needs the links
        yield from self.packages.folder(way.end, path)

    def _of_settings(self, path: str, content: bytes) -> Iterator[Edge]:
        is_settings = path.startswith("etc/") and len(content) <= _MAX_SETTINGS_BYTES
        if is_settings and b"\0" not in content:
            for named in texts.paths(texts.without_comments(content)):
                place = self.files.find(named)
                if place is not None and not self.files.nodes[place].is_folder:
                    yield Edge(named, f"names /{named}")


def make_plan(files: Files, owners: Owners, wanted: Wanted) -> Reasons:
    """Decide about each path of a root, folders too.

    Args:
        files: of the device.
        owners: of the root, before anything went.
        wanted: what the configuration says.
    """
    edges = _Edges(files, owners, wanted.parameters, frozenset(_features(wanted.keep)))
    kept = dict(sorted(_kept(files, edges, wanted), key=lambda each: each[1] == KEPT))
    spared = {*kept, *_led_to(files)}
    drivers = None if wanted.drivers is None else frozenset(wanted.drivers)
    facts = rules.Facts(frozenset(wanted.packages), files, drivers)
    never = rules.never(facts, spared)
    seeds = [
        *(Edge(path, how) for path, how in sorted(kept.items())),
        *_seeds(files, edges, wanted),
    ]
    stays = graph.reach(files, seeds, edges.of, never)
    stays = graph.with_folders(files, stays)
    suggested = edges.elf.suggested | edges.python.suggested
    goes = {path: Because(rule.name, rule.because) for path, rule in never.items()}
    goes |= {
        path: Because("", "the configuration has a file in its place") for path in files.hidden
    }
    for path, node in files.nodes.items():
        if node.is_of_root and path not in stays:
            goes.setdefault(path, _unreached(files, path, suggested, never))
    is_ours = not edges.python.has_others and not any(map(_PYTHON_LIBRARY.fullmatch, stays))
    return Reasons(stays, goes, is_ours)


def _features(keep: Iterable[str]) -> Iterator[str]:
    """The names of what is only suggested and is to stay."""
    return (each.removeprefix("suggested:") for each in keep if each.startswith("suggested:"))


def _led_to(files: Files) -> Iterator[str]:
    """What links of the configuration lead to, as to a time zone."""
    for path, node in files.nodes.items():
        way = files.way(path) if node.is_link and not node.is_of_root else None
        if way is not None:
            yield way.end


def _unreached(
    files: Files,
    path: str,
    suggested: Mapping[str, tuple[str, str]],
    never: Mapping[str, rules.Rule],
) -> Because:
    is_link = files.nodes[path].is_link
    way = files.way(path) if is_link else None
    if is_link and way is None:
        return Because("", "leads in a circle")
    rule = never.get(way.end) if way is not None else None
    if rule is not None:
        return Because(rule.name, rule.because)
    feature, program = suggested.get(path, ("", ""))
    if program:
        return Because("", f"only suggested by /{program}, for {feature}")
    is_folder = files.nodes[path].is_folder
    return Because("", "nothing in it stays" if is_folder else "nothing reaches it")


def _kept(files: Files, edges: _Edges, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """The paths that ``minify.keep`` names, with all that is in folders, and how it does."""
    for each in wanted.keep:
        kind, colon, name = each.partition(":")
        if colon and kind == "package":
            paths = edges.packages.all_of(name)
            yield from (
                (path, _KEPT_WITH_PACKAGE) for path in paths if not rules.is_for_readers(path)
            )
        elif not colon:
            yield from ((path, KEPT) for path in _named(files, each.strip("/")))


def _named(files: Files, path: str) -> Iterator[str]:
    """What is meant by a path that may lead through links, which are meant too."""
    way = files.way(path)
    if way is not None and way.end in files.nodes:
        is_folder = files.nodes[way.end].is_folder
        yield from (*way.links, *(files.below(way.end) if is_folder else (way.end,)))


def _seeds(files: Files, edges: _Edges, wanted: Wanted) -> Iterator[Edge]:
    yield Edge(_INIT, "is the first program")
    yield from (Edge(path, how) for path, how in _ALWAYS.items())
    for path, node in sorted(files.nodes.items()):
        is_other = not node.is_of_root and not node.is_folder
        if not wanted.containers and _OF_CONTAINERS.fullmatch(path):
            continue
        if is_other and not (node.is_link and _UNITS.fullmatch(path)):
            yield Edge(path, "is of the configuration")
    for name, who in wanted.commands:
        yield from edges.scripts.program(name, f"is started by {who}")
    for name in wanted.modules:
        yield from edges.python.module(name, "", "is imported by the agent as")
    for name in wanted.libraries:
        yield from edges.elf.by_name(name, "is loaded by the agent")
    yield from edges.packages.made()
    for package in sorted(set(wanted.packages)):
        yield from edges.packages.asked(package, frozenset(wanted.programs))
