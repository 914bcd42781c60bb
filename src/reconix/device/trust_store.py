"""The trust store: which signatures this device requires, and what it remembers about that.

The *policy* says which keys are trusted. It is part of a generation, ``trust.json`` beside
``generation.json``: it is tried and kept, or left, with everything else. The *state* must outlive a
generation, and is in ``/reconix/trust.json``:

* the newest key set that a stream brought along, which the committed generation may not know;
* the sequence number of each installed generation;
* the rollback index: the highest of them that was ever confirmed. No stream below it is taken.

The rollback index never sinks, not even after a rollback. No clock is asked for anything. Rollback
index, key set and revoked keys are in the ledger as well (``state/ledger.py``), and hold from
wherever they can be read: what a newer agent left here, unreadable to this one, revokes nothing.

The names of the files and of their keys are read by agents of all releases, so they stay, ``floor``
for the rollback index among them.

    trust.json of a generation   {"version": 1, "require_signature": true, "keys": {…} or null,
                                  "url": "http://…" or null, "download_limit_bytes": 268435456,
                                  "authorities": "-----BEGIN CERTIFICATE-----…" or null,
                                  "proxy": "http://…" or not there}
    /reconix/trust.json          {"version": 1, "floor": 7, "keys": {…} or null,
                                  "sequences": {"/nix/store/…": 7}}

For a generation without the file, made before there were keys, the state decides; without a key in
it no signature is required.

Tested by ``tests/unit/device/test_trust_store.py``.
"""

from collections.abc import Iterable, Mapping

from reconix.base import progress
from reconix.base.documents import BadDocument, Fields, JsonInput, print_json
from reconix.base.files import BadFile, read_bounded, write_durably
from reconix.base.records import dataclass, field, replace
from reconix.boot.trial import Rest
from reconix.device.device import Device
from reconix.device.paths import Paths
from reconix.device.state.ledger import Ledger, newer, read_ledger, write_ledger
from reconix.store.paths import StorePath
from reconix.store.registry import Registry
from reconix.transfer.format.stream import Header
from reconix.transfer.trust.keys import BadKey, KeySet, key_set_of
from reconix.transfer.trust.seal import Seal
from reconix.transfer.trust.trust import UNSIGNED, Trust

FILE_NAME = "trust.json"
VERSION = 1
MAX_BYTES = 1 << 16
DOWNLOAD_LIMIT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a generation says about updates: who must sign them, and where they are.

    Attributes:
        keys: the key set; None if it names none.
        require_signature: whether a stream must be signed.
        url: where updates are looked for.
        download_limit_bytes: no download is larger unless somebody says so at that moment.
        authorities: certificates by which web servers are trusted; None: those of the system.
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
class TrustState:
    """What a device remembers about its updates.

    Attributes:
        rollback_index: the highest sequence number that was ever confirmed.
        keys: the newest key set that is known.
        sequences: the numbers of installed generations.
        version: the highest of all agents that have written this.
        spelled: the key set as it was found; a newer agent may say more of it than this one reads.
        rest: what a newer agent has added.
    """

    rollback_index: int = 0
    keys: KeySet | None = None
    sequences: Mapping[str, int] = field(default_factory=dict)
    version: int = field(default=VERSION, compare=False)
    spelled: Rest | None = field(default=None, compare=False, repr=False)
    rest: Rest = field(default_factory=dict, compare=False, repr=False)

    def print(self) -> bytes:
        """As a document."""
        return print_json(
            {
                **self.rest,
                "version": self.version,
                "floor": self.rollback_index,
                "keys": self._print_keys(),
                "sequences": dict(self.sequences),
            }
        )

    def _print_keys(self) -> JsonInput:
        if self.keys is None:
            return self.spelled
        found = self.spelled if self._spelled_version == self.keys.version else None
        return {**(found or {}), **self.keys.document()}

    def after(self, rollback_index: int, keys: KeySet | None) -> "TrustState":
        """With a rollback index and a key set, unless those here are newer."""
        is_older = keys is not None and keys.version <= self._spelled_version
        known = self.keys if self.keys is None and is_older else newer(keys, self.keys)
        return replace(self, rollback_index=max(rollback_index, self.rollback_index), keys=known)

    @property
    def _spelled_version(self) -> int:
        found = self.spelled.get("version") if self.spelled else None
        return found if isinstance(found, int) else 0


def read_trust_policy(registry: Registry, generation: StorePath) -> TrustPolicy | None:
    """What an installed generation says; nothing if it is older than keys are.

    Raises:
        ReconixError: it cannot be read.
    """
    if not registry.has(generation, FILE_NAME):
        return None
    content = registry.read(generation, FILE_NAME, limit_bytes=MAX_BYTES)
    return parse_trust_policy(content, source=f"{generation}/{FILE_NAME}")


def parse_trust_policy(content: bytes, *, source: str) -> TrustPolicy:
    """Read ``trust.json`` of a generation, of this version or a newer one.

    Raises:
        BadDocument, BadKey: it is not what this module says.
    """
    fields = Fields.parse(content, source=source)
    fields.version()
    return TrustPolicy(
        _keys(fields),
        fields.flag("require_signature"),
        fields.text("url") if fields.has("url") else None,
        fields.number("download_limit_bytes"),
        fields.text("authorities") if fields.has("authorities") else None,
        fields.text("proxy") if fields.has("proxy") else None,
    )


def read_trust_state(paths: Paths) -> TrustState:
    """What is remembered; nothing if that is damaged, because a device must stay updatable."""
    try:
        fields = Fields.parse(read_bounded(paths.trust, MAX_BYTES), source=str(paths.trust))
        fields.version()
        return _trust_state(fields)
    except FileNotFoundError:
        return TrustState()
    except (BadDocument, BadKey, BadFile) as error:
        progress.note(f"the trust state cannot be read, the ledger holds: {error}")
        return TrustState()


def _trust_state(fields: Fields) -> TrustState:
    known = fields.object("sequences")
    sequences = {name: known.number(name) for name in known.names()}
    spelled = fields.object("keys").values if fields.has("keys") else None
    return TrustState(
        fields.number("floor"),
        _readable_keys(fields),
        sequences,
        max(VERSION, fields.version()),
        spelled,
        fields.rest("version", "floor", "keys", "sequences"),
    )


def _readable_keys(fields: Fields) -> KeySet | None:
    """The key set, unless only a newer agent can read it; then the ledger has what we can."""
    try:
        return _keys(fields)
    except (BadDocument, BadKey) as error:
        progress.note(f"the key set of the trust state cannot be read, the ledger holds: {error}")
        return None


def _keys(fields: Fields) -> KeySet | None:
    return key_set_of(fields.object("keys")) if fields.has("keys") else None


@dataclass(frozen=True, slots=True)
class TrustStore:
    """What a device trusts.

    Attributes:
        committed: the generation whose policy holds.
        policy: that policy; None if the generation is older than keys are.
        state: what outlives a generation.
        ledger: the same again, for agents of all releases.
    """

    committed: str
    policy: TrustPolicy | None
    state: TrustState
    ledger: Ledger

    @classmethod
    def read(cls, device: Device) -> "TrustStore":
        """What the committed generation and what the device remembers say together."""
        committed = device.recall().committed.generation
        policy = read_trust_policy(device.registry, StorePath.parse(committed))
        ledger = read_ledger(device.paths.ledger)
        return cls(committed, policy, read_trust_state(device.paths), ledger)

    @property
    def trust(self) -> Trust:
        """What streams are verified against."""
        keys = newer(self.policy.keys if self.policy else None, self._remembered)
        required = self.policy.require_signature if self.policy else keys is not None
        if not required:
            return UNSIGNED
        return Trust(
            keys.without(self.ledger.revoked) if keys else None, rollback_index=self.rollback_index
        )

    @property
    def _remembered(self) -> KeySet | None:
        return newer(self.state.keys, self.ledger.keys)

    @property
    def rollback_index(self) -> int:
        """The least sequence number that is taken."""
        ours = self.state.sequences.get(self.committed, 0)
        return max(self.state.rollback_index, self.ledger.rollback_index, ours)

    def verify(
        self, header: Header, seal: Seal, statement: bytes, installed: Iterable[StorePath]
    ) -> "TrustStore":
        """Decide on a stream; gives the store as it is once its generation is installed.

        Args:
            header: of the stream.
            seal: who has signed it.
            statement: what they have signed.
            installed: generations whose sequence numbers are kept.

        Raises:
            NotTrusted, BelowRollbackIndex, BeyondFastForwardLimit: it is not taken.
        """
        trust, target = self.trust, str(header.target)
        keys = trust.verify(seal, statement, header.sequence)
        if not trust.required:
            return self
        known = {str(path) for path in installed}
        kept = {path: number for path, number in self.state.sequences.items() if path in known}
        return self._with(keys, {**kept, target: header.sequence})

    def settled(self) -> "TrustStore":
        """With what the committed generation says, which will be collected some day."""
        trust = self.trust
        return self._with(trust.keys, self.state.sequences) if trust.required else self

    def _with(self, keys: KeySet | None, sequences: Mapping[str, int]) -> "TrustStore":
        index, keys = self.rollback_index, newer(keys, self._remembered)
        state = replace(self.state.after(index, keys), sequences=sequences)
        return replace(self, state=state, ledger=self.ledger.trusting(index, keys))


def commit(paths: Paths, before: TrustStore, after: TrustStore) -> None:
    """Remember durably what has changed, in both paths; nothing is written if that is nothing."""
    write_ledger(paths.ledger, before.ledger, after.ledger)
    if before.state != after.state:
        write_durably(paths.trust, after.state.print())


def settle(device: Device) -> None:
    """Remember the rollback index and keys of what is committed, before anything is collected."""
    before = TrustStore.read(device)
    commit(device.paths, before, before.settled())
