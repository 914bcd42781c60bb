"""The objects that a toplevel names, read back (``build/toplevel.py`` writes it).

Tested by ``tests/unit/composition/test_device_view.py``, ``tests/unit/composition/test_parts.py``
and ``tests/unit/composition/test_containers.py``.
"""

from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.device.settings.containers import (
    LINK,
    MAX_BYTES,
    NAME,
    Container,
    parse_containers,
)
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

_MAX_LIST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ToplevelParts:
    """What a system of Debian consists of, as far as its files are concerned."""

    root: StorePath
    etc: StorePath
    linux: StorePath
    """It has the kernel's modules in a folder, and the kernel if all modules stay."""
    modules: str
    """The name of that folder, with a slash in front."""
    agent: StorePath | None
    trees: tuple[tuple[StorePath, str], ...]
    """What is bound, and where."""
    layers: tuple[StorePath, ...]
    """What is laid over the root, the uppermost first."""
    containers: tuple[tuple[StorePath, str], ...] = ()
    """What containers are made of, and the name of the first that has it; what tells of them all
    has none."""

    @classmethod
    def read(cls, store: ChrootStore, toplevel: StorePath) -> "ToplevelParts | None":
        """The parts of a system; nothing if it is not Debian's.

        Raises:
            BadStorePath: it leads out of the store.
        """
        place = store.path(toplevel)
        if not all((place / name).is_symlink() for name in ("root", "etc", "modules")):
            return None
        linux, modules = _link(place / "modules")
        return cls(
            root=_link(place / "root")[0],
            etc=_link(place / "etc")[0],
            linux=linux,
            modules=modules,
            agent=_link(place / "agent")[0] if (place / "agent").is_symlink() else None,
            trees=tuple((StorePath.parse(path), at) for path, _, at in _lines(place / "trees")),
            layers=tuple(StorePath.parse(path) for path, *_ in _lines(place / "layers")),
            containers=tuple(_made_of(store, toplevel).items()),
        )


def containers_of(store: ChrootStore, toplevel: StorePath) -> tuple[Container, ...]:
    """The containers of the system with this toplevel, as it has them.

    Raises:
        BadDocument: they cannot be read.
    """
    file = store.path(toplevel) / LINK
    if not file.is_symlink():
        return ()
    found = StorePath.parse(str(file.readlink()))
    content = read_bounded(store.path(found) / NAME, MAX_BYTES)
    return parse_containers(content, source=f"{found}/{NAME}")


def _made_of(store: ChrootStore, toplevel: StorePath) -> dict[StorePath, str]:
    link = store.path(toplevel) / LINK
    found = {_link(link)[0]: ""} if link.is_symlink() else {}
    for each in containers_of(store, toplevel):
        for item in each.objects:
            found.setdefault(item, each.name)
    return found


def _link(link: Path) -> tuple[StorePath, str]:
    """The object that a link leads into, and the way on from there."""
    target = str(link.readlink())
    path = StorePath.containing(target)
    return path, target.removeprefix(str(path))


def _lines(file: Path) -> list[tuple[str, str, str]]:
    if not file.is_file():
        return []
    lines = read_bounded(file, _MAX_LIST_BYTES).decode().splitlines()
    return [line.partition(" ") for line in lines]
