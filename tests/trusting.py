"""A receiver that trusts one key."""

from reconix.nix.signatures import SecretKey
from reconix.transfer.format.stream import Header
from reconix.transfer.receiving.receive import Commit, Verifier
from reconix.transfer.sending.signing import public
from reconix.transfer.trust.keys import KeySet
from reconix.transfer.trust.seal import Seal
from reconix.transfer.trust.trust import Trust


def trusting(key: SecretKey) -> Verifier:
    """Trust one key, and remember nothing."""
    trust = Trust(KeySet.of([public(key)]))

    def verify(header: Header, seal: Seal, statement: bytes) -> Commit:
        trust.verify(seal, statement, header.sequence)
        return lambda: None

    return verify
