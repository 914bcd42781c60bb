"""Where things are on the machine of the user: the project, the store, the caches.

The environment is read here and nowhere below; what lies below is told.
"""

import argparse
import os
from pathlib import Path

from reconix.base.address import Refused
from reconix.base.errors import UsageError
from reconix.base.http import Route, proxy_variables
from reconix.config.file_kinds import PROJECT_FILE
from reconix.config.load import find_project


def project(arguments: argparse.Namespace) -> Path:
    """The folder of the project: the one that was named, else the nearest one upwards.

    Raises:
        UsageError: there is none.
    """
    named: Path | None = arguments.project
    if named is None:
        return find_project(Path.cwd())
    if not (named / PROJECT_FILE).is_file():
        raise UsageError(f"there is no {PROJECT_FILE} in {named}", hint="make one: `reconix init`")
    return named.absolute()


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


def config_home() -> Path:
    """Where other programs have their settings: ``$XDG_CONFIG_HOME``."""
    return _folder("XDG_CONFIG_HOME", ".config")


def downloads() -> Path:
    """Where packages are that were fetched once."""
    return cache_home() / "downloads"


def work() -> Path:
    """Where something large can lie while a command runs; it is there."""
    folder = cache_home() / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def route() -> Route:
    """How web servers are reached: by the proxies of the environment.

    Raises:
        UsageError: one of the variables names no proxy.
    """
    try:
        return Route.of(proxy_variables(os.environ))
    except Refused as error:
        raise UsageError(
            str(error), hint="correct http_proxy, https_proxy or all_proxy, or unset them"
        ) from error


def _home(variable: str, otherwise: str) -> Path:
    return _folder(variable, otherwise) / "reconix"


def _folder(variable: str, otherwise: str) -> Path:
    """A folder of the XDG Base Directory Specification 0.8; relative ones are to be ignored."""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else Path.home() / otherwise
