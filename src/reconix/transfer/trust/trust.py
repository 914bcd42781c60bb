"""Trust: whether a device takes a stream, whoever brings it.

Two questions, both answered before anything is written. *Who has signed it?* As many keys of the
key set in force as its threshold demands. *Is it new?* Each generation has a sequence number; a
stream whose number is below the rollback index, the highest number that was ever confirmed, is an
old one that somebody kept. No clock is asked: a device whose clock says 1970, or 2106, decides in
the same way.

A stream may bring newer key sets along. They are followed one by one, each signed by the one
before, and the stream itself must be signed by the last of them. TUF wants a new set signed by its
own keys as well; here they sign the stream that brings it.

Source: *The Update Framework Specification* 1.0, section 5.3, *Update the root role*.
Tested by ``tests/unit/transfer/trust/test_trust.py``.
"""

from collections.abc import Iterable

from reconix.base.errors import ReconixError
from reconix.base.records import dataclass
from reconix.transfer.trust.ed25519 import is_signed
from reconix.transfer.trust.keys import BadKey, KeySet
from reconix.transfer.trust.seal import Seal, Signature, SignedKeySet, keys_statement

FAST_FORWARD_LIMIT = 1 << 20
"""No number is further ahead: a fast-forward attack must not use up all numbers there are."""


class NotTrusted(ReconixError):
    """Too few of the keys that a device trusts have signed a stream."""

    exit_code = 80

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the stream is not trusted: {why}",
            hint="sign it with a key that the device trusts: reconix keys list",
        )
        self.why = why


class BelowRollbackIndex(ReconixError):
    """A stream is older than what the device has confirmed."""

    exit_code = 81

    def __init__(self, found: int, *, rollback_index: int) -> None:
        super().__init__(
            f"the stream is older than what this device has confirmed: "
            f"it has sequence number {found}, the rollback index is {rollback_index}",
            hint="to go back on purpose, build the old state again: it gets a new number",
        )
        self.found, self.rollback_index = found, rollback_index


class BeyondFastForwardLimit(ReconixError):
    """A stream has a sequence number far ahead of what the device has confirmed."""

    exit_code = 81

    def __init__(self, found: int, *, rollback_index: int) -> None:
        super().__init__(
            f"the sequence number of the stream is too far ahead: "
            f"it is {found}, the rollback index is {rollback_index}",
            hint="build the generation again: it gets a number that devices take",
        )
        self.found, self.rollback_index = found, rollback_index


@dataclass(frozen=True, slots=True)
class Trust:
    """What streams are verified against.

    Attributes:
        keys: the key set in force; None if there is none.
        required: whether a signature is required.
        rollback_index: the least sequence number that is taken.
    """

    keys: KeySet | None = None
    required: bool = True
    rollback_index: int = 0

    def verify(self, seal: Seal, statement: bytes, sequence: int) -> KeySet | None:
        """Decide on a stream; gives the key set that is in force once it is installed.

        Raises:
            NotTrusted: too few of the right keys have signed, or a key set does not follow.
            BelowRollbackIndex, BeyondFastForwardLimit: it is too old, or far ahead.
        """
        if not self.required:
            return self.keys
        keys = _follow(self._authorised(), seal.key_sets)
        _expect_threshold(keys, seal.signatures, statement, "it")
        if sequence < self.rollback_index:
            raise BelowRollbackIndex(sequence, rollback_index=self.rollback_index)
        if sequence > self.rollback_index + FAST_FORWARD_LIMIT:
            raise BeyondFastForwardLimit(sequence, rollback_index=self.rollback_index)
        return keys

    def expect_signed(self, signatures: Iterable[Signature], statement: bytes) -> None:
        """Expect of what is no stream that the keys in force have signed it.

        Raises:
            NotTrusted: too few of them have.
        """
        if self.required:
            _expect_threshold(self._authorised(), signatures, statement, "it")

    def _authorised(self) -> KeySet:
        if self.keys is None:
            raise NotTrusted("this device has no trusted key")
        return self.keys


UNSIGNED = Trust(required=False)
"""Takes whatever is whole."""


def _follow(keys: KeySet, updates: Iterable[SignedKeySet]) -> KeySet:
    for signed in updates:
        keys = _followed(keys, signed)
    return keys


def _followed(keys: KeySet, signed: SignedKeySet) -> KeySet:
    try:
        update = signed.key_set
        if update.version <= keys.version:
            return keys
        if update.version != keys.version + 1:
            raise NotTrusted(f"key set {update.version} cannot follow {keys.version}")
        what = f"key set {update.version}"
        _expect_threshold(keys, signed.signatures, keys_statement(signed.document), what)
        return update.after(keys)
    except BadKey as error:
        raise NotTrusted(str(error)) from error


def _expect_threshold(
    keys: KeySet, signatures: Iterable[Signature], statement: bytes, what: str
) -> None:
    """Count the authorised keys that have signed, each once."""
    signed = {
        each.key
        for each in signatures
        if each.key in keys.active and is_signed(each.key, each.value, statement)
    }
    if len(signed) < keys.threshold:
        raise NotTrusted(
            f"{what} has {len(signed)} of {keys.threshold} required signatures "
            f"by key set {keys.version}"
        )
