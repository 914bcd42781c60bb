"""Belief: whose updates this device takes, and what it remembers about that.

Which keys count is part of a generation, in ``trust.json`` beside ``generation.json``: it is tried
and kept, or left, with everything else. Two things must outlive it, in ``/reconix/trust.json``:

* the newest key set that a stream brought along, which the committed generation may not know;
* the sequence number of each installed generation, so that no stream goes below the committed one.

The floor never sinks, also after a roll-back. No clock is asked for anything.

    trust.json of a generation   {"version": 1, "require_signature": true, "keys": {…} or null,
                                  "url": "http://…" or null, "download_limit_bytes": 268435456,
                                  "authorities": "-----BEGIN CERTIFICATE-----…" or null,
                                  "proxy": "http://…" or not there}
    /reconix/trust.json          {"version": 1, "floor": 7, "keys": {…} or null,
                                  "sequences": {"/nix/store/…": 7}}

A generation without the file, made before there were keys, is judged by what the device remembers;
if that is nothing, nothing is demanded.

Proven by ``tests/unit/device/test_belief.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconix.base import progress
from reconix.base.documents import BadDocument, Fields, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.device.device import Device
from reconix.device.places import Places
from reconix.store.paths import StorePath
from reconix.transfer.keys import BadKey, KeySet, key_set_of
from reconix.transfer.seal import Seal
from reconix.transfer.stream import Header
from reconix.transfer.trust import UNSIGNED, Trust

FILE_NAME = "trust.json"
VERSION = 1
MAX_BYTES = 1 << 16
DOWNLOAD_LIMIT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Creed:
    """What a generation says about whom to believe.

    Attributes:
        keys: the key set; None if it names none.
        require_signature: whether a stream must be signed.
        url: where updates are looked for.
        download_limit_bytes: no download is larger unless somebody says so at that moment.
        authorities: certificates by which web servers are believed; None: those of the system.
        proxy: who is asked for updates in place of the servers themselves.
    """

    keys: KeySet | None = None
    require_signature: bool = True
    url: str | None = None
    download_limit_bytes: int = DOWNLOAD_LIMIT_BYTES
    authorities: str | None = None
    proxy: str | None = None

    def print(self) -> bytes:
        """As a document."""
        return print_json(
            {
                "version": VERSION,
                "require_signature": self.require_signature,
                "keys": None if self.keys is None else self.keys.document(),
                "url": self.url,
                "download_limit_bytes": self.download_limit_bytes,
                "authorities": self.authorities,
                **({"proxy": self.proxy} if self.proxy else {}),
            }
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """What a device remembers about its updates."""

    floor: int = 0
    keys: KeySet | None = None
    sequences: Mapping[str, int] = field(default_factory=dict)  # by generation

    def print(self) -> bytes:
        """As a document."""
        return print_json(
            {
                "version": VERSION,
                "floor": self.floor,
                "keys": None if self.keys is None else self.keys.document(),
                "sequences": dict(self.sequences),
            }
        )


def read_creed(generation: Path) -> Creed | None:
    """What a generation says; nothing if it is older than keys are.

    Raises:
        BadDocument, BadKey, BadFile, OSError: it cannot be read.
    """
    fields = _read(generation / FILE_NAME)
    if fields is None:
        return None
    return Creed(
        _keys(fields),
        fields.flag("require_signature"),
        fields.text("url") if fields.has("url") else None,
        fields.number("download_limit_bytes"),
        fields.text("authorities") if fields.has("authorities") else None,
        fields.text("proxy") if fields.has("proxy") else None,
    )


def read_memory(places: Places) -> Memory:
    """What is remembered; nothing if that is damaged, because a device must stay mendable."""
    try:
        fields = _read(places.trust)
        return Memory() if fields is None else _memory(fields)
    except (BadDocument, BadKey, BadFile) as error:
        progress.note(f"what was remembered about updates is of no use: {error}")
        return Memory()


def _memory(fields: Fields) -> Memory:
    known = fields.object("sequences")
    sequences = {name: known.number(name) for name in known.names()}
    return Memory(fields.number("floor"), _keys(fields), sequences)


def _read(path: Path) -> Fields | None:
    try:
        fields = Fields.parse(read_bounded(path, MAX_BYTES), source=str(path))
    except FileNotFoundError:
        return None
    if fields.number("version") != VERSION:
        raise BadDocument(f"{path} has version {fields.number('version')}, not {VERSION}")
    return fields


def _keys(fields: Fields) -> KeySet | None:
    return key_set_of(fields.object("keys")) if fields.has("keys") else None


@dataclass(frozen=True, slots=True)
class Belief:
    """What a device believes now, and how it learns more."""

    device: Device
    committed: str
    creed: Creed | None
    memory: Memory

    @classmethod
    def of(cls, device: Device) -> "Belief":
        """What the committed generation and the device's memory say together."""
        committed = device.recall().committed.generation
        folder = device.places.store / StorePath.parse(committed).basename
        return cls(device, committed, read_creed(folder), read_memory(device.places))

    @property
    def trust(self) -> Trust:
        """By what a stream is judged."""
        keys = _newer(self.creed.keys if self.creed else None, self.memory.keys)
        required = self.creed.require_signature if self.creed else keys is not None
        if not required:
            return UNSIGNED
        return Trust(keys, floor=self.floor)

    @property
    def floor(self) -> int:
        """The least sequence number that is taken."""
        return max(self.memory.floor, self.memory.sequences.get(self.committed, 0))

    def judge(self, header: Header, seal: Seal, statement: bytes) -> Trust:
        """Decide on a stream; changes nothing.

        Raises:
            NotTrusted, OutOfSequence: it is not taken.
        """
        return self.trust.judge(seal, statement, header.sequence)

    def learn(self, header: Header, judged: Trust) -> None:
        """Remember a stream that proved right, before its generation is registered."""
        if not judged.required:
            return
        installed = {*map(str, self.device.installed()), str(header.target)}
        sequences = {**self.memory.sequences, str(header.target): header.sequence}
        kept = {path: number for path, number in sequences.items() if path in installed}
        after = replace(self.memory, floor=self.floor, keys=judged.keys, sequences=kept)
        if after != self.memory:
            write_durably(self.device.places.trust, after.print())


def settle(device: Device) -> None:
    """Remember the floor and the keys of what is committed, before anything is collected."""
    belief = Belief.of(device)
    trust = belief.trust
    after = replace(belief.memory, floor=belief.floor, keys=trust.keys)
    if trust.required and after != belief.memory:
        write_durably(device.places.trust, after.print())


def _newer(ours: KeySet | None, other: KeySet | None) -> KeySet | None:
    """The set of the higher version; what either took back stays taken back."""
    if ours is None or other is None:
        return ours or other
    first, last = sorted((other, ours), key=lambda each: each.version)
    return replace(last, revoked=last.revoked | (first.revoked - last.values))
