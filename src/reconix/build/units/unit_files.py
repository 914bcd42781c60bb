"""Unit files: which a system has, and what each says about being enabled.

A unit of the configuration comes before one that a maintainer script has left below ``/etc``, and
that before the one of its package. A link is another name of a unit, or masks it. Lines of
``[Install]`` may stand in drop-ins too.

Nothing is read outside the root: its links lead where they would lead on the device.

Source: systemd.unit(5), *Unit file load path* and *[Install] section options*.
Tested by ``tests/unit/build/units/test_enabling.py`` and, against ``systemctl --root``, by
``tests/compat/test_units.py``.
"""

import copy
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconix.base.unit_text import assignments
from reconix.store.tree import File, Symlink

FOLDER = "systemd/system"
"""Where units are, below ``/etc`` and ``/usr/lib``."""
SHIPPED = f"usr/lib/{FOLDER}"
CONFIGURED = f"etc/{FOLDER}"
MASKED = Symlink("/dev/null")
"""What stands where a unit must not be found."""
_RUNS = re.compile(r"^Exec(?:Start|StartPre|StartPost)\s*=\s*[-@:+!]*(\S+)", re.MULTILINE)
_TRUE = ("/bin/true", "/usr/bin/true", "true")
_MAX_LINKS = 8


_KEYS = ("WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also", "DefaultInstance")


@dataclass(frozen=True, slots=True)
class Install:
    """The section ``[Install]`` of a unit."""

    wanted_by: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    upheld_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    default_instance: tuple[str, ...] = ()

    @property
    def starts_something(self) -> bool:
        """Whether enabling the unit has an effect."""
        return any((self.wanted_by, self.required_by, self.upheld_by, self.aliases, self.also))

    @classmethod
    def parse(cls, *texts: str) -> "Install":
        """Read it from the texts of a unit and its drop-ins; one that is not there is empty."""
        lists: dict[str, list[str]] = {key: [] for key in _KEYS}
        for key, value in assignments(texts, "Install"):
            if key in lists and not value and key != "Also":
                lists[key] = []  # an empty assignment takes back what was said before
            elif key in lists:
                lists[key] += value.replace('"', "").replace("'", "").split()
        return cls(*map(tuple, lists.values()))


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One unit as it is found.

    Attributes:
        unit: its name; another one than was asked for, if that was an alias.
        place: of its file, on the device.
        install: how it is enabled, drop-ins included.
        is_masked: whether a package has masked it.
        does_nothing: whether all that it runs is ``true``.
    """

    unit: str
    place: str
    install: Install
    is_masked: bool = False
    does_nothing: bool = False


class UnitFiles:
    """All units of a system."""

    def __init__(self, generated: Mapping[str, File | Symlink], root: Path) -> None:
        """Take them from where they are.

        Args:
            generated: what the configuration has below ``/etc/systemd/system``, by path.
            root: the Debian root.
        """
        self.root = root
        self._generated = generated

    def beside(self, generated: Mapping[str, File | Symlink]) -> "UnitFiles":
        """Those of the same root under another configuration; what is known of the root stays."""
        other = copy.copy(self)
        other._generated = generated
        return other

    def find(self, unit: str) -> UnitFile | None:
        """The file behind a name, if there is one."""
        is_masked = False
        for _ in range(_MAX_LINKS):
            named = list(self._named(unit))
            is_masked = is_masked or (bool(named) and named[0][1] == MASKED)
            place, node = next((pair for pair in named if pair[1] != MASKED), ("", None))
            if node is None:
                return None
            if isinstance(node, File):
                texts = self._texts(unit, node)
                runs = [value for text in texts for value in _RUNS.findall(text)]
                does_nothing = bool(runs) and not [each for each in runs if each not in _TRUE]
                return UnitFile(unit, place, Install.parse(*texts), is_masked, does_nothing)
            unit = _instance_of(PurePosixPath(node.target).name, unit)
        return None

    def services(self, among: Set[str] | None = None) -> Iterator[tuple[str, list[str]]]:
        """Each service that is a file, with its texts: its own and those of its drop-ins.

        Args:
            among: services of the root to look at, if not at all of it.
        """
        found = self._services_of_root() if among is None else among
        for unit in sorted(found | self._generated.keys()):
            named = next(self._named(unit), None) if unit.endswith(".service") else None
            if named is not None and isinstance(named[1], File):
                yield unit, self._texts(unit, named[1])

    def touched(self, units: Iterable[str]) -> frozenset[str]:
        """Those of some units that are not only the root's: a file or a drop-in was generated."""
        own = {path.partition("/")[0].removesuffix(".d") for path in self._generated}
        return frozenset(unit for unit in units if unit in own or template(unit) in own)

    def _services_of_root(self) -> set[str]:
        shipped = (self.root / place for place in (SHIPPED, CONFIGURED))
        return {path.name for place in shipped for path in place.glob("*.service")}

    def _texts(self, unit: str, file: File) -> list[str]:
        return [body.decode(errors="replace") for body in (file.content, *self._drop_ins(unit))]

    def _named(self, unit: str) -> Iterator[tuple[str, File | Symlink]]:
        """What has this name, or is its template: first what comes first."""
        for file in dict.fromkeys((unit, template(unit))):
            if file in self._generated:
                yield f"/etc/{FOLDER}/{file}", self._generated[file]
            for folder in (CONFIGURED, SHIPPED):
                node = self._read(f"{folder}/{file}")
                if node is not None:
                    yield f"/{folder}/{file}", node

    def _read(self, path: str) -> File | Symlink | None:
        for _ in range(_MAX_LINKS):
            place = self.root / path
            if not place.is_symlink():
                return File(place.read_bytes()) if place.is_file() else None
            target = str(place.readlink())
            if PurePosixPath(target).name != place.name:
                return Symlink(target)
            path = _joined(path, target)
        return None

    def _drop_ins(self, unit: str) -> list[bytes]:
        """What is added to a unit, in the order of names; a later place hides an earlier one."""
        found: dict[str, bytes] = {}
        for folder in dict.fromkeys((f"{template(unit)}.d", f"{unit}.d")):
            for path, node in (*self._in_root(folder), *self._generated.items()):
                if path.startswith(f"{folder}/") and path.endswith(".conf"):
                    found[path] = node.content if isinstance(node, File) else b""
        names = {path.rpartition("/")[2]: path for path in found}
        return [found[names[name]] for name in sorted(names)]

    def _in_root(self, folder: str) -> Iterator[tuple[str, File | Symlink]]:
        for place in (SHIPPED, CONFIGURED):
            if folder not in self._drop_in_folders[place]:
                continue
            for file in sorted((self.root / place / folder).glob("*.conf")):
                node = self._read(f"{place}/{folder}/{file.name}")
                if node is not None:
                    yield f"{folder}/{file.name}", node

    @functools.cached_property
    def _drop_in_folders(self) -> dict[str, set[str]]:
        """By place: most units have none, and looking for each of theirs takes longest of all."""
        places = (SHIPPED, CONFIGURED)
        return {place: {path.name for path in (self.root / place).glob("*.d")} for place in places}


def template(unit: str) -> str:
    """The file of a unit: several may be made from one, ``getty@tty1`` from ``getty@``."""
    return unit.partition("@")[0] + "@." + unit.rpartition(".")[2] if "@" in unit else unit


def instance(unit: str) -> str:
    """What stands behind the ``@`` in the name of a unit."""
    return unit.partition("@")[2].rpartition(".")[0]


def _instance_of(unit: str, like: str) -> str:
    """A template with the instance of another unit; a unit of another kind as it is."""
    prefix, at, rest = unit.partition("@.")
    return f"{prefix}@{instance(like)}.{rest}" if at else unit


def _joined(path: str, target: str) -> str:
    """Where a link in a root leads, relative to the root."""
    parts = [] if target.startswith("/") else list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(target.lstrip("/")).parts:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return "/".join(parts)
