"""The containers of a system, as the rest of a build sees them: one object, if there are any.

What is in it is made by the package ``containers``, which knows images and roots; a build is handed
what does it, as it is handed what fetches packages.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.merge import Table
from reconix.config.problems import Problem
from reconix.config.schema.hosts import Host
from reconix.store.paths import StorePath


class ContainerSource(Protocol):
    """Makes the containers of systems."""

    def make(self, host: Host, lock: HostLock, system: str, root: Path) -> StorePath | None:
        """The object with the containers of a system; nothing if it has none.

        Args:
            host: as configured.
            lock: of the host.
            system: the name of the system.
            root: its Debian root, as it lies in the store of the build machine.
        """

    def unfit(self, host: Host, lock: HostLock, system: str, table: Table) -> Iterator[Problem]:
        """What the containers of a system ask for that is not in their images.

        Args:
            host: as configured.
            lock: of the host.
            system: the name of the system.
            table: its values, which know where they were written.
        """

    def known(self, refuse: Callable[..., Mapping[LockedPackage, Path]]) -> "ContainerSource":
        """The same, which has only what was made before.

        Args:
            refuse: called where it would fetch or unpack something; raises.
        """
