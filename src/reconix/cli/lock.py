"""Ask the archives what every system consists of, and write reconix.lock.

For every host and system apt's own solver chooses the packages that `packages` and `kernel` in the
configuration ask for, and their dependencies. Each is recorded in the lock with its version, size,
SHA-256 and place, so that `reconix build` need not ask an archive. apt works on a configuration of
its own: what is installed on this machine plays no part.

Archives beside Debian's, as `archives` in reconix.toml names them, are asked as well; of each, only
what its `packages` names can come. Package files of the project, as `debs` names them, are read and
locked by their hash, and go before whatever an archive has.

    reconix lock --keep    after your own build: the rest stays as it is locked

With --keep, packages that are locked and that the archives still have stay in their version, if
what is asked for can be installed so; otherwise the newest are taken, and that is said. Archives
drop old versions, so this is for days, not for years.

An archive that shows an older index than the one that is locked is refused: it may be a replay of
what it had before a fault was mended. If its owner has gone back on purpose, use --accept-older.

Wheels of Python environments are chosen for the Python of their system, from what `lock` of each
environment pins. They are fetched by pip, wherever its settings say (`pip config list`), and
recorded by name, size and SHA-256; what they need must be among them. Wheels of the project itself
are looked at together with them, but not recorded.

Images of containers are looked up where their references say, and recorded by the digests of all
their parts; nothing large is fetched. Who logs in to a registry is read from where podman and
docker keep it. A tag that leads to another image than before is told with both digests; with --keep
it is not looked up again. Containers that are made of packages are chosen like systems.

Systems that Nix builds are built by the Nix of this machine, taken into the store of reconix, and
locked by their store path and the hash of all that it needs.

When nothing has changed, the same bytes are written. Commit the lock beside the configuration.

Exit status: 0 the lock is current, 2 a mistake in the configuration, 60-69 the archives cannot give
what is asked for.
"""

import argparse
from collections.abc import Mapping, Sequence

from reconix.base import progress
from reconix.base.digests import Digest
from reconix.base.documents import JsonInput
from reconix.base.errors import UsageError
from reconix.base.files import write_durably
from reconix.base.sizes import human
from reconix.build import nixos
from reconix.build.archive import resolve
from reconix.build.software.python.index import Index
from reconix.build.software.python.locking import lock_environments
from reconix.cli import needs, places, registries
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.words import counted
from reconix.config.load import load_and_warn
from reconix.config.lock.document import FILE_NAME, digest, print_lock
from reconix.config.lock.hosts import Lock
from reconix.config.lock.moved import Moved, images, moved
from reconix.containers.locking import lock_images
from reconix.nix.chroot import ChrootStore
from reconix.project.files import ProjectFiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="show what would change; write nothing"
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave locked packages as they are, where the archives still have them",
    )
    parser.add_argument(
        "--accept-older",
        metavar="ARCHIVE",
        action="append",
        default=[],
        help="use this archive although its index is older than the one that is locked",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the lock."""
    loaded = load_and_warn(places.project(arguments))
    files = ProjectFiles(loaded.configuration.folder, loaded.configuration)
    hosts = files.configuration.hosts.values()
    has_nixos = any(host.nixos for host in hosts)
    has_debs = any(system.debs for host in hosts for system in host.systems.values())
    nix, debs = needs.NIX if has_nixos else (), needs.DEBS if has_debs else ()
    needs.expect(*needs.LOCK, *nix, *debs)
    before, accepted = files.lock(), _accepted(arguments.accept_older, files)
    with progress.stage(f"lock {files.configuration.project.name}"):
        lock = resolve.resolve(
            files.configuration,
            work=places.cache_home() / "apt",
            previous=before,
            keep=arguments.keep,
            accepted=accepted,
        )
        if has_nixos:
            with ChrootStore(places.store(arguments)) as store:
                lock = nixos.lock_systems(store, files.configuration, lock)
        lock = lock_environments(files.configuration, lock, Index(places.downloads()))
        lock = lock_images(
            loaded,
            lock,
            registries.access(files.configuration.project),
            work=places.work(),
            previous=before,
            keep=arguments.keep,
        )
    if not arguments.dry_run:
        write_durably(files.folder / FILE_NAME, print_lock(lock))
    text, document = changes(before, lock)
    answer(arguments, text=text, document=document)
    return 0


def _accepted(names: Sequence[str], files: ProjectFiles) -> frozenset[str]:
    known = files.configuration.project.archives
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(f"there is no archive {name!r}", hint=f"this project has: {listed}")
    return frozenset(names)


def changes(before: Lock | None, lock: Lock) -> tuple[str, JsonInput]:
    """What is in the lock now and was not before, as text and as JSON."""
    old = {package.id for package in before.packages()} if before else set[str]()
    new = {package.id for package in lock.packages()}
    toplevels = _toplevels(lock)
    wheels, old_wheels = _wheels(lock), _wheels(before) if before else set[str]()
    references, old_references = _references(lock), _references(before) if before else set[str]()
    elsewhere = moved(before, lock) if before else ()
    document: JsonInput = {
        "digest": digest(lock).hex(),
        "packages": len(new),
        "added": [*sorted(new - old)],
        "removed": [*sorted(old - new)],
        "wheels": len(wheels),
        "wheels_added": [*sorted(wheels - old_wheels)],
        "wheels_removed": [*sorted(old_wheels - wheels)],
        "images": len(references),
        "images_added": [*sorted(references - old_references)],
        "images_removed": [*sorted(old_references - references)],
        "images_moved": [_moved(each) for each in elsewhere],
        "toplevels": {**toplevels},
        "size_bytes": _size_bytes(lock),
    }
    lines = [f"- {name}" for name in sorted(old - new)] if before else []
    lines += [f"+ {name}" for name in sorted(new - old)] if before else []
    lines += [f"- {name}" for name in sorted(old_wheels - wheels)]
    lines += [f"+ {name}" for name in sorted(wheels - old_wheels)]
    lines += [f"- {name}" for name in sorted(old_references - references)]
    lines += [f"+ {name}" for name in sorted(references - old_references)]
    lines += [f"! {each}" for each in elsewhere]
    lines += [f"  {name} is {toplevel}" for name, toplevel in toplevels.items()]
    some_wheels = f"{counted(len(wheels), 'wheel')}, " if wheels else ""
    some_images = f"{counted(len(references), 'image')}, " if references else ""
    packages, hosts = counted(len(new), "package"), counted(len(lock.hosts), "host")
    summary = f"{FILE_NAME}: {packages}, {some_wheels}{some_images}{hosts}"
    if before and _digest(before) == _digest(lock):
        summary += ", nothing has changed"
    return "\n".join([*lines, summary]), document


def _wheels(lock: Lock) -> set[str]:
    """Each wheel with its size."""
    return {f"{wheel.file_name} ({human(wheel.size_bytes)})" for wheel in lock.wheels()}


def _references(lock: Lock) -> set[str]:
    """The image of each container, as the configuration names it."""
    return {container.asked for _, _, container in images(lock)}


def _moved(each: Moved) -> JsonInput:
    return {
        "system": each.where,
        "container": each.container,
        "image": each.asked,
        "before": str(each.before),
        "now": str(each.now),
    }


def _size_bytes(lock: Lock) -> int:
    """How much a build of everything takes in."""
    blobs = {blob for _, _, each in images(lock) for blob in each.blobs()}
    sizes = [each.size_bytes for each in lock.packages()]
    sizes += [each.size_bytes for each in lock.wheels()]
    return sum(sizes) + sum(blob.size_bytes for blob in blobs)


def _toplevels(lock: Lock) -> Mapping[str, str]:
    """What Nix built, by host and system."""
    return {
        f"{name}:{system}": str(built.toplevel)
        for name, host in lock.hosts.items()
        for system, built in host.nix.items()
    }


def _digest(lock: Lock) -> Digest:
    return Digest.of(print_lock(lock))
