"""Which systemd units start: the links that ``systemctl enable`` would make.

They are generated files below ``/etc/systemd/system``, laid over those of the root. A link cannot
be taken away by laying something over it, so to disable a unit that a package enabled, its link is
replaced by one to ``/dev/null``: systemd ignores a dependency of that form. What a package has
masked and the configuration enables is unmasked in the same way: the mask is replaced.

Presets are not looked at: they decide when a package is installed or a machine starts for the first
time, and Debian's maintainer scripts have done the former.

Source: systemd.unit(5), sections *[Install] section options* and *Unit file load path*.
Tested by ``tests/compat/test_units.py`` against ``systemctl --root``.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.units.unit_files import (
    CONFIGURED,
    FOLDER,
    MASKED,
    SHIPPED,
    Install,
    UnitFile,
    UnitFiles,
    instance,
    template,
)
from reconix.config.rules import dynamic_user
from reconix.config.schema.system import Services, System
from reconix.store.tree import File, Symlink

_WRITTEN = ("service", "socket", "timer", "path", "target")
"""Kinds of units that are always files."""
_LISTS = ("*.wants/*", "*.requires/*", "*.upholds/*", "*.*")
_SPECIFIER = re.compile(r"%(.?)")


class UnknownUnit(ReconixError):
    """The configuration names a unit that no package and no file of the system has."""

    exit_code = 62


class NotInstallable(ReconixError):
    """A unit does not say what should start it."""

    exit_code = 62


class AlwaysActive(ReconixError):
    """A check waits for a unit that is active whatever happens."""

    exit_code = 62


class NeedsLink(ReconixError):
    """Something persists where a unit of a package needs a link."""

    exit_code = 62


def check_private(system: System, files: UnitFiles) -> None:
    """Refuse folders that persist where systemd needs a link (``config/rules/dynamic_user.py``).

    Raises:
        NeedsLink: there is one; the hint has the folder behind the link.
    """
    for unit, path, behind in in_the_way(system, files.services()):
        raise NeedsLink(dynamic_user.told(unit, path), hint=f'persist "{behind}" instead')


def in_the_way(
    system: System, services: Iterable[tuple[str, list[str]]]
) -> Iterator[tuple[str, str, str]]:
    """What persists where a unit needs a link: the unit, the path, and what it should be."""
    for unit, texts in services:
        for path, behind in dynamic_user.taken(system, unit, texts):
            yield unit, path, behind


def links(
    services: Services, own: Iterable[str], generated: Mapping[str, File | Symlink], root: Path
) -> dict[str, Symlink]:
    """The links for what is enabled, disabled and masked, by path below ``/etc``.

    Args:
        services: what the configuration says.
        own: names of the units of the configuration, which start as their ``[Install]`` says.
        generated: what the configuration has below ``/etc/systemd/system``, by path.
        root: the Debian root.

    Raises:
        UnknownUnit: there is no such unit.
        NotInstallable: a unit to enable that has no ``[Install]``.
    """
    files = UnitFiles(generated, root)
    made = _disabled(services.disable, files)
    enabling = _Enabling(files, frozenset(services.disable))
    for unit in services.enable:
        made |= enabling.must(unit)
    for unit in sorted(own):
        made |= enabling.may(unit)
    made |= {f"{FOLDER}/{unit}": MASKED for unit in services.mask}
    return made


def check_known(
    wanted: Iterable[str],
    generated: Mapping[str, File | Symlink],
    root: Path,
    *,
    because: str = "health.checks waits for",
) -> None:
    """Refuse units that no package and no file of the system has.

    Args:
        wanted: names, for example those that health checks wait for.
        generated: what the configuration has below ``/etc/systemd/system``, by path.
        root: the Debian root.
        because: what names them.

    Raises:
        UnknownUnit: one is not there; the hint has the nearest.
    """
    for unit, hint in unknown(wanted, generated, shipped(root)):
        raise UnknownUnit(f"{because} {unit}, but there is no such unit", hint=hint)


def check_not_always_active(wanted: Iterable[str], files: UnitFiles) -> None:
    """Refuse to wait for units of packages that are active whatever happens to their service.

    They stand for others, whose names depend on what packages find at the start.

    Raises:
        AlwaysActive: one is such a unit; the hint has those that it stands for.
    """
    for unit in wanted:
        found = files.find(unit)
        if found is not None and found.place.startswith(f"/{SHIPPED}/") and found.does_nothing:
            others = f"{unit.rpartition('.')[0]}@"
            raise AlwaysActive(
                f"health.checks waits for {unit}, which does nothing and is always active",
                hint=f"wait for the units it stands for, such as {others}<name>.service",
            )


def shipped(root: Path) -> frozenset[str]:
    """The units that packages have brought into a root."""
    places = (root / SHIPPED, root / CONFIGURED)
    return frozenset(path.name for place in places for path in place.glob("*.*"))


def unknown(
    wanted: Iterable[str], generated: Mapping[str, File | Symlink], of_packages: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Which units no package and no file of the system has, each with advice.

    Units that systemd creates by itself, such as those of mounts and devices, are not looked for.
    """
    aliases = {name for node in generated.values() for name in _aliases(node)}
    known = {*generated, *aliases, *of_packages}
    for unit in wanted:
        if unit.rpartition(".")[2] in _WRITTEN and not {unit, template(unit)} & known:
            near = difflib.get_close_matches(unit, sorted(known), n=1)
            yield unit, f"did you mean {near[0]}?" if near else "is its package in `packages`?"


def _aliases(unit: File | Symlink) -> tuple[str, ...]:
    text = unit.content if isinstance(unit, File) else b""
    return Install.parse(text.decode(errors="replace")).aliases


class _Enabling:
    """Makes the links of units and of those that they name in ``Also=``, each once."""

    def __init__(self, files: UnitFiles, without: frozenset[str]) -> None:
        self._files = files
        self._done = set(without)

    def must(self, unit: str) -> dict[str, Symlink]:
        """Enable a unit that the configuration names."""
        found = self._files.find(unit)
        if found is None:
            raise UnknownUnit(f"no unit {unit}", hint="is its package in `packages`?")
        if not found.install.starts_something:
            raise NotInstallable(
                f"{unit} has no [Install] section, so nothing would start it",
                hint="it is started by another unit, or needs WantedBy=multi-user.target",
            )
        if _is_only_template(found):
            raise NotInstallable(
                f"{unit} is a template without DefaultInstance",
                hint=f"name an instance: {unit.replace('@', '@NAME')}",
            )
        made = self.may(unit)
        if found.is_masked:
            made[f"{FOLDER}/{found.unit}"] = Symlink(found.place)
        return made

    def may(self, unit: str) -> dict[str, Symlink]:
        """Enable a unit as it says, if it is there and says something."""
        found = self._files.find(unit)
        if found is None or found.unit in self._done:
            return {}
        self._done.add(found.unit)
        made = _links_of(found)
        for also in found.install.also:
            made |= self.may(_expanded(also, found))
        return made


def _links_of(found: UnitFile) -> dict[str, Symlink]:
    install, link = found.install, Symlink(found.place)
    made = {f"{FOLDER}/{_alias(name, found)}": link for name in install.aliases}
    unit = _instantiated(found)
    if not _is_only_template(found):
        for kind, names in (
            ("wants", install.wanted_by),
            ("requires", install.required_by),
            ("upholds", install.upheld_by),
        ):
            made |= {f"{FOLDER}/{_expanded(name, found)}.{kind}/{unit}": link for name in names}
    return made


def _is_only_template(found: UnitFile) -> bool:
    unit = _instantiated(found)
    return "@" in unit and not instance(unit)


def _instantiated(found: UnitFile) -> str:
    """The unit, or that of the default instance if only the template is meant."""
    if "@" in found.unit and not instance(found.unit):
        return found.unit.replace("@", f"@{''.join(found.install.default_instance[-1:])}")
    return found.unit


def _alias(name: str, found: UnitFile) -> str:
    """Another name of a unit; a template stands for the same instance."""
    return _expanded(name, found).replace("@.", f"@{instance(found.unit)}.")


def _expanded(text: str, found: UnitFile) -> str:
    """A name in ``[Install]``, in which specifiers stand for parts of the unit's own name."""
    unit = _instantiated(found)
    name = unit.rpartition(".")[0]
    prefix = name.partition("@")[0]
    known = {"%": "%", "n": unit, "N": name, "p": prefix, "i": instance(unit)}
    known["j"] = prefix.rpartition("-")[2]

    def meaning(match: re.Match[str]) -> str:
        if match[1] not in known:
            fact = f"{found.unit} has {match[0]} in [Install], which only the device knows"
            raise NotInstallable(fact, hint="write the name itself")
        return known[match[1]]

    return _SPECIFIER.sub(meaning, text)


def _disabled(units: Iterable[str], files: UnitFiles) -> dict[str, Symlink]:
    """All links that lead to these units, and to those that they name in ``Also=``, masked."""
    gone: set[str] = set()
    waiting = list(units)
    while waiting:
        unit = waiting.pop()
        found = files.find(unit)
        if unit not in gone and found is not None:
            waiting += [_expanded(also, found) for also in found.install.also]
            gone.add(found.unit)
        gone.add(unit)
    folder = files.root / CONFIGURED
    found_links = sorted({path for pattern in _LISTS for path in folder.glob(pattern)})
    return {
        f"{FOLDER}/{path.relative_to(folder)}": MASKED
        for path in found_links
        if path.is_symlink() and _leads_to(path, gone)
    }


def _leads_to(link: Path, units: set[str]) -> bool:
    """Whether a link enables one of the units; a template means all its instances."""
    target = link.readlink().name
    is_dependency = link.parent.suffix in {".wants", ".requires", ".upholds"}
    if is_dependency:
        return link.name in units or template(link.name) in units or target in units - {link.name}
    return target in units and link.name != target
