"""Ask the archives what every system consists of, and write reconix.lock.

For every host and system apt's own solver chooses the packages that `packages` and `kernel` in the
configuration ask for, with what they depend on. Each goes into the lock with its version, size,
SHA-256 and place, so that `reconix build` needs to ask nobody. apt works on a configuration of its
own: what is installed on this machine plays no part.

When nothing has changed, the same bytes are written. Commit the lock beside the configuration.

Exit status: 0 the lock is current, 2 a mistake in the configuration, 60-69 the archives cannot give
what is asked for.
"""

import argparse

from reconix.base.digests import Digest
from reconix.base.documents import JsonInput
from reconix.base.files import write_durably
from reconix.build import resolve
from reconix.cli import places
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.projects import ProjectFiles
from reconix.config.lock import FILE_NAME, Lock, print_lock


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="show what would change; write nothing"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the lock."""
    files = ProjectFiles.read(arguments)
    before = files.lock()
    lock = resolve.resolve(files.configuration, work=places.cache_home() / "apt", previous=before)
    if not arguments.dry_run:
        write_durably(files.folder / FILE_NAME, print_lock(lock))
    _tell(arguments, before, lock)
    return 0


def _tell(arguments: argparse.Namespace, before: Lock | None, lock: Lock) -> None:
    old = {package.id for package in before.packages()} if before else set[str]()
    new = {package.id for package in lock.packages()}
    document: JsonInput = {
        "digest": lock.digest().hex(),
        "packages": len(new),
        "added": [*sorted(new - old)],
        "removed": [*sorted(old - new)],
        "size_bytes": sum(package.size_bytes for package in lock.packages()),
    }
    changes = [f"- {name}" for name in sorted(old - new)] if before else []
    changes += [f"+ {name}" for name in sorted(new - old)] if before else []
    summary = f"{FILE_NAME}: {len(new)} packages, {len(lock.hosts)} hosts"
    if before and _digest(before) == _digest(lock):
        summary += ", nothing has changed"
    answer(arguments, text="\n".join([*changes, summary]), document=document)


def _digest(lock: Lock) -> Digest:
    return Digest.of(print_lock(lock))
