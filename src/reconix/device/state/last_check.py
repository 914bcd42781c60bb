"""When an index was read last, and what it offered: how an operator finds a frozen device.

A mirror that offers an old index for ever looks like one that has nothing new, and a device without
a clock cannot tell them apart (``docs/threat-model.md``, *Freeze*). So it reports what it has seen.

    /run/reconix/looked.json   {"version": 1, "where": "http://…", "sequence": 7 or null,
                                "uptime_seconds": 81234}

The file is in memory: checking for updates every hour must not wear the disk. The time is on
CLOCK_MONOTONIC.

Tested by ``tests/unit/device/state/test_last_check.py``.
"""

from reconix.base.address import without_login
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass
from reconix.device.paths import Paths

VERSION = 1
_MAX_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the last check for updates found.

    Attributes:
        where: the repository.
        sequence: the highest number there for this host; None if there was nothing for it.
        uptime_seconds: when.
    """

    where: str
    sequence: int | None
    uptime_seconds: int

    def seconds_before(self, uptime_seconds: float) -> int:
        """How long that was before a moment."""
        return max(0, int(uptime_seconds) - self.uptime_seconds)


def note(paths: Paths, where: str, sequence: int | None, *, uptime_seconds: float) -> None:
    """Remember that an index was read just now."""
    document = {
        "version": VERSION,
        "where": where,
        "sequence": sequence,
        "uptime_seconds": int(uptime_seconds),
    }
    write_durably(paths.last_check, print_json(document))


def read(paths: Paths) -> LastCheck | None:
    """What it found; ``None`` without a check since boot."""
    try:
        fields = Fields.parse(
            read_bounded(paths.last_check, _MAX_BYTES), source=str(paths.last_check)
        )
        sequence = fields.number("sequence") if fields.has("sequence") else None
        where = without_login(fields.text("where"))  # an older agent noted all of it
        return LastCheck(where, sequence, fields.number("uptime_seconds"))
    except (OSError, BadFile, BadDocument):
        return None
