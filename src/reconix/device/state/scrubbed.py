"""How far scrubbing is, and what it has found.

    /run/reconix/scrub.json       as it is now, of this boot
    <system>/reconix/scrub.json   as it was when it was written last

    {"version": 1, "place": "<hex>", "finished": 1767225600 or null, "others": 0,
     "damaged": [{"kind": "content", "digest": "<hex>", "what": "was altered", "size_bytes": 4711,
                  "files": ["/nix/store/…/usr/bin/tool"], "more": 0}]}

Both are the same document. The one in memory has ``unsaved_bytes`` besides: how much was read since
the other one was written. To write a disk each hour only to say how far its reading is would wear
it; so it is written when what is damaged has changed, once in each boot, which brings also a device
further that is switched off every day, and then after ``SAVE_BYTES``.

At most ``MAX_DAMAGED`` things are listed; ``others`` says how many there are besides.

Tested by ``tests/unit/device/state/test_scrubbed.py``.
"""

from collections.abc import Mapping
from pathlib import Path

from reconix.base.digests import BadDigest, Digest
from reconix.base.documents import BadDocument, Fields, Json, JsonInput, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass, field, replace
from reconix.device.paths import Paths
from reconix.store.scrub import BEGIN, Damage, Kind

VERSION = 1
MAX_DAMAGED = 64
SAVE_BYTES = 512 << 20
_MAX_BYTES = 1 << 16
_MAX_PATH = 200
_MAX_WHAT = 100


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How far a device is with reading all that it has.

    Attributes:
        place: what was read last in this pass.
        finished: when everything was read the last time, in seconds since 1970; None: never yet.
        damaged: what was found and is not repaired, sorted.
        others: how many more are damaged.
        unsaved_bytes: how much was read since this was written to the disk.
        version: the highest of all agents that have written it.
        rest: what newer agents have written besides.
    """

    place: bytes = BEGIN
    finished: int | None = None
    damaged: tuple[Damage, ...] = ()
    others: int = 0
    unsaved_bytes: int = 0
    version: int = VERSION
    rest: Mapping[str, Json] = field(default_factory=dict)

    @property
    def percent(self) -> int:
        """How far this pass is: digests are random."""
        return int.from_bytes(self.place[:2].ljust(2, b"\0"), "big") * 100 >> 16

    def finding(self, damaged: tuple[Damage, ...]) -> "Scrubbed":
        """With these damages, as many as are listed."""
        listed = tuple(map(_short, damaged[:MAX_DAMAGED]))
        return replace(self, damaged=listed, others=len(damaged) - len(listed))

    def print(self) -> bytes:
        """The document."""
        return print_json(
            {
                **self.rest,
                "version": self.version,
                "place": self.place.hex(),
                "finished": self.finished,
                "damaged": [damage_document(each) for each in self.damaged],
                "others": self.others,
                "unsaved_bytes": self.unsaved_bytes,
            }
        )


def damage_document(damage: Damage) -> JsonInput:
    """A damage as JSON."""
    return {
        "kind": damage.kind.value,
        "digest": damage.digest.hex(),
        "what": damage.what,
        "size_bytes": damage.size_bytes,
        "files": list(damage.files),
        "more": damage.more,
    }


def _short(damage: Damage) -> Damage:
    """A damage whose texts are not long: names on a disk are as long as they like."""
    files = tuple(_cut(path, _MAX_PATH) for path in damage.files)
    return replace(damage, what=_cut(damage.what, _MAX_WHAT), files=files)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def parse_scrubbed(content: bytes, *, source: str) -> Scrubbed:
    """Read a document.

    Raises:
        BadDocument, BadDigest: it is none.
    """
    fields = Fields.parse(content, source=source)
    place = fields.text("place")
    return Scrubbed(
        Digest.parse(place).value if place else BEGIN,
        fields.number("finished") if fields.has("finished") else None,
        tuple(_parse_damages(fields)),
        fields.number("others"),
        fields.number("unsaved_bytes"),
        max(VERSION, fields.version()),
        fields.rest("version", "place", "finished", "damaged", "others", "unsaved_bytes"),
    )


def _parse_damages(fields: Fields) -> list[Damage]:
    """Those of a kind that we know."""
    known = {kind.value for kind in Kind}
    listed = [each for each in fields.objects("damaged") if each.text("kind") in known]
    return sorted(
        Damage(
            Digest.parse(each.text("digest")).value,
            Kind(each.text("kind")),
            each.text("what"),
            each.number("size_bytes"),
            tuple(each.texts("files")),
            each.number("more"),
        )
        for each in listed
    )


def read_scrubbed(paths: Paths) -> Scrubbed | None:
    """How far it is: in this boot, else when it was written last; ``None`` if it never began."""
    now = _read(paths.scrub_now)
    return _read(paths.scrub) if now is None else now


def write_scrubbed(paths: Paths, scrubbed: Scrubbed) -> None:
    """Remember it durably; must be called under ``exclusive_rw``."""
    saved = replace(scrubbed, unsaved_bytes=0)
    write_durably(paths.scrub, saved.print())
    note_scrubbed(paths, saved)


def note_scrubbed(paths: Paths, scrubbed: Scrubbed) -> None:
    """Remember it in memory."""
    write_durably(paths.scrub_now, scrubbed.print())


def is_due(paths: Paths, scrubbed: Scrubbed) -> bool:
    """Whether it is to be written to the disk."""
    saved = _read(paths.scrub)
    known = () if saved is None else saved.damaged
    is_first = _read(paths.scrub_now) is None
    return is_first or known != scrubbed.damaged or scrubbed.unsaved_bytes >= SAVE_BYTES


def _read(path: Path) -> Scrubbed | None:
    try:
        return parse_scrubbed(read_bounded(path, _MAX_BYTES), source=str(path))
    except (OSError, BadFile, BadDocument, BadDigest):
        return None
