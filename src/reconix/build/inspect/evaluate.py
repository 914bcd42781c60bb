"""Which store path each system has, and what that proves.

The path of a system is the hash of everything in it, so two systems with one path are the same to
the last bit, whatever was written. Roots, kernels and initrds that were made before are known by
their recipes; everything else is generated in memory. So usually the path of a system can be told
without building anything, also for a revision of last year.

Tested by ``tests/compat/test_build.py``.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.host import Workshop, build_toplevels
from reconix.build.inspect.promises import differences
from reconix.config.lock import HostLock, LockedPackage
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

MAX_TOLD = 10


class NotBuilt(ReconixError):
    """A part of a system was not made yet, and shall not be made now."""


def toplevels(workshop: Workshop, host: Host, lock: HostLock) -> dict[str, StorePath]:
    """The toplevel of each system of a host; made, as far as it is not there."""
    return {**build_toplevels(workshop, host, lock, host.systems), **_of_nix(host, lock)}


def known_toplevels(workshop: Workshop, host: Host, lock: HostLock) -> dict[str, StorePath]:
    """The toplevels that can be told without a package: those of systems that were built before."""
    found = _of_nix(host, lock)
    for name in host.systems:
        try:
            found |= build_toplevels(replace(workshop, fetch=_refuse), host, lock, [name])
        except NotBuilt:
            continue
    return found


def _refuse(_packages: Iterable[LockedPackage]) -> Mapping[LockedPackage, Path]:
    raise NotBuilt("packages would have to be unpacked")


def _of_nix(host: Host, lock: HostLock) -> dict[str, StorePath]:
    return {name: lock.nix[name].toplevel for name in host.nixos if name in lock.nix}


def told(store: ChrootStore, old: StorePath, new: StorePath) -> tuple[str, ...]:
    """What is another on the device: a line for each file, and the way to it; not all, if many."""
    if old == new or not (store.is_valid(old) and store.is_valid(new)):
        return ()
    lines = tuple(itertools.islice(differences(store, old, new), MAX_TOLD + 1))
    return lines if len(lines) <= MAX_TOLD else (*lines[:MAX_TOLD], "and more")
