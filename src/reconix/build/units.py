"""Which systemd units start: the links that ``systemctl`` would make.

They are generated files below ``/etc/systemd/system``, laid over those of the root. A link cannot
be taken away by laying something over it, so to disable a unit that a package enabled, its link is
replaced by one to ``/dev/null``: systemd ignores a dependency of that form.

Source: systemd.unit(5), sections *[Install] section options* and *Unit file load path*.
Proven by ``tests/compat/test_units.py`` against ``systemctl --root``.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.config.schema.system import Services
from reconix.store.tree import Symlink

FOLDER = "systemd/system"
_SHIPPED = Path("usr/lib/systemd/system")
_PLACES = (_SHIPPED, Path("etc/systemd/system"))
_WRITTEN = ("service", "socket", "timer", "path", "target")
"""Kinds of units that are always files."""


class UnknownUnit(ReconixError):
    """The configuration names a unit that no package and no file of the system has."""

    exit_code = 62


class NotInstallable(ReconixError):
    """A unit does not say what should start it."""

    exit_code = 62


@dataclass(frozen=True, slots=True)
class Install:
    """The section ``[Install]`` of a unit."""

    wanted_by: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Install":
        """Read it from the text of a unit; one that is not there is empty."""
        found: dict[str, list[str]] = {"WantedBy": [], "RequiredBy": [], "Alias": []}
        section = ""
        for line in (line.strip() for line in text.splitlines()):
            key, _, value = line.partition("=")
            if line.startswith("["):
                section = line
            elif section == "[Install]" and key.strip() in found:
                found[key.strip()] += value.split()
        return cls(*(tuple(names) for names in found.values()))


def links(services: Services, own: Mapping[str, bytes], root: Path) -> dict[str, Symlink]:
    """The links for what is enabled, disabled and masked, by path below ``/etc``.

    Args:
        services: what the configuration says.
        own: the units of the configuration, by name; they start as their ``[Install]`` says.
        root: the Debian root.

    Raises:
        UnknownUnit: a unit that there is not.
        NotInstallable: a unit to enable that has no ``[Install]``.
    """
    made: dict[str, Symlink] = {}
    for unit in services.disable:
        made |= _disabled(unit, root)
    for unit in dict.fromkeys([*services.enable, *sorted(own)]):
        made |= _enabled(unit, own, root, must=unit in services.enable)
    for unit in services.mask:
        made[f"{FOLDER}/{unit}"] = Symlink("/dev/null")
    return made


def check_known(wanted: Iterable[str], own: Mapping[str, bytes], root: Path) -> None:
    """Refuse units that no package and no file of the system has.

    Args:
        wanted: names, for example those that health checks wait for.
        own: the units of the configuration, by name.
        root: the Debian root.

    Raises:
        UnknownUnit: one is not there; the hint has the nearest.
    """
    for unit, hint in unknown(wanted, own, shipped(root)):
        raise UnknownUnit(f"health.checks waits for {unit}, which there is not", hint=hint)


def shipped(root: Path) -> frozenset[str]:
    """The units that packages have brought into a root."""
    return frozenset(path.name for place in _PLACES for path in (root / place).glob("*.*"))


def unknown(
    wanted: Iterable[str], own: Mapping[str, bytes], of_packages: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Which units no package and no file of the system has, each with advice.

    Units that systemd makes by itself, such as those of mounts and devices, are not looked for.
    """
    for unit in wanted:
        names = {unit, _template(unit)}
        if unit.rpartition(".")[2] not in _WRITTEN or names & of_packages or names & own.keys():
            continue
        known = {*own, *of_packages, *(name for text in own.values() for name in _aliases(text))}
        if not names & known:
            near = difflib.get_close_matches(unit, sorted(known), n=1)
            yield unit, f"did you mean {near[0]}?" if near else "is its package in `packages`?"


def _aliases(unit: bytes) -> tuple[str, ...]:
    return Install.parse(unit.decode(errors="replace")).aliases


def _template(unit: str) -> str:
    """The file of a unit: several may be made from one, ``getty@tty1`` from ``getty@``."""
    return unit.partition("@")[0] + "@." + unit.rpartition(".")[2] if "@" in unit else unit


def _enabled(unit: str, own: Mapping[str, bytes], root: Path, *, must: bool) -> dict[str, Symlink]:
    target, text = _text(unit, own, root)
    install = Install.parse(text)
    if must and install == Install():
        raise NotInstallable(
            f"{unit} has no [Install] section, so nothing would start it",
            hint="it is started by another unit, or needs WantedBy=multi-user.target",
        )
    link = Symlink(target)
    return {
        **{f"{FOLDER}/{name}.wants/{unit}": link for name in install.wanted_by},
        **{f"{FOLDER}/{name}.requires/{unit}": link for name in install.required_by},
        **{f"{FOLDER}/{name}": link for name in install.aliases},
    }


def _text(unit: str, own: Mapping[str, bytes], root: Path) -> tuple[str, str]:
    """Where a unit is on the device, and what it says."""
    if unit in own:
        return f"/etc/{FOLDER}/{unit}", own[unit].decode()
    template = _template(unit)
    shipped = root / _SHIPPED / template
    if not shipped.is_file():
        raise UnknownUnit(f"no unit {unit}", hint="is its package in `packages`?")
    return f"/{_SHIPPED / template}", shipped.read_text()


def _disabled(unit: str, root: Path) -> dict[str, Symlink]:
    folder = root / "etc" / FOLDER
    lists = [*folder.glob("*.wants"), *folder.glob("*.requires")]
    return {
        f"{FOLDER}/{place.name}/{unit}": Symlink("/dev/null")
        for place in sorted(lists)
        if (place / unit).is_symlink()
    }
