"""The layout of a system partition: which folders there are, and what is in them.

    layout 1    objects as folders of hard links below nix/store; there was no file that said so
    layout 2    pool, images, and manifests that name images; ``reconix/layout`` says ``2``

A release that needs another layout cannot be brought by an update: what runs on the device writes
the one that it knows. So the initrd, the agent and the build host compare before they do anything.

Tested by ``tests/unit/store/test_layout.py``.
"""

import re
from pathlib import Path

from reconix.base.errors import ReconixError
from reconix.base.files import BadFile, read_bounded

LAYOUT = 2
"""What this release reads and writes."""

PLACE = "reconix/layout"
"""The file that says it, below the root of the system partition."""

_FIRST = 1
_MAX_BYTES = 16
_NUMBER = re.compile(rb"[1-9][0-9]{0,8}\n")


class OtherLayout(ReconixError):
    """A disk is arranged in a way that this release does not know."""

    exit_code = 34

    def __init__(self, whose: str, found: int) -> None:
        super().__init__(
            f"{whose} has layout {found}; this release needs layout {LAYOUT}",
            hint="no update can change that: flash an image of this release",
        )
        self.found = found


def print_layout() -> bytes:
    """The content of the file."""
    return b"%d\n" % LAYOUT


def read_layout(system_root: Path) -> int:
    """Which layout a system partition has; 0 if what it says about it makes no sense."""
    try:
        content = read_bounded(system_root / PLACE, _MAX_BYTES, follow_links=False)
    except FileNotFoundError:
        return _FIRST
    except (OSError, BadFile):
        return 0
    return int(content) if _NUMBER.fullmatch(content) else 0


def expect_layout(system_root: Path) -> None:
    """Check that a system partition is arranged as this release knows it.

    Raises:
        OtherLayout: it is not.
    """
    found = read_layout(system_root)
    if found != LAYOUT:
        raise OtherLayout("the disk", found)
