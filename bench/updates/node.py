"""An application with all that it needs, as npm puts it beside it.

Nothing is compiled or run: what lies there is text, much of it without a line break.
"""

from pathlib import Path

from reconix.base.process import run

APPLICATION = "node-red"
OLD, NEW = "4.0.5", "4.0.9"
_QUIETLY = ("--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")


def install(release: str, into: Path) -> None:
    """Install a release of the application, with the newest that it takes of all else."""
    into.mkdir(parents=True)
    run("npm", "install", *_QUIETLY, "--prefix", into, f"{APPLICATION}@{release}")
