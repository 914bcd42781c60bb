"""Trust: whether a device takes a stream from whoever made it.

Two questions, both answered before anything is written. *Who says so?* As many keys of the set that
the device believes as that set demands. *Is it new?* Each generation has a sequence number; a
stream whose number is below that of what was confirmed last is an old one that somebody kept. No
clock is asked: a device whose clock says 1970, or 2106, decides in the same way.

A stream may bring newer key sets along. They are followed one by one, each signed by the one
before, and the stream itself is then judged by the last of them.

Tested by ``tests/unit/transfer/trust/test_trust.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reconix.base.errors import ReconixError
from reconix.transfer.trust.ed25519 import is_signed
from reconix.transfer.trust.keys import BadKey, KeySet
from reconix.transfer.trust.seal import Seal, Signature, SignedKeySet, keys_statement

FAST_FORWARD_LIMIT = 1 << 20
"""No number is further ahead: a fast-forward attack must not use up all numbers there are."""


class NotTrusted(ReconixError):
    """Nobody whom the device believes vouches for a stream."""

    exit_code = 80

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the stream is not trusted: {what}",
            hint="sign it with a key that the device believes: reconix keys list",
        )


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
    """What a device believes.

    Attributes:
        keys: the set in force; None if there is none.
        required: whether a stream must be signed.
        rollback_index: the least sequence number that is taken.
    """

    keys: KeySet | None = None
    required: bool = True
    rollback_index: int = 0

    def judge(self, seal: Seal, statement: bytes, sequence: int) -> "Trust":
        """Decide on a stream; gives what is believed from then on.

        Raises:
            NotTrusted: too few of the right keys have signed, or a key set does not follow.
            BelowRollbackIndex, BeyondFastForwardLimit: it is too old, or far ahead.
        """
        if not self.required:
            return self
        if self.keys is None:
            raise NotTrusted("this device believes no key")
        keys = _follow(self.keys, seal.key_sets)
        _expect_signed(keys, seal.signatures, statement, "the stream")
        if sequence < self.rollback_index:
            raise BelowRollbackIndex(sequence, rollback_index=self.rollback_index)
        if sequence > self.rollback_index + FAST_FORWARD_LIMIT:
            raise BeyondFastForwardLimit(sequence, rollback_index=self.rollback_index)
        return Trust(keys, self.required, self.rollback_index)


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
        _expect_signed(keys, signed.signatures, keys_statement(signed.document), what)
        return update.after(keys)
    except BadKey as error:
        raise NotTrusted(str(error)) from error


def _expect_signed(
    keys: KeySet, signatures: Iterable[Signature], statement: bytes, what: str
) -> None:
    """Count those whose word counts, each once."""
    good = {
        each.key
        for each in signatures
        if each.key in keys.active and is_signed(each.key, each.value, statement)
    }
    if len(good) < keys.threshold:
        raise NotTrusted(
            f"{what} is signed by {len(good)} of the keys of set {keys.version}, "
            f"and {keys.threshold} must"
        )
