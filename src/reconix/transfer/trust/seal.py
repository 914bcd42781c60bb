"""The seal: the signatures of a stream, and of the key sets that it brings along.

A seal is between the header and the frames. It holds signatures over one short statement, which
names the header and the root over all frames, and key sets that are newer than those a device may
have, each with the signatures of its predecessor::

    seal       = count key-set*  signatures
    key-set    = length document signatures
    signatures = count (public-key signature)*

What is signed begins with its purpose, so that no signature can be used for anything else.

Format: ``docs/spec/stream.md``, *Seal*. Tested by ``tests/unit/transfer/trust/test_trust.py``.
"""

import base64
from collections.abc import Callable, Iterable

from reconix.base.documents import BadDocument, Fields, JsonInput
from reconix.base.records import dataclass
from reconix.transfer.trust.ed25519 import KEY_BYTES, SIGNATURE_BYTES
from reconix.transfer.trust.keys import MAX_KEYS, MAX_SET_BYTES, KeySet, parse_key_set, print_value

MAX_SETS = 16
MAX_SEAL_BYTES = 1 << 17

_STREAM = b"reconix stream 3\n"
_KEYS = b"reconix keys 1\n"


class BadSeal(ValueError):
    """Bytes are not a seal."""


@dataclass(frozen=True, slots=True, order=True)
class Signature:
    """A signature, and the public key that verifies it."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class SignedKeySet:
    """A key set, byte for byte as it was signed."""

    document: bytes
    signatures: tuple[Signature, ...]

    @property
    def key_set(self) -> KeySet:
        """The key set.

        Raises:
            BadKey: it is malformed or inconsistent.
        """
        return parse_key_set(self.document)


@dataclass(frozen=True, slots=True)
class Seal:
    """The signatures of a stream."""

    signatures: tuple[Signature, ...] = ()
    key_sets: tuple[SignedKeySet, ...] = ()

    def print(self) -> bytes:
        """The seal as bytes."""
        sets = b"".join(_print_set(each) for each in self.key_sets)
        return bytes([len(self.key_sets)]) + sets + _print_signatures(self.signatures)


def stream_statement(header_digest: bytes, root: bytes) -> bytes:
    """What is signed for a stream."""
    return _STREAM + header_digest + root


def keys_statement(document: bytes) -> bytes:
    """What is signed for a key set."""
    return _KEYS + document


def print_signature_list(signatures: Iterable[Signature]) -> list[JsonInput]:
    """Signatures as a part of a document; a stream has them as bytes instead."""
    return [{"key": print_value(each.key), "value": print_value(each.value)} for each in signatures]


def parse_signature_list(fields: Fields) -> tuple[Signature, ...]:
    """The ``signatures`` of a document.

    Raises:
        BadDocument: they are not signatures, or too many.
    """
    listed = fields.objects("signatures")
    if len(listed) > MAX_KEYS:
        raise BadDocument(f"{fields.source}: {len(listed)} signatures, more than {MAX_KEYS}")
    return tuple(Signature(_base64(each, "key"), _base64(each, "value")) for each in listed)


def _base64(fields: Fields, key: str) -> bytes:
    try:
        return base64.b64decode(fields.text(key), validate=True)
    except ValueError as error:
        raise BadDocument(f"{fields.source}: {key!r} is not base 64") from error


def _print_set(signed: SignedKeySet) -> bytes:
    length = len(signed.document).to_bytes(2, "little")
    return length + signed.document + _print_signatures(signed.signatures)


def _print_signatures(signatures: tuple[Signature, ...]) -> bytes:
    return bytes([len(signatures)]) + b"".join(each.key + each.value for each in signatures)


def parse_seal(content: bytes) -> Seal:
    """Read a seal.

    Raises:
        BadSeal: it is not one, or bytes follow it.
    """
    left = content

    def take(size_bytes: int) -> bytes:
        nonlocal left
        taken, left = left[:size_bytes], left[size_bytes:]
        if len(taken) < size_bytes:
            raise BadSeal("it ends too early")
        return taken

    sets = tuple(_parse_set(take) for _ in range(_count(take, MAX_SETS)))
    signatures = _parse_signatures(take)
    if left:
        raise BadSeal("bytes follow it")
    return Seal(signatures, sets)


def _parse_set(take: Callable[[int], bytes]) -> SignedKeySet:
    length = int.from_bytes(take(2), "little")
    if length > MAX_SET_BYTES:
        raise BadSeal(f"a key set of {length} bytes")
    return SignedKeySet(take(length), _parse_signatures(take))


def _parse_signatures(take: Callable[[int], bytes]) -> tuple[Signature, ...]:
    count = _count(take, MAX_KEYS)
    return tuple(Signature(take(KEY_BYTES), take(SIGNATURE_BYTES)) for _ in range(count))


def _count(take: Callable[[int], bytes], most: int) -> int:
    count = take(1)[0]
    if count > most:
        raise BadSeal(f"{count} of something of which there are at most {most}")
    return count
