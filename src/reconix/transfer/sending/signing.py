"""Signing streams and key sets, on the build host.

A secret key is a file of one line, ``<name>:<base 64 of 64 bytes>``, as Nix spells it: the seed,
then the public key. It stays with the people who release; a device gets the public half.

Tested by ``tests/unit/transfer/trust/test_trust.py``.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from reconix.nix.signatures import SecretKey
from reconix.transfer.trust.keys import KeySet, PublicKey
from reconix.transfer.trust.seal import (
    Seal,
    Signature,
    SignedKeySet,
    keys_statement,
    stream_statement,
)


def generate(name: str) -> SecretKey:
    """Make a new key.

    Raises:
        BadKey: that is not a name.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # late

    private = Ed25519PrivateKey.generate()
    value = private.private_bytes_raw() + private.public_key().public_bytes_raw()
    PublicKey(name, value[32:])
    return SecretKey(name, value)


def print_secret(key: SecretKey) -> str:
    """The line in the file of a secret key."""
    return f"{key.name}:{base64.b64encode(key.value).decode()}"


def public(key: SecretKey) -> PublicKey:
    """What devices must know of a key."""
    return PublicKey(key.name, key.value[32:])


def sign_key_set(keys: KeySet, signers: Iterable[SecretKey]) -> SignedKeySet:
    """Sign a key set; the signers are of the set before."""
    document = keys.print()
    return SignedKeySet(document, _sign(keys_statement(document), signers))


@dataclass(frozen=True, slots=True)
class Signer:
    """Seals streams: with keys, and the key sets that a device might not know yet."""

    keys: tuple[SecretKey, ...] = ()
    key_sets: tuple[SignedKeySet, ...] = ()

    def sign(self, statement: bytes) -> tuple[Signature, ...]:
        """One signature of each key."""
        return _sign(statement, self.keys)

    def seal(self, header_digest: bytes, root: bytes) -> Seal:
        """Sign a stream."""
        return Seal(self.sign(stream_statement(header_digest, root)), self.key_sets)


def _sign(statement: bytes, keys: Iterable[SecretKey]) -> tuple[Signature, ...]:
    """One signature of each key, in the order of the public ones: the same for the same keys."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # late

    seeds = {key.value[32:]: key.value[:32] for key in keys}
    return tuple(
        Signature(public_key, Ed25519PrivateKey.from_private_bytes(seed).sign(statement))
        for public_key, seed in sorted(seeds.items())
    )
