"""The containers of a generation: what they were made of, and what each takes on a device.

A container shares its files with everything else that has the same, so its size has two parts: what
only it has, which would be gone with it, and what something else has as well, be that another
container, or the system itself. Names and owners, in images, are not counted.

Tested by ``tests/unit/composition/test_containers.py``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconix.composition import parts
from reconix.composition.toplevel_parts import containers_of
from reconix.device.settings.containers import Container
from reconix.nix.chroot import ChrootStore
from reconix.nix.images import is_sidecar
from reconix.store.generation import Generation
from reconix.store.paths import StorePath


@dataclass(frozen=True, slots=True)
class Measured:
    """A container of a system, and its size on a device."""

    system: str
    container: Container
    size_bytes: int
    alone_bytes: int
    """What nothing else of the generation has."""

    @property
    def shared_bytes(self) -> int:
        """What something else has as well."""
        return self.size_bytes - self.alone_bytes


def measured(store: ChrootStore, generation: Generation) -> tuple[Measured, ...]:
    """The containers of all systems, by system and name.

    Raises:
        ReconixError: something of the generation was altered.
    """
    owners: dict[str, list[StorePath]] = {}
    found: list[tuple[str, Container]] = []
    for system in generation.systems:
        closure = list(store.closure(system.toplevel))
        containers = containers_of(store, system.toplevel)
        found += ((system.name, each) for each in containers)
        owners |= _owners(system.name, containers, closure)
    contents = parts.owned(store, owners)
    return tuple(_measured(system, each, contents) for system, each in sorted(found, key=_order))


def _owners(
    system: str, containers: Iterable[Container], closure: list[StorePath]
) -> Iterator[tuple[str, list[StorePath]]]:
    """Which objects each container has, and which the system has besides them."""
    sidecars = [path for path in closure if is_sidecar(path)]
    of_containers: set[StorePath] = set()
    for each in containers:
        of_containers.update(each.objects)
        yield _label(system, each), [*each.objects, *sidecars]
    yield system, [path for path in closure if path not in of_containers]


def _label(system: str, container: Container) -> str:
    """No name of a system has a colon."""
    return f"{system}:{container.name}"


def _order(found: tuple[str, Container]) -> tuple[str, str]:
    return found[0], found[1].name


def _measured(system: str, container: Container, contents: Iterable[parts.Content]) -> Measured:
    label = _label(system, container)
    own = [each for each in contents if label in each.systems]
    alone = sum(each.size_bytes for each in own if len(each.systems) == 1)
    return Measured(system, container, sum(each.size_bytes for each in own), alone)
