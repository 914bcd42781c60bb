"""Evaluation: the store path that each system has, usually without building anything.

The path of a system is the hash of everything in it, so two systems with one path are identical to
the last bit, whatever was edited. Roots, kernels and initrds that were made before are known by
their recipes; everything else is generated in memory. So the path can be computed for a revision of
last year as well. Nix calls this evaluation, and there it never needs what a build makes; here it
reads the root, which says which users and units there are.

Tested by ``tests/compat/test_build.py``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.build.host import Workshop, build_toplevels
from reconix.build.inspect.differences import first_differences
from reconix.config.lock.hosts import HostLock
from reconix.config.lock.packages import LockedPackage
from reconix.config.schema.hosts import Host
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath


class NotBuilt(ReconixError):
    """A part of a system has not been built yet, and must not be built now."""


def toplevels(workshop: Workshop, host: Host, lock: HostLock) -> dict[str, StorePath]:
    """The toplevel of each system of a host; what is missing is built."""
    return {**build_toplevels(workshop, host, lock, host.systems), **_of_nix(host, lock)}


def known_toplevels(
    workshop: Workshop, host: Host, lock: HostLock, names: Iterable[str] | None = None
) -> dict[str, StorePath]:
    """The toplevels that are known without unpacking a package: of systems built before.

    Args:
        workshop: store and packages.
        host: as configured.
        lock: what its systems consist of.
        names: of the systems of Debian that are asked for; by default, all of them.
    """
    found = _of_nix(host, lock)
    known = replace(workshop, fetch=refuse, containers=workshop.containers.known(refuse))
    for name in host.systems if names is None else names:
        try:
            found |= build_toplevels(known, host, lock, [name])
        except NotBuilt:
            continue
    return found


def refuse(_packages: Iterable[LockedPackage] = ()) -> Mapping[LockedPackage, Path]:
    """For whoever must not unpack packages.

    Raises:
        NotBuilt: always.
    """
    raise NotBuilt("packages would have to be unpacked")


def _of_nix(host: Host, lock: HostLock) -> dict[str, StorePath]:
    return {name: lock.nix[name].toplevel for name in host.nixos if name in lock.nix}


def changes(store: ChrootStore, old: StorePath, new: StorePath) -> tuple[str, ...]:
    """What differs on the device between two toplevels, as far as both are in the store."""
    if old == new or not (store.is_valid(old) and store.is_valid(new)):
        return ()
    return first_differences(store, old, new)
