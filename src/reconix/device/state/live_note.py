"""The note of a live generation: one that runs until the next boot and is committed nowhere.

It is in memory only, so it ends with the boot, as the generation does. It is there before the
soft reboot that starts the generation, and goes with the one that leaves it.

Tested by ``tests/unit/device/select/test_live_generation.py``.
"""

from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.device.paths import Paths
from reconix.store.paths import BadStorePath, StorePath

_MAX_BYTES = 4096


def read_live(paths: Paths) -> StorePath | None:
    """The generation that is live or about to be; nothing is on nearly all devices."""
    try:
        return StorePath.parse(read_bounded(paths.live, _MAX_BYTES).decode("ascii").strip())
    except (OSError, BadFile, UnicodeDecodeError, BadStorePath):
        return None


def note_live(paths: Paths, generation: StorePath | None) -> None:
    """Note which generation is live; ``None``: the one that is committed runs."""
    if generation is None:
        paths.live.unlink(missing_ok=True)
    else:
        write_durably(paths.live, f"{generation}\n".encode())
