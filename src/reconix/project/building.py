"""Building a host of a project: its generation gets a number, if it is what the project wants.

Tested by ``tests/compat/test_build.py``.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from reconix.base import progress
from reconix.build.host import Workshop, build_host
from reconix.build.inspect import budgets, frozen
from reconix.build.inspect.evaluate import NotBuilt, refuse
from reconix.build.measured import Measured
from reconix.build.pins import Pin
from reconix.build.root import losses
from reconix.build.users.known_ids import of_generation
from reconix.config.lock.hosts import HostLock
from reconix.config.problems import Problem
from reconix.config.schema.hosts import Host
from reconix.containers.descriptors import BadImage
from reconix.containers.locking import BadContainers
from reconix.nix.chroot import ChrootStore
from reconix.project.downloads import Downloads
from reconix.project.files import NotLocked, ProjectFiles
from reconix.store.generation import read_generation
from reconix.store.paths import StorePath


def build(
    files: ProjectFiles,
    store: ChrootStore,
    host: Host,
    downloads: Downloads,
    numbers: Mapping[str, int] = MappingProxyType({}),
    measured: Measured | None = None,
) -> Pin:
    """Build a host; keep the generation if it is within budget and leaves what is frozen unchanged.

    Args:
        files: of the project.
        store: where it goes.
        host: one of the project's, with the keys that its devices trust.
        downloads: what was fetched once, and the way to what was not.
        numbers: of users, whatever devices know.
        measured: of the store; what is computed now is known to it afterwards.
    """
    lock = files.numbered_lock(store, host, numbers)
    known = measured or Measured(store)
    with progress.stage(f"build {host.name}"):
        return _build(files, store, host, files.workshop(store, downloads), lock, known)


def _build(
    files: ProjectFiles,
    store: ChrootStore,
    host: Host,
    workshop: Workshop,
    lock: HostLock,
    known: Measured,
) -> Pin:
    expect_fitting(files, host, workshop, lock)
    path = build_host(workshop, host, lock, known)
    pins = files.pins(store, host)
    before = [pin.path for pin in pins.all() if store.is_valid(pin.path)]
    budgets.check_systems(known, host.systems, path)
    budgets.check_generation(known, path, files.configuration.project.budgets.generation)
    frozen.check(store, host.systems, path, before[-1] if before else None)
    pin = pins.add(path)
    for line in losses.report(debian_roots(store, path, host.systems)):
        progress.note(line)
    files.remember(host, {**lock.numbers, **of_generation(store, path, host.systems)})
    return pin


def expect_fitting(files: ProjectFiles, host: Host, workshop: Workshop, lock: HostLock) -> None:
    """Look into the images of containers before anything else is built.

    Raises:
        BadContainers: something that is asked for is not in one.
    """
    found = [
        problem
        for name in sorted(host.systems)
        for problem in workshop.containers.unfit(host, lock, name, files.table(host, name))
    ]
    if found:
        raise BadContainers(found, BadImage.exit_code)


def known_unfit(
    files: ProjectFiles, store: ChrootStore, host: Host, downloads: Downloads
) -> Iterator[Problem]:
    """The same as problems, as far as images were unpacked before; nothing is fetched or made."""
    try:
        lock = files.host_lock(host)
    except NotLocked:
        return
    containers = files.workshop(store, downloads).containers.known(refuse)
    for name in sorted(host.systems):
        with contextlib.suppress(NotBuilt):
            yield from list(containers.unfit(host, lock, name, files.table(host, name)))


def debian_roots(
    store: ChrootStore, generation: StorePath, names: Collection[str]
) -> dict[str, Path]:
    """Where the Debian roots of systems lie on this machine."""
    systems = read_generation(store.store_dir, generation).systems
    toplevels = {each.name: store.path(each.toplevel) for each in systems if each.name in names}
    return {
        name: store.path(StorePath.parse(str((toplevel / "root").readlink())))
        for name, toplevel in toplevels.items()
    }
