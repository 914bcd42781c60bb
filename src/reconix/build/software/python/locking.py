"""Locking Python environments: which wheels they consist of, by hash.

This follows the packages of a system, for these say which Python it has. What a lock file of
Python's tools pins for that Python is got once and looked at: only the wheel itself says for sure
what it needs. The project's own wheels are looked at together with it, but not pinned: they are
content, as its folders are, and a new one needs no new lock.

Tested by ``tests/unit/build/software/python/test_locking.py``.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from reconix.base.digests import Digest
from reconix.base.documents import print_json
from reconix.build.archive.fetch import WrongContent, cached_path
from reconix.build.software.python import lock_files
from reconix.build.software.python.complete import lacking
from reconix.build.software.python.index import Index
from reconix.build.software.python.own_wheels import own_extras, own_wheels
from reconix.build.software.python.target import Target
from reconix.build.software.python.wanted import BadEnvironment, Question, Wanted
from reconix.build.software.python.wheel import Wheel
from reconix.config.lock.document import FILE_NAME
from reconix.config.lock.hosts import HostLock, Lock, SystemLock
from reconix.config.lock.wheels import LockedWheel, PythonLock
from reconix.config.problems import Place, Problem
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.python_environments import PythonEnvironment
from reconix.config.schema.system import System


def digest_of_question(wanted: PythonEnvironment) -> Digest:
    """A digest of what is asked of Python's tools, to see whether it has changed."""
    content = Digest.of_file(wanted.lock).hex() if wanted.lock else None
    said = {"lock": content, "extras": sorted(wanted.extras), "groups": sorted(wanted.groups)}
    return Digest.of(print_json(said))


def lock_environments(configuration: Configuration, lock: Lock, index: Index) -> Lock:
    """The lock, with the wheels of all environments.

    Args:
        configuration: the project.
        lock: what its systems consist of besides.
        index: where wheels come from.

    Raises:
        NoPython: a system with environments has no Python.
        BadEnvironment, BadWheel: something cannot be had, or does not fit together.
        WrongContent, DownloadFailed: pip cannot get it.
    """
    locking = _Locking(configuration.folder.absolute(), index)
    hosts = {
        name: locking.host(configuration.hosts[name], host) if name in configuration.hosts else host
        for name, host in lock.hosts.items()
    }
    return Lock(hosts)


def wheel_files(
    wheels: Iterable[LockedWheel], target: Target, index: Index, project: Path
) -> dict[LockedWheel, Path]:
    """The files of locked wheels, checked; what is not in the cache is fetched.

    Raises:
        WrongContent: a file of the project is not the one that was locked.
        DownloadFailed: pip cannot get one.
    """
    locked = [*wheels]
    index.get([_again(wheel) for wheel in locked if not wheel.is_of_project], target)
    for wheel in locked:
        if wheel.is_of_project:
            _expect_unchanged(wheel, project / wheel.origin)
    return {wheel: _place(wheel, project, index) for wheel in locked}


def _again(wheel: LockedWheel) -> Wanted:
    return Wanted(
        name=wheel.name,
        version=wheel.version,
        hashes=(wheel.sha256,),
        place=Place(Path(FILE_NAME)),
        origin=wheel.origin,
        file_name=wheel.file_name,
    )


def _expect_unchanged(wheel: LockedWheel, path: Path) -> None:
    found = Digest.of_file(path) if path.is_file() else None
    if found != wheel.sha256:
        fact = f"it has {found}" if found else "it is gone"
        raise WrongContent(
            f"{path} is not the file that was locked: expected {wheel.sha256}, {fact}",
            hint="lock again: reconix lock",
        )


def _place(wheel: LockedWheel, project: Path, index: Index) -> Path:
    if wheel.is_of_project:
        return project / wheel.origin
    return cached_path(index.cache, wheel.sha256)


class _Locking:
    def __init__(self, folder: Path, index: Index) -> None:
        self._folder, self._index = folder, index

    def host(self, host: Host, lock: HostLock) -> HostLock:
        systems = {
            name: self._system(host.systems[name], locked, lock.architecture)
            for name, locked in lock.systems.items()
        }
        return replace(lock, systems=systems)

    def _system(self, system: System, locked: SystemLock, architecture: str) -> SystemLock:
        if not system.python:
            return locked
        target = Target.of(locked.packages, architecture)
        python = {
            name: self._environment(name, wanted, target)
            for name, wanted in sorted(system.python.items())
        }
        return replace(locked, python=python)

    def _environment(self, name: str, wanted: PythonEnvironment, target: Target) -> PythonLock:
        own = own_wheels(wanted)
        pinned = _pinned(name, wanted, own, target)
        here = [self._of_project(each) for each in pinned if each.file is not None]
        far = self._index.get([each for each in pinned if each.file is None], target)
        wheels = tuple(sorted([*here, *far]))
        found = [self._read(wheel) for wheel in wheels]
        extras = {**{each.name: each.extras for each in pinned}, **own_extras(own, wanted.extras)}
        problems = [*lacking([*own, *found], target, extras)]
        if problems:
            raise BadEnvironment(problems)
        return PythonLock(digest_of_question(wanted), wheels)

    def _read(self, wheel: LockedWheel) -> Wheel:
        return Wheel.read(_place(wheel, self._folder, self._index), wheel.file_name)

    def _of_project(self, wanted: Wanted) -> LockedWheel:
        """A wheel that the lock file finds in a folder of the project."""
        assert wanted.file is not None
        place = wanted.place
        if not wanted.file.is_file():
            raise BadEnvironment([Problem(place, "", f"no such file: {wanted.file}")])
        digest = Digest.of_file(wanted.file)
        if digest not in wanted.hashes:
            fact = f"{wanted.file} has {digest}, not the hash that is pinned"
            raise BadEnvironment([Problem(place, "", fact, "lock it again")])
        return LockedWheel(
            name=wanted.name,
            version=wanted.version,
            file_name=wanted.file.name,
            size_bytes=wanted.file.stat().st_size,
            sha256=digest,
            origin=os.path.relpath(wanted.file, self._folder),
        )


def _pinned(name: str, wanted: PythonEnvironment, own: list[Wheel], target: Target) -> list[Wanted]:
    if wanted.lock is None:
        return []
    return lock_files.read(
        Question(
            file=wanted.lock,
            target=target,
            option=f"python.{name}",
            extras=wanted.extras,
            groups=wanted.groups,
            own=frozenset(wheel.name for wheel in own),
        )
    )
