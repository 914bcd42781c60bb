"""Tags that moved: the same reference led to one image before, and leads to another one now.

Whoever writes a tag wants what is new under it, and must see when there is something: it is the one
input that others change without a line of the configuration.

Tested by ``tests/unit/config/lock/test_moved.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reconix.base.digests import Digest
from reconix.config.lock.containers import ContainerLock
from reconix.config.lock.hosts import Lock


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """A reference that leads elsewhere now."""

    where: str
    """``host:system``, and the container."""
    container: str
    asked: str
    before: Digest
    now: Digest
    is_the_same_image: bool
    """Whether only the images for other architectures changed."""

    def __str__(self) -> str:
        same = "; the image for this architecture is the same" if self.is_the_same_image else ""
        return (
            f"container {self.container} of {self.where}: {self.asked} was {self.before}, "
            f"and is {self.now} now{same}"
        )


def images(lock: Lock) -> Iterator[tuple[str, str, ContainerLock]]:
    """Every image of a lock: of which system, which container."""
    for host_name, host in sorted(lock.hosts.items()):
        for system_name, system in sorted(host.systems.items()):
            for name, container in sorted(system.containers.items()):
                if not container.is_native:
                    yield f"{host_name}:{system_name}", name, container


def moved(before: Lock, now: Lock) -> tuple[Moved, ...]:
    """The references that led elsewhere before, sorted."""
    known = {(where, name): container for where, name, container in images(before)}
    return tuple(sorted(_moved(known, now)))


def _moved(known: dict[tuple[str, str], ContainerLock], now: Lock) -> Iterator[Moved]:
    for where, name, container in images(now):
        old = known.get((where, name))
        if old is None or old.asked != container.asked or old.top == container.top:
            continue
        assert old.top is not None and container.top is not None, "images have one"
        is_the_same = old.manifest == container.manifest
        yield Moved(where, name, container.asked, old.top, container.top, is_the_same)
