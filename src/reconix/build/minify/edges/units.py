"""What a unit reaches: the units that it starts, and the programs that they run.

A unit starts what it requires or wants, in its own text, in drop-ins, or by links in a folder of
its name. Besides, systemd knows partners without being told: a socket, a timer, a path starts the
service of its name, and an automount its mount. A unit with a condition that can never hold on
this device starts nothing, and nothing starts it: ``ConditionFirstBoot``, for one, never holds.

Source: systemd.unit(5), *Unit file load path*, *[Unit] section options*, *Conditions and Asserts*;
systemd.socket(5), systemd.timer(5), systemd.path(5), systemd.automount(5), systemd.exec(5).
Tested by ``tests/unit/build/minify/edges/test_units.py``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reconix.base.unit_text import assignments
from reconix.build.minify.edges import texts
from reconix.build.minify.edges.accounts import pam_service
from reconix.build.minify.edges.scripts import ScriptEdges
from reconix.build.minify.files import Files
from reconix.build.minify.graph import Edge
from reconix.build.units.unit_files import template

FOLDERS = (
    "etc/systemd/system",
    "usr/lib/systemd/system",
    "etc/systemd/user",
    "usr/lib/systemd/user",
)
"""Where units are; an earlier folder of the two for one manager comes first."""
_UNIT = re.compile(
    r"(?P<folder>(?:etc|usr/lib)/systemd/(?:system|user))/"
    r"(?P<name>[^/]+\.(?:service|socket|target|timer|path|mount|automount|slice|swap|device))"
)
_DEPENDENCY = re.compile(rf"{_UNIT.pattern}\.(?:wants|requires|upholds)/(?P<other>[^/]+)")
_STARTS = {
    *("Requires", "Requisite", "Wants", "BindsTo", "Upholds", "OnFailure", "OnSuccess"),
    *("Unit", "Service", "Sockets", "Slice"),
}
_REQUIRES = {"Requires", "Requisite", "BindsTo"}
_PARTNERS = {
    "socket": ("service",),
    "timer": ("service",),
    "path": ("service",),
    "automount": ("mount",),
}
_FILES = ("EnvironmentFile", "LoadCredential", "LoadCredentialEncrypted")
_SECTIONS = (
    *("Unit", "Service", "Socket", "Timer", "Path", "Mount", "Automount", "Swap", "Slice", "Scope"),
)
_PREFIXES = re.compile(r"[-@:+!|]*")
_OF_FILES = ("ConditionPathExists", "ConditionFileIsExecutable", "ConditionFileNotEmpty")
_NEVER = (
    "ConditionFirstBoot=yes",
    "ConditionNeedsUpdate=/etc",
    "ConditionNeedsUpdate=/var",
    "ConditionSecurity=measured-uki",
)
"""Every boot begins with an identity, and nothing has to be updated when a system starts. Nobody
hands credentials to the first program, and no kernel is one image with its initrd."""
_FIXED = ("/usr/", "/etc/initrd-release", "/etc/systemd/system/", "/lib/", "/bin/", "/sbin/")
"""What is there at these places is known when a system is built, but for modules of the kernel."""
_LATER = re.compile(r"(?:/usr)?/lib/modules/.*|.*%.*")


@dataclass(slots=True)
class UnitEdges:
    """Finds what units reach among the files of a device.

    Attributes:
        files: of the device.
        scripts: for programs and shells in command lines.
        parameters: of the kernel.
    """

    files: Files
    scripts: ScriptEdges
    parameters: Sequence[str] = ()
    _extensions: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """List the drop-ins and links of each unit once."""
        for folder in FOLDERS:
            for path in self.files.inside(folder):
                name, _, kind = path.rpartition("/")[2].rpartition(".")
                if self.files.nodes[path].is_folder:
                    key = f"{_manager(folder)}/{template(name)}.{kind}"
                    self._extensions.setdefault(key, []).extend(self.files.inside(path))

    def of(self, path: str) -> Iterator[Edge] | None:
        """What a unit, or a link in a folder of a unit, reaches; nothing if it is neither."""
        link = _DEPENDENCY.fullmatch(path)
        if link is not None:
            return self.unit(link["other"], _manager(link["folder"]))
        unit = _UNIT.fullmatch(path)
        return None if unit is None else self._of_unit(path, unit["folder"], unit["name"])

    def unit(
        self, name: str, manager: str = "system", how: str = "", *, is_required: bool = False
    ) -> Iterator[Edge]:
        """The file behind the name of a unit, unless it could never start.

        Args:
            name: as others call it; an instance stands for its template.
            manager: ``system`` or ``user``.
            how: the reason.
            is_required: whether it must be there even so: who requires it could not start, either.
        """
        for each in dict.fromkeys((name, template(name))):
            for folder in (f"etc/systemd/{manager}", f"usr/lib/systemd/{manager}"):
                path = f"{folder}/{each}"
                if path in self.files.nodes:
                    if is_required or not self._never_starts(path, manager, each):
                        yield Edge(path, how or f"starts {name}")
                    return

    def _of_unit(self, path: str, folder: str, name: str) -> Iterator[Edge]:
        manager = _manager(folder)
        if self.files.nodes[path].is_link:
            yield from self._beside(name, manager)
            return
        if self._never_starts(path, manager, name):
            return
        said = list(self._said(path))
        yield from self._beside(name, manager)
        stem, _, kind = name.rpartition(".")
        for partner in _PARTNERS.get(kind, ()):
            yield from self.unit(f"{stem}.{partner}", manager, f"starts {stem}.{partner}")
        for key, value in said:
            yield from self._assigned(key, value, manager)

    def _beside(self, name: str, manager: str) -> Iterator[Edge]:
        """Drop-ins and links in folders that have the name of the unit."""
        for kind in ("d", "wants", "requires", "upholds"):
            for path in self._extension(name, manager, kind):
                if kind == "d":
                    yield Edge(path, "has the drop-in")
                elif any(
                    self.unit(path.rpartition("/")[2], manager, is_required=kind == "requires")
                ):
                    yield Edge(path, f"starts {path.rpartition('/')[2]}")

    def _extension(self, name: str, manager: str, kind: str) -> Iterator[str]:
        stem, _, type_ = name.rpartition(".")
        names = [template(name)]
        if kind == "d":
            parts = stem.split("-")
            names += ["-".join(parts[:count]) + f"-.{type_}" for count in range(1, len(parts))]
            names.append(type_)
        for each in names:
            yield from self._extensions.get(f"{manager}/{each}.{kind}", ())

    def _assigned(self, key: str, value: str, manager: str) -> Iterator[Edge]:
        if key in _STARTS:
            for name in value.split():
                how, is_required = f"{key}={name}", key in _REQUIRES
                yield from self.unit(name, manager, how, is_required=is_required)
        elif key.startswith("Exec"):
            yield from self.command(value, key)
        elif key == "PAMName":
            yield from pam_service(value, f"asks PAM as {value}")
        elif key in _FILES:
            yield from (Edge(each, f"{key}=/{each}") for each in texts.paths(value.encode()))

    def command(self, value: str, key: str) -> Iterator[Edge]:
        """What a command line reaches: its program, and paths among its words."""
        prefixes = _PREFIXES.match(value)
        line = value[prefixes.end() if prefixes else 0 :].lstrip()
        program = line.partition(" ")[0].strip("\"'")
        yield from self.scripts.program(program, f"{key}={program}")
        for path in texts.paths(line.encode()):
            yield Edge(path, f"{key} names /{path}")
        if program.rpartition("/")[2] in ("sh", "bash", "dash"):
            yield from self.scripts.of_shell(line)

    def _said(self, path: str) -> Iterator[tuple[str, str]]:
        """What the text of a unit says; that of a drop-in is an edge of its own."""
        for section in _SECTIONS:
            yield from assignments([self._text(path)], section)

    def of_drop_in(self, path: str) -> Iterator[Edge]:
        """What a drop-in adds to its unit."""
        manager = "user" if "/user/" in path else "system"
        for key, value in self._said(path):
            yield from self._assigned(key, value, manager)

    def _never_starts(self, path: str, manager: str, name: str) -> bool:
        node = self.files.nodes[path]
        if node.is_link:
            return self.files.find(path) is None  # masked, as well as broken
        texts_of = [self._text(each) for each in (path, *self._extension(name, manager, "d"))]
        said = [each for each in assignments(texts_of, "Unit") if each[0].startswith("Condition")]
        one_of = [(key, value[1:]) for key, value in said if value.startswith("|")]
        never = any(self.is_never(*each) for each in said if not each[1].startswith("|"))
        return never or (bool(one_of) and all(self.is_never(*each) for each in one_of))

    def _text(self, path: str) -> str:
        place = self.files.find(path)
        is_file = place is not None and self.files.nodes[place].is_file
        return self.files.content(place).decode(errors="replace") if place and is_file else ""

    def is_never(self, key: str, value: str) -> bool:
        """Whether a condition of a unit can never hold on this device."""
        if f"{key}={value}" in _NEVER or key == "ConditionCredential":
            return True
        if value.startswith("!"):
            return (
                key in _OF_FILES
                and value[1:5] in ("/etc", "/usr")
                and bool(self.files.find(value[1:]))
            )
        if key == "ConditionKernelCommandLine":
            return not self._is_parameter(value)
        is_fixed = value.startswith(_FIXED) and not _LATER.fullmatch(value)
        return key in _OF_FILES and is_fixed and self.files.find(value) is None

    def _is_parameter(self, wanted: str) -> bool:
        return any(each == wanted or each.startswith(f"{wanted}=") for each in self.parameters)


def _manager(folder: str) -> str:
    return folder.rpartition("/")[2]


def is_drop_in(path: str) -> bool:
    """Whether a path is that of a drop-in of a unit."""
    folder = path.rpartition("/")[0]
    return folder.endswith(".d") and folder.rpartition("/")[0] in FOLDERS and path.endswith(".conf")


def names(links: Iterable[str]) -> list[str]:
    """The names of the units behind links in folders of units."""
    return [path.rpartition("/")[2] for path in links]
