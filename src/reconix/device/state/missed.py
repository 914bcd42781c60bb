"""What the last trial asked for and minify took: ``missed.json``, kept until another trial ends.

    {"version": 1, "generation": "/nix/store/…", "system": "default", "others": 0, "lost": 0,
     "missed": [{"path": "/usr/bin/ss", "size_bytes": 131240, "by": "monitor.sh",
                 "unit": "monitor.service" or null}]}

At most ``MAX_MISSED`` paths are listed; ``others`` says how many were asked for besides, ``lost``
how many look-ups the kernel could not tell, because nobody read them in time.

Format: ``docs/spec/agent.md``; what holds over releases: ``docs/spec/memory.md``.
Tested by ``tests/unit/device/state/test_missed.py``.
"""

from collections.abc import Mapping

from reconix.base.documents import BadDocument, Fields, Json, JsonInput, print_json
from reconix.base.files import BadFile, read_bounded, sync_folder, write_durably
from reconix.base.records import dataclass, field
from reconix.base.sizes import human
from reconix.device.paths import Paths

VERSION = 1
MAX_MISSED = 32
_MAX_BYTES = 1 << 20
_FIELDS = ("version", "generation", "system", "missed", "others", "lost")


@dataclass(frozen=True, slots=True)
class Missed:
    """A path that went, and who asked for it first.

    Attributes:
        path: with its slash.
        size_bytes: what it would take.
        by: the name of the process.
        unit: of systemd, to which the process belongs; nothing if it had ended.
    """

    path: str
    size_bytes: int
    by: str
    unit: str = ""

    def line(self) -> str:
        """As it is told to people, with what brings it back."""
        unit = self.unit or "unit not known"
        return (
            f"{self.path} was asked for by {self.by} ({unit}); removed because nothing reaches "
            f'it; minify.keep = ["{self.path}"], {human(self.size_bytes)}'
        )

    def document(self) -> JsonInput:
        """As JSON."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "by": self.by,
            "unit": self.unit or None,
        }


@dataclass(frozen=True, slots=True)
class MissedPaths:
    """What a trial asked for.

    Attributes:
        generation: that was tried; nothing if that was not known.
        system: of it.
        missed: sorted.
        others: how many more.
        lost: how many look-ups were not seen.
        version: the highest of all agents that have written it.
        rest: what newer agents have written besides.
    """

    generation: str
    system: str
    missed: tuple[Missed, ...] = ()
    others: int = 0
    lost: int = 0
    version: int = VERSION
    rest: Mapping[str, Json] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.missed and not self.lost

    def lines(self) -> list[str]:
        """As they are told to people."""
        more = [f"and {self.others} more"] if self.others else []
        lost = [f"{self.lost} look-ups were not seen"] if self.lost else []
        return [*(each.line() for each in self.missed), *more, *lost]

    def document(self) -> dict[str, JsonInput]:
        """As JSON."""
        return {
            **self.rest,
            "version": self.version,
            "generation": self.generation,
            "system": self.system,
            "missed": [each.document() for each in self.missed],
            "others": self.others,
            "lost": self.lost,
        }


def parse_missed(content: bytes, *, source: str) -> MissedPaths:
    """Read the document.

    Raises:
        BadDocument: it is none.
    """
    return missed_of(Fields.parse(content, source=source))


def missed_of(fields: Fields) -> MissedPaths:
    """The same as a part of another document.

    Raises:
        BadDocument: it is none.
    """
    return MissedPaths(
        fields.text("generation"),
        fields.text("system"),
        tuple(_parse(each) for each in fields.objects("missed")),
        fields.number("others"),
        fields.number("lost"),
        max(VERSION, fields.version()),
        fields.rest(*_FIELDS),
    )


def _parse(fields: Fields) -> Missed:
    return Missed(
        fields.text("path"),
        fields.number("size_bytes"),
        fields.text("by"),
        fields.text("unit") if fields.has("unit") else "",
    )


def read_missed(paths: Paths) -> MissedPaths | None:
    """What the last trial asked for; ``None`` if it asked for nothing, or had no trap."""
    try:
        return parse_missed(read_bounded(paths.missed, _MAX_BYTES), source=str(paths.missed))
    except (OSError, BadFile, BadDocument):
        return None


def write_missed(paths: Paths, found: MissedPaths) -> None:
    """Remember what a trial asked for, durably; must be called under ``exclusive_rw``."""
    if not found.is_empty:
        write_durably(paths.missed, print_json(found.document()))
    elif paths.missed.exists():
        paths.missed.unlink()
        sync_folder(paths.home)
