"""Check the whole configuration and report every error in it.

All hosts and all systems are read, merged and compared with what the options allow and with each
other. All errors are reported at once, each with its place, the line, and what was expected. What
works but is probably a mistake is a warning. Nothing is built and no network is used, so this is
quick enough to run on every save.

Units and sizes are known from packages only. If the packages of the lock were built before, units
that do not exist and budgets that are too small are errors as well; otherwise the build reports
them. So it is with what containers ask of their images: a user, a folder, a program.

With --json, errors and warnings are the lists `mistakes` and `notes` of objects with file, line,
column, key, fact and hint, for editors.

Exit status: 0 the configuration is valid, 2 it has errors.
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconix.base.documents import BadDocument, JsonInput
from reconix.base.files import read_bounded
from reconix.cli import places, registries
from reconix.cli.answers import answer
from reconix.cli.parsers import add_json
from reconix.cli.words import counted
from reconix.config.load import Loaded, load_with_places
from reconix.config.lock import document
from reconix.config.lock.packages import AGAIN, BadLock
from reconix.config.problems import BadConfiguration, Place, Problem
from reconix.config.schema.hosts import Host

if TYPE_CHECKING:
    from reconix.nix.chroot import ChrootStore

_DATABASE = Path("nix/var/nix/db/db.sqlite")
"""Below the folder of a store; without it there is no store, and none is to be made here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which words the command accepts."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the project."""
    try:
        loaded = load_with_places(places.project(arguments))
        if foreseen := _foreseen(loaded, places.store(arguments)):
            raise BadConfiguration(foreseen)
        told = (*loaded.warnings, *_about_devices(loaded, places.store(arguments)))
        loaded = replace(loaded, warnings=told)
    except BadConfiguration as error:
        if not arguments.json:
            raise
        answer(arguments, text="", document=_document(None, error.problems))
        return error.exit_code
    answer(arguments, text=_summary(loaded), document=_document(loaded, ()))
    return 0


def _foreseen(loaded: Loaded, store: Path) -> list[Problem]:
    """What a build would refuse, as far as earlier builds tell."""
    file = loaded.configuration.folder / document.FILE_NAME
    if not file.is_file():
        return []
    try:
        locked = document.parse_lock(
            read_bounded(file, document.MAX_LOCK_BYTES), source=file.name
        ).hosts
    except (BadLock, BadDocument) as error:
        return [Problem(Place(file), "", str(error), error.hint or AGAIN)]
    if not (store / _DATABASE).is_file():
        return []
    from reconix.build.inspect.preflight import Preflight
    from reconix.nix.chroot import ChrootStore

    with ChrootStore(store) as opened:
        preflight = Preflight(opened)
        return [
            problem
            for name, host in loaded.configuration.hosts.items()
            if name in locked
            for problem in (
                *preflight.of(host, locked[name], loaded.systems.get(name, {})),
                *_unfit_containers(loaded, opened, host),
            )
        ]


def _unfit_containers(loaded: Loaded, store: "ChrootStore", host: Host) -> Iterator[Problem]:
    """What is asked of containers and is not in their images, of those that were built before."""
    if not any(system.containers for system in host.systems.values()):
        return
    from reconix.project.building import known_unfit
    from reconix.project.files import ProjectFiles

    files = ProjectFiles(loaded.configuration.folder, loaded.configuration, loaded.systems)
    yield from known_unfit(files, store, host, registries.downloads())


def _about_devices(loaded: Loaded, store: Path) -> list[Problem]:
    """Warnings for devices that run what was built last."""
    if not (store / _DATABASE).is_file():
        return []
    from reconix.build.inspect.persist_changes import about_kept  # late, as above
    from reconix.build.pins import Pins
    from reconix.nix.chroot import ChrootStore

    project = loaded.configuration.project.name
    with ChrootStore(store) as opened:
        return [
            problem
            for name, host in loaded.configuration.hosts.items()
            for pin in Pins(opened.root, project, name).all()[-1:]
            if opened.is_valid(pin.path)
            for problem in about_kept(opened, pin.path, host, loaded.systems.get(name, {}))
        ]


def _summary(loaded: Loaded) -> str:
    hosts = loaded.configuration.hosts
    systems = sum(len(_systems(host)) for host in hosts.values())
    both = f"{counted(len(hosts), 'host')}, {counted(systems, 'system')}"
    told = [f"warning: {problem}" for problem in loaded.warnings]
    return "\n".join([*told, f"the configuration is valid: {both}"])


def _systems(host: Host) -> list[str]:
    """Those of Debian and those that Nix built."""
    return sorted([*host.systems, *host.nixos])


def _document(loaded: Loaded | None, mistakes: Iterable[Problem]) -> JsonInput:
    hosts = loaded.configuration.hosts if loaded else {}
    return {
        "good": loaded is not None,
        "hosts": {name: [*_systems(host)] for name, host in hosts.items()},
        "mistakes": [_problem(problem) for problem in mistakes],
        "notes": [_problem(problem) for problem in (loaded.warnings if loaded else ())],
    }


def _problem(problem: Problem) -> JsonInput:
    return {
        "file": str(problem.place.file),
        "line": problem.place.line,
        "column": problem.place.column,
        "key": problem.key,
        "fact": problem.fact,
        "hint": problem.hint,
    }
