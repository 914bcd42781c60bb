"""What differs between two states of a project, system by system.

A system is decided by three things: its options, the content of the files that they name, and its
locked packages. Here they are spread out as texts by key, so that two states can be compared
without building either. A system for which all are the same is built to the same store path by the
same version of reconix, so a change that does not show here cannot reach it.

Tested by ``tests/unit/config/test_compare.py``.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconix.base.digests import Digest
from reconix.config.load import Loaded
from reconix.config.lock.hosts import HostLock, SystemLock
from reconix.config.lock.packages import DEBIAN, LockedPackage
from reconix.config.patterns import Patterns
from reconix.config.schema.content import Content
from reconix.config.schema.hosts import Host
from reconix.config.schema.system import System
from reconix.config.show import Row, rows

Facts = Mapping[str, str]
"""Texts by key, for example ``health.timeout`` and ``package nginx``."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that differs between both states; None if one of them does not have it."""

    key: str
    old: str | None
    new: str | None


def compare(old: Facts, new: Facts) -> tuple[Difference, ...]:
    """What differs, in the order of the newer state; what is gone comes last."""
    keys = [*new, *(key for key in old if key not in new)]
    found = (Difference(key, old.get(key), new.get(key)) for key in keys)
    return tuple(each for each in found if each.old != each.new)


def facts(loaded: Loaded, lock: HostLock | None, host: Host) -> dict[str, Facts]:
    """Everything that decides the systems of a host, and what they share as ``""``.

    Args:
        loaded: the project.
        lock: of the host, if there is one.
        host: one of the project's.
    """
    found: dict[str, Facts] = {"": _machine(loaded, lock, host)}
    for name, system in host.systems.items():
        options = rows(loaded.shapes.system, loaded.systems[host.name][name])
        found[name] = {
            **_texts(options, loaded.configuration.folder),
            **_contents(system),
            **_packages(lock, name),
        }
    for name, nixos in host.nixos.items():
        said = {f.name: getattr(nixos, f.name) for f in dataclasses.fields(nixos)}
        texts = {f"nix.{key}": str(value) for key, value in said.items() if value}
        locked = lock.nix.get(name) if lock else None
        found[name] = texts | ({"toplevel": str(locked.toplevel)} if locked else {})
    return found


def _machine(loaded: Loaded, lock: HostLock | None, host: Host) -> Facts:
    texts = _texts(
        rows(loaded.shapes.machine, loaded.machines[host.name]), loaded.configuration.folder
    )
    return {**texts, **_versions([*lock.loader, *lock.initrd] if lock else [])}


def _texts(found: Iterable[Row], folder: Path) -> dict[str, str]:
    """Values as TOML, files relative to the project."""
    home = f"{folder.absolute()}/"
    return {row.key: row.value.replace(home, "") for row in found if row.value is not None}


def _contents(system: System) -> dict[str, str]:
    """What files hold that are only named in the configuration."""
    named: dict[str, Content] = {f"files.{name}": file for name, file in system.files.items()}
    named |= {f"units.{name}": unit for name, unit in system.units.items()}
    named |= {
        f"containers.{name}.files.{path}": file
        for name, container in system.containers.items()
        for path, file in container.files.items()
    }
    found = {
        f"content of {name}": str(Digest.of(content.read()))
        for name, content in named.items()
        if content.source is not None
    }
    trees = {
        f"content of trees.{path}": str(_content_of(tree.source, Patterns(tree.exclude)))
        for path, tree in system.trees.items()
    }
    keys = {f"keys of {name}": ", ".join(user.keys()) for name, user in system.users.items()}
    return found | trees | keys | _own_wheels(system)


def _content_of(folder: Path, excluded: Patterns) -> Digest:
    """A digest of what counts of a folder, as far as a device could have it."""
    lines: list[str] = []
    for place, folders, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        folders[:] = sorted(
            name for name in folders if not excluded.match(str(inside / name), is_folder=True)
        )
        lines += [f"{inside / name}/" for name in folders]
        lines += [
            f"{inside / name} {_said_of(Path(place, name))}"
            for name in sorted(names)
            if not excluded.match(str(inside / name))
        ]
    return Digest.of("\0".join(lines).encode(errors="surrogateescape"))


def _said_of(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    kind = "program" if os.access(path, os.X_OK) else "file"
    return f"{kind} {Digest.of_file(path)}" if path.is_file() else "something else"


def _own_wheels(system: System) -> dict[str, str]:
    return {
        f"content of python.{name}.wheels {path.name}": str(Digest.of_file(path))
        for name, environment in system.python.items()
        for pattern in environment.wheels
        for path in pattern.files()
    }


def _packages(lock: HostLock | None, name: str) -> dict[str, str]:
    system = lock.systems.get(name) if lock else None
    if system is None:
        return {}
    wheels = {
        f"wheel {wheel.name} of python.{environment}": wheel.version
        for environment, locked in system.python.items()
        for wheel in locked.wheels
    }
    return _versions([*system.packages, *system.kernel]) | wheels | _containers(system, lock)


def _containers(system: SystemLock, lock: HostLock | None) -> dict[str, str]:
    """What containers are made of, and whose numbers they have."""
    found = {}
    for name, container in system.containers.items():
        for key, version in _versions(container.packages).items():
            found[f"{key} in container {name}"] = version
        if container.manifest is not None:
            found[f"image of container {name}"] = str(container.manifest.digest)
        if lock is not None and name in lock.ranges:
            found[f"range of container {name}"] = str(lock.ranges[name])
    return found


def _versions(packages: Iterable[LockedPackage]) -> dict[str, str]:
    """With where they come from, if not from Debian; a file of the project changes as it likes."""
    found = {}
    for each in packages:
        origin = f" of {each.path if each.is_of_project else each.archive}"
        found[f"package {each.name}"] = each.version + ("" if each.archive in DEBIAN else origin)
        if each.is_of_project:
            found[f"content of package {each.name}"] = str(each.sha256)
    return found
