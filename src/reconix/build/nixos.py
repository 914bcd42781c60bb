"""Systems that a real Nix built: toplevels of NixOS, taken as they are.

A toplevel of NixOS says in ``boot.json`` how it is started: its kernel, its initrd, its init. That
is all a boot tree needs, so it becomes a system of a generation beside those of Debian, and goes
through the same stream, the same slot and the same choice at boot. Nothing in it is changed; its
store paths keep their names. To its kernel parameters ours are added: ``gpt``, because Linux looks
for the backup of a partition table only then, and ``panic=10``, because a panic must end in a
restart.

    lock    nix build, or the path that is named → our store → toplevel and hash of its closure
    build   the locked toplevel; if our store does not have it any more, from Nix again, the same

A specialisation is a complete toplevel that another one contains, so it can be a system as well.

Source: Nix RFC 125, *Bootspec*; NixOS manual, *Specialisation*. Described for users in
``docs/nixos.md``.
Tested by ``tests/unit/build/test_nixos.py``, with a real Nix by ``tests/compat/test_nixos.py``, and
booted by ``tests/vm/test_nixos.py``.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.errors import ReconixError
from reconix.base.files import read_bounded
from reconix.base.process import CommandFailed
from reconix.boot import bootspec
from reconix.boot.bootspec import BootSpec
from reconix.build.generation import BuiltSystem
from reconix.build.toplevel import ALWAYS
from reconix.config.lock.hosts import HostLock, Lock, NixLock
from reconix.config.schema.hosts import Configuration, Host
from reconix.config.schema.nixos import Nixos
from reconix.config.schema.values import Name
from reconix.config.shapes import scalar_shape_of
from reconix.nix import flake
from reconix.nix.chroot import ChrootStore
from reconix.nix.nix_store import take_from_nix
from reconix.store.closure import print_closure
from reconix.store.paths import STORE_DIR, BadStorePath, StorePath

_MAX_LINKS = 8


class BadToplevel(ReconixError):
    """A store path cannot be a system."""

    exit_code = 62


class LockMismatch(ReconixError):
    """What Nix has or builds now differs from what was locked."""

    exit_code = 68

    def __init__(self, toplevel: StorePath, *, found: str) -> None:
        super().__init__(
            f"{toplevel} is locked, but {found}", hint="to take what is there now: reconix lock"
        )


class NixFailed(ReconixError):
    """Nix does not have a toplevel, or fails to build it."""

    exit_code = 67


@dataclass(frozen=True, slots=True)
class Toplevel:
    """What a toplevel says about how it is started, itself and in its specialisations."""

    spec: BootSpec
    specialisations: Mapping[str, BootSpec]

    def specialisation(self, name: str) -> BootSpec:
        """The specialisation of that name.

        Raises:
            BadToplevel: there is none.
        """
        if name not in self.specialisations:
            known = ", ".join(self.specialisations) or "none"
            raise BadToplevel(
                f"{self.spec.toplevel} has no specialisation {name!r}", hint=f"it has: {known}"
            )
        return self.specialisations[name]


# -- locking ---------------------------------------------------------------------------------------


def lock_systems(store: ChrootStore, configuration: Configuration, lock: Lock) -> Lock:
    """Ask Nix for every system that it should build, and add the results to a lock.

    Raises:
        NixFailed: Nix does not provide it.
    """
    hosts = {}
    for name, host in configuration.hosts.items():
        nix = {system: _lock(store, host, system) for system in host.nixos}
        hosts[name] = replace(lock.hosts[name], nix=nix)
    return Lock(hosts)


def _lock(store: ChrootStore, host: Host, name: str) -> NixLock:
    nixos = host.nixos[name]
    with progress.stage(f"ask Nix for {host.name}:{name}"):
        toplevel = StorePath.parse(nixos.path) if nixos.path else _built(nixos)
        _bring(store, toplevel)
    read_toplevel(store, toplevel)  # better now than when it is built
    return NixLock(asked(host, nixos), toplevel, _closure(store, toplevel))


def asked(host: Host, nixos: Nixos) -> str:
    """What a configuration asks for, in words that are the same on every machine."""
    if nixos.flake is None:
        return str(nixos.path)
    is_here = nixos.flake.startswith("/")
    shown = os.path.relpath(nixos.flake, host.folder.absolute()) if is_here else nixos.flake
    return f"{shown}#{nixos.attribute}"


def _built(nixos: Nixos) -> StorePath:
    try:
        return flake.build(str(nixos.flake), str(nixos.attribute))
    except CommandFailed as error:
        raise NixFailed(str(error), hint="see what Nix says") from error


def _bring(store: ChrootStore, toplevel: StorePath) -> None:
    """Take a toplevel with all that it needs into our store, unless it is there."""
    if store.valid_all([toplevel]):
        return
    try:
        take_from_nix(store, [toplevel])
    except CommandFailed as error:
        raise NixFailed(
            f"{toplevel} is not in our store, and Nix does not have it: {error}",
            hint="build it with Nix on this machine first",
        ) from error
    store.valid_all([toplevel])  # and it stays


def _closure(store: ChrootStore, toplevel: StorePath) -> Digest:
    return Digest.of(print_closure(store.closure_of(toplevel)))


# -- building --------------------------------------------------------------------------------------


def take_systems(store: ChrootStore, host: Host, lock: HostLock) -> list[BuiltSystem]:
    """The systems of a host that Nix built, specialisations included.

    Raises:
        LockMismatch, NixFailed: what is locked is not available.
        BadToplevel: it cannot be a system of this host.
    """
    found: dict[str, BuiltSystem] = {}
    for name, nixos in host.nixos.items():
        locked = lock.nix[name]
        _bring_locked(store, nixos, locked)
        for system in _systems(name, nixos, read_toplevel(store, locked.toplevel)):
            _check(host, system, found.values())
            found[system.name] = system
    return list(found.values())


def _bring_locked(store: ChrootStore, nixos: Nixos, locked: NixLock) -> None:
    toplevel = locked.toplevel
    if not store.valid_all([toplevel]) and nixos.flake is not None:
        built = _built(nixos)
        if built != toplevel:
            raise LockMismatch(toplevel, found=f"the flake gives {built}")
    _bring(store, toplevel)
    if _closure(store, toplevel) != locked.closure:
        raise LockMismatch(toplevel, found="the path of that name has other content")


def _systems(name: str, nixos: Nixos, toplevel: Toplevel) -> Iterator[BuiltSystem]:
    """The systems that a toplevel is for one that is configured."""
    if nixos.specialisation is not None:
        yield _system(name, toplevel.specialisation(nixos.specialisation))
        return
    yield _system(name, toplevel.spec)
    if nixos.all_specialisations:
        for inner, spec in toplevel.specialisations.items():
            yield _system(f"{name}-{inner}", spec)


def _system(name: str, spec: BootSpec) -> BuiltSystem:
    theirs = [word for word in spec.kernel_parameters if word not in ALWAYS]
    ours = replace(spec, name=name, kernel_parameters=(*ALWAYS, *theirs))
    return BuiltSystem(name, StorePath.parse(spec.toplevel), ours)


def _check(host: Host, system: BuiltSystem, others: Collection[BuiltSystem]) -> None:
    """A system must fit the host, and be told from all others by its name and by its path."""
    path = f"{host.name}:{system.name}"
    if not _is_name(system.name):
        raise BadToplevel(
            f"{system.name!r} cannot be the name of a system",
            hint="give that specialisation a system of its own, with `specialisation`",
        )
    if system.name in host.systems or system.name in [other.name for other in others]:
        raise BadToplevel(f"{path} is used for two systems", hint="rename one of them")
    for other in others:
        if other.toplevel == system.toplevel:
            raise BadToplevel(f"{path} is the same as {other.name}", hint="remove one of them")
    expected = host.architecture.nix_system
    if system.spec.system != expected:
        raise BadToplevel(f"{path} is built for {system.spec.system}, but the host is {expected}")


def _is_name(text: str) -> bool:
    form = scalar_shape_of(Name).form
    assert form is not None
    try:
        form.read(text)
    except ValueError:
        return False
    return True


# -- reading ---------------------------------------------------------------------------------------


def read_toplevel(store: ChrootStore, toplevel: StorePath) -> Toplevel:
    """Read what a toplevel in our store says about how it is started.

    Raises:
        BadDocument, BadBootSpec, BadToplevel: it is not a NixOS toplevel, or names something that
            is not in its closure.
    """
    file = store.path(toplevel) / "boot.json"
    if not file.is_file():
        raise BadToplevel(
            f"{toplevel} is not a NixOS toplevel: it has no boot.json",
            hint="name config.system.build.toplevel of a NixOS of 23.05 or later",
        )
    content = read_bounded(file, bootspec.MAX_BYTES)
    closure = frozenset(store.closure(toplevel))
    spec = bootspec.parse_bootspec(content, toplevel=str(toplevel))
    inner = bootspec.parse_specialisations(content, toplevel=str(toplevel))
    return Toplevel(
        _settled(store, closure, spec),
        {name: _settled(store, closure, each) for name, each in inner.items()},
    )


def _settled(store: ChrootStore, closure: Collection[StorePath], spec: BootSpec) -> BootSpec:
    """A specification whose files are there, and are files."""
    for text in (spec.toplevel, spec.init, spec.kernel, spec.initrd or spec.kernel):
        _expect_inside(text, closure, spec)
    initrd = None if spec.initrd is None else _file(store, spec.initrd, closure, spec)
    return replace(spec, kernel=_file(store, spec.kernel, closure, spec), initrd=initrd)


def _expect_inside(text: str, closure: Iterable[StorePath], spec: BootSpec) -> None:
    try:
        is_inside = StorePath.containing(text) in closure
    except BadStorePath:
        is_inside = False
    if not is_inside:
        raise BadToplevel(
            f"the boot specification of {spec.toplevel} names {text}, which is not in its closure"
        )


def _file(store: ChrootStore, text: str, closure: Collection[StorePath], spec: BootSpec) -> str:
    """The file that a path leads to; links are followed where they lie, in our store."""
    for _ in range(_MAX_LINKS):
        place = store.store_dir / Path(text).relative_to(STORE_DIR)
        if not place.is_symlink():
            break
        text = os.path.normpath(Path(text).parent / place.readlink())
        _expect_inside(text, closure, spec)
    if place.is_symlink() or not place.is_file():
        raise BadToplevel(
            f"the boot specification of {spec.toplevel} names {text}, which is not a file"
        )
    return text
