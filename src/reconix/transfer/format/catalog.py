"""A folder of streams, and the chain through it that costs fewest bytes.

A repository is a folder that any web server can serve, with ``index.json``, which says what each
stream leads from and to. A device looks for the newest target, and for the cheapest chain to it:
one stream, several, or a full one that needs nothing.

    {"version": 1, "streams": [{"file": "gateway-3-4.rcx", "size_bytes": 27600, "host": "gateway",
     "architecture": "amd64", "bases": ["/nix/store/…"], "target": "/nix/store/…", "sequence": 4}]}

An index is not signed: what it says is checked when the stream itself arrives. Whoever can change
it can withhold an update, as everybody between it and the device can.

Tested by ``tests/unit/transfer/format/test_catalog.py``.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.records import dataclass
from reconix.store.paths import BadStorePath, StorePath
from reconix.transfer.format.stream import MAX_BASES, Header

INDEX = "index.json"
MAX_INDEX_BYTES = 1 << 20
MAX_STREAMS = 1000
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Offer:
    """One stream of a folder."""

    file: str
    size_bytes: int
    host: str
    architecture: str
    bases: tuple[StorePath, ...]
    target: StorePath
    sequence: int

    @classmethod
    def of(cls, file: str, size_bytes: int, header: Header) -> "Offer":
        """What a stream offers, by its header."""
        return cls(
            file,
            size_bytes,
            header.host,
            header.architecture,
            header.bases,
            header.target,
            header.sequence,
        )


@dataclass(frozen=True, slots=True)
class _Chain:
    """Streams to take one after the other."""

    offers: tuple[Offer, ...] = ()
    size_bytes: int = 0

    def then(self, offer: Offer) -> "_Chain":
        """This chain and one more stream."""
        return _Chain((*self.offers, offer), self.size_bytes + offer.size_bytes)


def print_index(offers: Iterable[Offer]) -> bytes:
    """The index of a folder; the order of the offers does not matter."""
    streams: list[JsonInput] = [
        {
            "file": offer.file,
            "size_bytes": offer.size_bytes,
            "host": offer.host,
            "architecture": offer.architecture,
            "bases": [str(base) for base in offer.bases],
            "target": str(offer.target),
            "sequence": offer.sequence,
        }
        for offer in sorted(offers, key=lambda offer: offer.file)
    ]
    return print_json({"version": 1, "streams": streams})


def parse_index(content: bytes, *, source: str) -> tuple[Offer, ...]:
    """Read an index.

    Raises:
        BadDocument: it is not an index.
    """
    fields = Fields.parse(content, source=source)
    fields.expect_version(1)
    found = fields.objects("streams")
    if len(found) > MAX_STREAMS:
        raise BadDocument(f"{source} names {len(found)} streams, more than {MAX_STREAMS}")
    return tuple(map(_offer, found))


def _offer(fields: Fields) -> Offer:
    file = fields.text("file")
    bases = fields.texts("bases")
    if not _FILE.fullmatch(file) or len(bases) > MAX_BASES:
        raise BadDocument(f"{fields.source}: {file[:80]!r} is not the name of a stream")
    try:
        return Offer(
            file,
            fields.number("size_bytes"),
            fields.text("host"),
            fields.text("architecture"),
            tuple(map(StorePath.parse, bases)),
            StorePath.parse(fields.text("target")),
            fields.number("sequence"),
        )
    except BadStorePath as error:
        raise BadDocument(f"{fields.source}: {error}") from error


def newest(offers: Iterable[Offer]) -> Offer | None:
    """The stream with the highest sequence number; of several the first by name."""
    return min(offers, key=lambda offer: (-offer.sequence, offer.file), default=None)


def cheapest(
    offers: Collection[Offer], installed: Collection[StorePath], target: StorePath
) -> tuple[Offer, ...] | None:
    """The chain of streams to take, for as few bytes as possible; ``None`` if none leads there.

    The chain to each generation is improved until none gets cheaper, which takes no more rounds
    than there are generations.
    """
    chains: dict[StorePath | None, _Chain] = {None: _Chain()}  # from nothing, which all have
    chains.update(dict.fromkeys(installed, _Chain()))
    ordered = sorted(offers, key=lambda offer: (offer.size_bytes, offer.file))
    while any([_improve(chains, offer) for offer in ordered]):  # each of them in each round
        pass
    return chains[target].offers if target in chains else None


def _improve(chains: dict[StorePath | None, _Chain], offer: Offer) -> bool:
    """Whether a stream makes a cheaper chain to its target; then that is the one from now on."""
    bases: Sequence[StorePath | None] = offer.bases or (None,)
    known = [chains[base] for base in bases if base in chains]
    if not known:
        return False
    chain = min(known, key=lambda each: each.size_bytes).then(offer)
    if offer.target in chains and chains[offer.target].size_bytes <= chain.size_bytes:
        return False
    chains[offer.target] = chain
    return True
