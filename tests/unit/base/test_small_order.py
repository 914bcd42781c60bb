"""No key that belongs to everybody counts anywhere."""

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from reconix.base.digests import Digest
from reconix.base.small_order import is_small_order
from reconix.nix import signatures
from reconix.nix.database import PathInfo
from reconix.store.closure import StoreObject
from reconix.store.paths import StorePath
from reconix.transfer.trust.ed25519 import is_signed
from reconix.transfer.trust.keys import BadKey, KeySet, PublicKey, parse_key_set

P = 2**255 - 19
Y_8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
POINTS = [
    (y | sign << 255).to_bytes(32, "little")
    for y in (0, 1, P - 1, Y_8, P - Y_8, P, P + 1)
    for sign in (0, 1)
]
"""All eight, the two whose y may also be spelled beyond the prime so too, with either sign."""

FORGED = (1).to_bytes(32, "little") + bytes(32)
"""R is the neutral point and S is 0: nobody needs a secret for that."""

STATEMENTS = [b"statement %d" % number for number in range(64)]


def accepted_by_openssl(key: bytes) -> list[bytes]:
    found = []
    for statement in STATEMENTS:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(FORGED, statement)
        except (InvalidSignature, ValueError):
            continue
        found.append(statement)
    return found


def test_openssl_accepts_a_forgery_by_each_of_the_eight_points() -> None:
    """Otherwise these tests would prove nothing."""
    assert len([key for key in POINTS if accepted_by_openssl(key)]) >= 8


@pytest.mark.parametrize("key", POINTS, ids=bytes.hex)
def test_t1_a_key_of_small_order_has_signed_nothing_and_is_in_no_set(key: bytes) -> None:
    assert is_small_order(key)
    assert not any(is_signed(key, FORGED, statement) for statement in STATEMENTS)
    with pytest.raises(BadKey, match="anybody can sign"):
        PublicKey("key", key)
    text = base64.b64encode(key).decode()
    document = f'{{"version": 1, "threshold": 1, "keys": ["key:{text}"], "revoked": []}}'
    with pytest.raises(BadKey, match="anybody can sign"):
        parse_key_set(document.encode())


@pytest.mark.parametrize("key", POINTS, ids=bytes.hex)
def test_t1_such_a_key_vouches_for_nothing_in_a_binary_cache(key: bytes) -> None:
    said = f"cache:{base64.b64encode(FORGED).decode()}"
    for number in range(20):
        item = StoreObject(StorePath("0" * 32, f"object-{number}"), Digest(bytes(32)), 1)
        with pytest.raises(signatures.NotTrusted):
            signatures.check(
                PathInfo(item, signatures=(said,)), [signatures.PublicKey("cache", key)]
            )


def test_a_key_that_somebody_made_is_taken() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    assert not is_small_order(key)
    assert KeySet.of([PublicKey("key", key)]).active == {key}
