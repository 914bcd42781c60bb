"""The log of a device: what happened to its generations, bounded, on the system partition.

One JSON object a line, oldest first, the last ``KEPT`` of them. It is written as a whole, like
everything durable, so a cut leaves the old one or the new one; there is a line for each step of an
update that counts, that is, a few per update. A line stays as it was written, with all that a newer
agent may have added to it.

    {"at": 1767225600, "event": "fell-back", "generation": "/nix/store/…", "text": "…"}

Tested by ``tests/unit/device/state/test_events.py``.
"""

import json
import time
from pathlib import Path

from reconix.base.documents import BadDocument, Fields
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass

KEPT = 200
MAX_BYTES = 4 << 20
_MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        at: seconds since 1970, by the clock of the device, which may be wrong.
        name: what, in one word.
        generation: which generation it happened to, or nothing.
        text: the rest, for people.
    """

    at: int
    name: str
    generation: str
    text: str


def read_events(path: Path) -> tuple[Event, ...]:
    """Read a log; what is not there or damaged is left out."""
    return tuple(event for line in _lines(path) if (event := _parse(line)) is not None)


def _lines(path: Path) -> list[bytes]:
    try:
        return read_bounded(path, MAX_BYTES).splitlines(keepends=True)
    except (OSError, BadFile):
        return []


def append(path: Path, name: str, *, generation: str = "", text: str = "") -> None:
    """Add an event to a log, durably; the oldest one goes when there are too many."""
    event = Event(int(time.time()), name, generation, text[-_MAX_TEXT:])
    kept = [line for line in _lines(path) if _parse(line) is not None]
    write_durably(path, b"".join([*kept, _print(event)][-KEPT:]))


def _print(event: Event) -> bytes:
    line = {
        "at": event.at,
        "event": event.name,
        "generation": event.generation,
        "text": event.text,
    }
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _parse(line: bytes) -> Event | None:
    try:
        fields = Fields.parse(line, source="log")
        return Event(
            fields.number("at"),
            fields.text("event"),
            fields.text("generation"),
            fields.text("text"),
        )
    except BadDocument:
        return None
