"""What a system needs that is to be kept up to date: init, device files, Python for the agent.

The agent itself is no package: it comes with every system, as an object of the store. Whether and
how a system takes updates is said in `update`.
"""

from dataclasses import dataclass
from typing import Annotated

from reconix.config.modules.fragment import Fragment
from reconix.config.options import Option

PACKAGES = ("systemd", "systemd-sysv", "udev", "kmod", "python3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The agent that receives updates, tries them, and comes back: what it runs on."""

    enable: Annotated[
        bool,
        Option(
            "Whether the packages are installed that every system with the agent needs.",
            "true",
            "to get them without naming each",
        ),
    ] = False


def configure(options: Options) -> Fragment:
    """The packages."""
    return Fragment(packages=PACKAGES) if options.enable else Fragment()
