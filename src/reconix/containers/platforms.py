"""Platforms: which of the images of an index is for a device.

An index has one image for each kind of machine, named with the words of Go. Debian's names of
architectures that we build for are the same, save that ``armhf`` is the seventh version of ``arm``;
an arm64 of ours is the eighth. Of several that would do, the most exact counts, and of equal ones
the first.

Source: OCI image specification 1.1, *Image Index*, ``platform``; for variants its table
*Platform Variants*.
Tested by ``tests/unit/containers/test_platforms.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

_Thing = TypeVar("_Thing")

_VARIANTS = {"amd64": ("", "v1"), "arm64": ("v8", ""), "armhf": ("v7", "v6", "")}
"""What runs on every machine of an architecture, the best first."""

_NAMES = {"armhf": "arm"}
"""Of architectures that Debian and Go call by different names."""

UNKNOWN = "unknown"
"""Of attestations, which are listed beside the images that they are about."""


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """What an image runs on."""

    system: str
    architecture: str
    variant: str = ""

    @property
    def is_of_an_image(self) -> bool:
        """Whether this is said of an image, and not of something beside it."""
        return UNKNOWN not in (self.system, self.architecture)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.system, self.architecture, self.variant)))


def rank(platform: Platform, architecture: str) -> int | None:
    """How well something fits to an architecture, 0 the best; nothing if it does not run there."""
    variants = _VARIANTS.get(architecture, ("",))
    name = _NAMES.get(architecture, architecture)
    if (platform.system, platform.architecture) != ("linux", name):
        return None
    return variants.index(platform.variant) if platform.variant in variants else None


def best(offers: Iterable[tuple[Platform, _Thing]], architecture: str) -> _Thing | None:
    """The thing whose platform fits best."""
    ranked = [(rank(platform, architecture), thing) for platform, thing in offers]
    fitting = [(found, thing) for found, thing in ranked if found is not None]
    return min(fitting, key=lambda each: each[0])[1] if fitting else None
