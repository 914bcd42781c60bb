"""What a system needs that is to be kept up to date: init, device files, Python for the agent.

The agent itself is not a package: it comes with every system, as an object of the store. `update`
says whether and how a system takes updates.
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
            "Whether to install the packages that the agent needs.",
            "true",
            "to get them without naming each",
        ),
    ] = False


def configure(options: Options) -> Fragment:
    """The packages."""
    return Fragment(packages=PACKAGES) if options.enable else Fragment()
