"""What a build fetches: where it is kept, and how registries of images are reached for more.

The environment says both, and only commands read it; so they hand it down as a value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconix.config.schema.project import Project
from reconix.containers.registry import Access


def without_log_in(_project: Project) -> Access:
    """Registries that anybody may ask."""
    return Access()


@dataclass(frozen=True, slots=True)
class Downloads:
    """What was fetched once, and the way to what was not."""

    folder: Path
    """Packages, wheels and parts of images, by digest."""
    registries: Callable[[Project], Access] = without_log_in
    """How the registries of a project are reached; asked only if something is missing."""
