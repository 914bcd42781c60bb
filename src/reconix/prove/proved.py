"""What was proved: that a system has run, with these containers, before it is relied on.

What boots by itself was started before, as a whole: then its loader, kernel and root are proved. Or
it differs from such a system in its containers alone, and in what only the agent reads; then these
were well while the rest of it ran (``docs/spec/trial.md``, *Containers without a restart*). The
agent's memory is not asked: who made the history saw it, and from which point of the log on.

Tested by ``tests/unit/prove/test_proved.py`` and, with bugs planted, ``tests/crash/planted/``.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from reconix.base.files import read_bounded
from reconix.device.settings import containers, health
from reconix.device.settings.containers import Container, parse_containers, unit_of
from reconix.device.settings.health import ContainerWorks, parse_health
from reconix.nix.chroot import ChrootStore
from reconix.store import nar
from reconix.store.paths import StorePath

_MAY_DIFFER = frozenset({"containers", "health.json", "secrets.json"})
"""Of two systems that differ in their containers; see ``docs/spec/trial.md``."""


@dataclass(frozen=True, slots=True)
class Ran:
    """From a point of the log on it is known that a system runs, with these containers.

    Attributes:
        position: the point.
        toplevel: the system that was started.
        containers: the object that tells of those that are well.
    """

    position: int
    toplevel: StorePath
    containers: StorePath | None


@dataclass(frozen=True, slots=True)
class Shape:
    """A system, its containers apart.

    Attributes:
        toplevel: its name.
        rest: stands for all of it but the containers and what only the agent reads.
        containers: the object that tells of them, if it has some.
        listed: what that tells.
        units: stands for what systemd reads of them.
        asked: the units of those that its health checks ask for.
    """

    toplevel: StorePath
    rest: bytes
    containers: StorePath | None = None
    listed: tuple[Container, ...] = ()
    units: bytes = b""
    asked: frozenset[str] = frozenset()

    def is_like(self, other: "Shape") -> bool:
        """Whether another system differs in its containers at most."""
        return self.rest == other.rest


def shape_of(store: ChrootStore, toplevel: StorePath) -> Shape:
    """The shape of a system in the build store."""
    place = store.path(toplevel)
    link = place / containers.LINK
    if not link.is_symlink():
        return Shape(toplevel, _rest(place))
    found = StorePath.parse(str(link.readlink()))
    told = store.path(found) / containers.NAME
    content = read_bounded(told, containers.MAX_BYTES)
    listed = parse_containers(content, source=str(told))
    units = store.path(found) / "units"
    read = nar.digest(units).digest.value if units.exists() else b""
    return Shape(toplevel, _rest(place), found, listed, read, _asked(place / health.NAME))


def _asked(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    said = parse_health(read_bounded(path, health.MAX_BYTES), source=str(path))
    found = (each.condition for each in said.checks)
    return frozenset(unit_of(each.container) for each in found if isinstance(each, ContainerWorks))


def _rest(place: Path) -> bytes:
    state = hashlib.sha256()
    for entry in sorted(place.iterdir()):
        if entry.name not in _MAY_DIFFER:
            state.update(f"{entry.name}\0{nar.digest(entry).digest.hex()}\n".encode())
    return state.digest()


def unproved(system: Shape, shapes: Iterable[Shape], ran: Collection[Ran]) -> str:
    """Why a system must not boot by itself; "" if it may.

    Args:
        system: the one that would.
        shapes: of all that are known.
        ran: what is known to have run.
    """
    alike = {each.toplevel for each in shapes if each.is_like(system)} | {system.toplevel}
    seen = {each.containers for each in ran if each.toplevel in alike}
    if not seen:
        return "a default system that never ran"
    return "" if system.containers in seen else "a default system with containers never seen well"
