"""How registries of images are reached from this machine: by the user's proxies and log-ins."""

import os
from pathlib import Path

from reconix.base.http import proxy_variables
from reconix.build.archive.transport import Route
from reconix.cli import places
from reconix.config.schema.project import Project
from reconix.containers.logins import Logins, usual_files
from reconix.containers.registry import Access
from reconix.project.downloads import Downloads

_DIRECT = "localhost 127.0.0.0/8 ::1"
"""What no proxy could reach in our place."""


def downloads() -> Downloads:
    """What builds have fetched on this machine, and the way to more."""
    return Downloads(places.downloads(), access)


def access(project: Project) -> Access:
    """How the registries of a project are reached.

    Raises:
        UsageError: a variable names a proxy that is none.
    """
    places.route()
    proxies = proxy_variables(os.environ)
    direct = f"{proxies.get('no', '')} {_DIRECT}"
    return Access(
        route=Route(proxies={**proxies, "no": direct}),
        logins=Logins(usual_files(os.environ, Path.home())),
        without_tls=frozenset(host for host, each in project.registries.items() if each.http),
    )
