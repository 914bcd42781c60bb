"""Where things are on the machine of the user: the project, the store, the caches.

The environment is read here and nowhere below; what lies below is told.
"""

import argparse
import os
from pathlib import Path

from reconix.base.errors import ReconixError

PROJECT_FILE = "reconix.toml"


class NoProject(ReconixError):
    """There is no project where one is needed."""

    exit_code = 2

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no {PROJECT_FILE} in {folder} or above it",
            hint="go to the project, name it with --project, or make one: `reconix init`",
        )


def project(arguments: argparse.Namespace) -> Path:
    """The folder of the project: the one that was named, else the nearest one upwards.

    Raises:
        NoProject: there is none.
    """
    named: Path | None = arguments.project
    start = Path.cwd() if named is None else named.absolute()
    for folder in [start] if named is not None else [start, *start.parents]:
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise NoProject(start)


def store(arguments: argparse.Namespace) -> Path:
    """The folder that holds ``nix/store``: the one that was named, else in the data home."""
    named: Path | None = arguments.store
    return data_home() if named is None else named.absolute()


def data_home() -> Path:
    """Where what we keep for the user is: ``$XDG_DATA_HOME/reconix``."""
    return _home("XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Where what can be had again is: ``$XDG_CACHE_HOME/reconix``."""
    return _home("XDG_CACHE_HOME", ".cache")


def _home(variable: str, otherwise: str) -> Path:
    """A folder of the XDG Base Directory Specification 0.8; relative ones are to be ignored."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / otherwise) / "reconix"
